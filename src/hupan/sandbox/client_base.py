"""The URL at which a client reaches the sandbox: that of the host which it addressed.

A sandbox has pictures without any setting, on any port and behind any name. `hupan serve`
needs `public_url` instead.
"""

from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from hupan.rules import url_of_host


class ClientBase:
    """Knows the URL for the client of the current request, "" outside of requests."""

    def __init__(self) -> None:
        self._host: ContextVar[str] = ContextVar("host", default="")

    def __call__(self) -> str:
        return url_of_host(self._host.get())

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return an app that notes the host of each request."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            host = next((value for name, value in scope["headers"] if name == b"host"), b"")
            self._host.set(host.decode("latin-1"))
            await app(scope, receive, send)

        return noting
