"""The socket `/ws`, synchronous.

Made from its asynchronous twin by `make clients`: change that one.
"""

import time
from types import TracebackType
from typing import Self

from hupan_client._sync.link import Link
from hupan_client.core import ServerUrl
from hupan_client.errors import ConnectionFailed, SocketClosed
from hupan_client.sockets import (
    HEARTBEAT_SECONDS,
    NORMAL_CLOSURE,
    SocketCore,
    SocketMessage,
)

_WITHOUT_END = float("inf")


class Socket:
    """A socket that logs in when its block begins.

    Heartbeats are sent while `receive` waits, so keep receiving. The server does not answer a login
    that succeeds; one that fails is a `SocketRefused` at the next `receive`.

    Args:
        url: where the server is.
        token: the token of a session; no `repr` and no log contains it.
        device_id: goes into the login and into drafts.
        platform: goes into the login.
        user_id: goes into the login; the token alone identifies the account.
        timeout: seconds for connecting.
        heartbeat_seconds: between heartbeats.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        device_id: str = "",
        platform: str = "",
        user_id: str = "",
        timeout: float = 30.0,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._url = ServerUrl(url)
        self._core = SocketCore(heartbeat_seconds)
        self._login = self._core.login(token, device_id, platform, user_id)
        self._device_id = device_id
        self._timeout = timeout
        self._open_link: Link | None = None

    def __repr__(self) -> str:
        state = "open" if self._open_link else "closed"
        return f"<{type(self).__name__} of {self._url.text}, {state}>"

    def __enter__(self) -> Self:
        self._open_link = Link.open(self._url, self._timeout)
        self._core.start(time.monotonic())
        self._open_link.send(self._login)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        link, self._open_link = self._open_link, None
        if link is not None:
            link.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> SocketMessage:
        try:
            return self.receive()
        except SocketClosed as closed:
            if closed.code == NORMAL_CLOSURE:
                raise StopIteration from None
            raise

    def receive(self, within: float = _WITHOUT_END) -> SocketMessage:
        """Return the next message.

        Args:
            within: seconds to wait.

        Raises:
            TimeoutError: none came in time.
            SocketRefused: the server did not accept the token or a message.
            SessionEnded: the session has ended.
            SocketClosed: the socket is closed for another reason.
        """
        ends_at = time.monotonic() + within
        while True:
            now = time.monotonic()
            wait = min(self._core.seconds_left(now), max(0.0, ends_at - now))
            frame = self._link.receive(wait)
            if frame is not None:
                message = self._core.read(frame)
                if message is not None:
                    return message
            elif time.monotonic() >= ends_at:
                raise TimeoutError("no message came in time")
            else:
                self._beat()

    def send_heartbeat(self) -> str:
        """Send a heartbeat and return its seq, which a `HeartbeatAck` repeats."""
        seq, message = self._core.heartbeat()
        self._link.send(message)
        return seq

    def send_draft(self, chat_id: str, text: str) -> None:
        """Show what is being written to the account's other devices."""
        self._link.send(self._core.draft(chat_id, text, self._device_id))

    def _beat(self) -> None:
        now = time.monotonic()
        if self._core.seconds_left(now) > 0:
            return
        message = self._core.beat(now)
        if message is None:
            raise ConnectionFailed("the server does not answer heartbeats", is_timeout=True)
        self._link.send(message)

    @property
    def _link(self) -> Link:
        if self._open_link is None:
            raise SocketClosed("the socket is not open")
        return self._open_link
