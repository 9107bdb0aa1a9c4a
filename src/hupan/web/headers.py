"""Headers of every response of pages, including errors (web.md W-1)."""

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
PAGE_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
MARK_ENDLESS = "hupan.mark_endless"
"""The key of a scope: marks a response without an end, which does not delay a stop."""


@dataclass(frozen=True, slots=True)
class PageHeadersMiddleware:
    """Adds the headers to every response of an application, and `no-store` unless it has a rule."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in PAGE_HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        mark_endless = getattr(send, "mark_endless", _ignore)  # our server's
        await self.app({**scope, MARK_ENDLESS: mark_endless}, receive, send_with_headers)


def _ignore() -> None:
    """Do nothing: another server stops its streams by itself."""
