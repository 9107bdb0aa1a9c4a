"""Who may use the sandbox's doors: no web page of somebody else (web.md W-13).

A page could otherwise wipe a sandbox with a form, or read its codes after having its own host name
lead to 127.0.0.1 (DNS rebinding). A browser says in `Host` which name it asked for, and in
`Sec-Fetch-Site` and `Origin` whose page asks; programs send none of the latter two. An address of
digits cannot be rebound, so it is always a name of the sandbox.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hupan.sandbox.answers import answer_problem

_LOCAL = "localhost"
_OWN_SITES = ("same-origin", "none")
Told: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Guard:
    """Answers 403 to what may come from somebody else's page.

    Attributes:
        app: the doors.
        names: host names besides localhost that lead here, in lower case.
    """

    app: ASGIApp
    names: Collection[str] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Looks before anything of the request is read."""
        request = Request(scope)
        problem = self._problem(request)
        if problem is None:
            await self.app(scope, receive, send)
        else:
            await answer_problem(request, 403, *problem)(scope, receive, send)

    def _problem(self, request: Request) -> Told | None:
        hosts = request.headers.getlist("host")
        name = _host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None or not self._is_own(name):
            return (
                "主机名不是本沙盒的：请用 127.0.0.1 或 localhost 访问，或以 --allow-host 启动沙盒",
                "not a host name of this sandbox: use 127.0.0.1 or localhost, or --allow-host",
            )
        if not _is_own_page(request, hosts[0]):
            return (
                "其他网站的页面不能使用沙盒的接口；请在终端、测试或沙盒自己的页面中调用",
                "pages of other sites cannot use the sandbox: call it from a terminal or a test",
            )
        return None

    def _is_own(self, name: str) -> bool:
        return name == _LOCAL or name in self.names or _is_address(name)


def _is_own_page(request: Request, host: str) -> bool:
    """Whether no page asks, or one of the very same origin."""
    sites = request.headers.getlist("sec-fetch-site")
    if any(site not in _OWN_SITES for site in sites):
        return False
    own = f"{request.url.scheme}://{host.lower()}"
    return all(origin.lower() == own for origin in request.headers.getlist("origin"))


def _host_name(host: str) -> str | None:
    """The name in a `Host`, without its port; None for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 - it raises for what is no port
    except ValueError:
        return None
    if parts.netloc != host or parts.username is not None or parts.password is not None:
        return None
    return parts.hostname


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
