"""What a peer may send and how long it may take (security I2, R17)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ListenerLimits:
    """The bounds of one connection, and of the end of the process.

    Attributes:
        header_bytes: Bytes of a request's head: request line and headers.
        header_count: Headers of one request.
        url_bytes: Bytes of the request target.
        header_seconds: From the opening of the connection, or from the first byte of a later
            request, to the end of its head.
        body_seconds: From the end of the head to the end of the body; also how long a peer
            may leave an answer unread.
        idle_seconds: Between an answer and the first byte of the next request.
        leaving_seconds: How long a connection that we end may take to close.
        stop_seconds: From the first SIGTERM to the end of the process.
    """

    header_bytes: int = 16384
    header_count: int = 64
    url_bytes: int = 2048
    header_seconds: float = 10
    body_seconds: float = 20
    idle_seconds: float = 5
    leaving_seconds: float = 5
    stop_seconds: float = 10
