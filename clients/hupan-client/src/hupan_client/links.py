"""How WebSockets are opened, and what their errors mean."""

import logging
from typing import Literal, NoReturn, TypedDict
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.http11 import Request

from hupan_client.core import ServerUrl
from hupan_client.errors import ConnectionFailed, SessionEnded, SocketClosed
from hupan_client.sockets import NO_CLOSURE, SESSION_ENDED, socket_url

MAX_FRAME_BYTES = 1024 * 1024
# The library logs frames at its lowest level, and a login has the token in it. This logger has no
# parent, so no setting of the program opens it.
_SILENT = logging.Logger("hupan_client.silent", logging.CRITICAL + 1)  # noqa: LOG001 - see above
ERRORS = (WebSocketException, OSError, EOFError)


class LinkOptions(TypedDict):
    """What both kinds of connections take."""

    compression: None
    max_size: int
    open_timeout: float
    ping_interval: None
    proxy: Literal[True] | None
    logger: logging.Logger
    user_agent_header: str


def link_options(url: ServerUrl, seconds: float) -> LinkOptions:
    """Return the options of a connection."""
    return {
        "compression": None,
        "max_size": MAX_FRAME_BYTES,
        "open_timeout": seconds,
        "ping_interval": None,  # heartbeats are messages of the contract
        "proxy": None if url.is_loopback else True,
        "logger": _SILENT,
        "user_agent_header": "hupan-client",
    }


def is_redirected(request: Request | None, url: ServerUrl) -> bool:
    """Return whether the server that was reached is not the one that was named.

    The library follows redirects; a token must not go where they lead.
    """
    parts = urlsplit(socket_url(url))
    default = 443 if parts.scheme == "wss" else 80
    name = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    host = f"{name}:{parts.port}" if parts.port not in (None, default) else name
    return request is None or (request.headers.get("Host"), request.path) != (host, parts.path)


def redirected(url: ServerUrl) -> ConnectionFailed:
    return ConnectionFailed(f"{url.text} redirects the socket: use the address it leads to")


def raise_for(error: Exception, url: ServerUrl) -> NoReturn:
    """Raise our error for one of the library or the system."""
    if isinstance(error, ConnectionClosed):
        closing = error.rcvd
        code = closing.code if closing else NO_CLOSURE
        if code == SESSION_ENDED:
            raise SessionEnded("the session has ended: log in again") from None
        reason = closing.reason if closing else ""
        raise SocketClosed(f"the socket is closed: {code} {reason}".rstrip(), code) from None
    is_timeout = isinstance(error, TimeoutError)
    text = f"no socket at {url.text}: {type(error).__name__} {error}".rstrip()
    raise ConnectionFailed(text, is_timeout=is_timeout) from None
