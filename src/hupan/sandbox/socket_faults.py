"""Faults of sockets: each message of a client counts as a request to `/ws` (K-5).

A delay holds back the message and those after it. `reset` ends the connection without a closing
frame, before or after the message is processed; what is sent in answer to the message is cut or
garbled. Codes, HTTP statuses and trickling do not apply: there is no response to change.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from hupan.sandbox.faults import Fault, Faults
from hupan.sandbox.tap import PacedSocketHandler, Socket, SocketHandler, token_of_login

MAX_HELD_MESSAGES = 32
"""A client that sends more while one is delayed loses its connection."""
_SLICE_SECONDS = 0.1


class FaultySocket:
    """A socket whose answers may be damaged."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self.fault: Fault | None = None

    def confirm(self) -> None:
        """Lift the deadline of the login: it has succeeded."""
        self._socket.confirm()
        self._reset_if_due()

    def send(self, data: bytes, *, is_optional: bool = False) -> None:
        """Send a message, or what the fault leaves of it."""
        if not self._reset_if_due():
            self._socket.send(self._damage(data), is_optional=is_optional)

    def send_text(self, text: bytes) -> None:
        """Send a text message, or what the fault leaves of it."""
        if not self._reset_if_due():
            self._socket.send_text(self._damage(text))

    @property
    def is_blocked(self) -> bool:
        """Whether the peer is slow to read."""
        return self._socket.is_blocked

    def close(self, code: int, reason: str) -> None:
        """Begin to close."""
        if not self._reset_if_due():
            self._socket.close(code, reason)

    def abort(self) -> None:
        """End the connection without a closing frame."""
        self._socket.abort()

    def _damage(self, data: bytes) -> bytes:
        if self.fault is None:
            return data
        data = data[: self.fault.rule.truncate]
        return self.fault.garble(data, is_start=True) if self.fault.rule.garble else data

    def _reset_if_due(self) -> bool:
        is_due = self.fault is not None and self.fault.rule.reset == "after"
        if is_due:
            self._socket.abort()
        return is_due


class FaultyHandler:
    """Receives the messages of a client, with their faults.

    Args:
        socket: what the handler answers on.
        handler: receives the messages.
        faults: the rules.
        account_of: returns the id of the account that a token belongs to.
    """

    def __init__(
        self,
        socket: FaultySocket,
        handler: SocketHandler,
        faults: Faults,
        account_of: Callable[[str], str | None],
    ) -> None:
        self._socket = socket
        self._handler = handler
        self._faults = faults
        self._account_of = account_of
        self._account: str | None = None
        self._held: deque[bytes] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def receive_text(self, text: bytes) -> None:
        """Process a message, unless an earlier one is delayed."""
        if self._timer is None:
            self._take(text)
        elif len(self._held) < MAX_HELD_MESSAGES:
            self._held.append(text)
        else:
            self._socket.abort()

    def receive_binary(self) -> None:
        """Record a binary message."""
        self._handler.receive_binary()

    def resume_sending(self) -> None:
        """Resume sending: the peer reads again."""
        if isinstance(self._handler, PacedSocketHandler):
            self._handler.resume_sending()

    def connection_closed(self) -> None:
        """Discard the delayed messages."""
        if self._timer is not None:
            self._timer.cancel()
        self._held.clear()
        self._handler.connection_closed()

    def _take(self, text: bytes) -> None:
        is_login = b"login" in text and bool(token := token_of_login(text))
        if is_login:
            self._account = self._account_of(token)
        fault = self._faults.choose_for_socket(lambda: self._account) if self._faults else None
        if fault is not None and fault.rule.delay_ms:
            ends_at = asyncio.get_running_loop().time() + fault.rule.delay_ms / 1000
            self._wait(ends_at, partial(self._handle, text, fault, is_login=is_login), fault)
        else:
            self._handle(text, fault, is_login=is_login)

    def _wait(self, ends_at: float, handle: Callable[[], None], fault: Fault) -> None:
        """Hold a message back until a time, or until the rules are replaced."""
        loop = asyncio.get_running_loop()
        left = ends_at - loop.time()
        if left > 0 and not fault.is_over:
            pause = min(left, _SLICE_SECONDS)
            self._timer = loop.call_later(pause, self._wait, ends_at, handle, fault)
            return
        self._timer = None
        handle()
        while self._held and self._timer is None:
            self._take(self._held.popleft())

    def _handle(self, text: bytes, fault: Fault | None, *, is_login: bool) -> None:
        self._socket.fault = fault
        if fault is not None and fault.rule.reset == "before":
            self._socket.abort()
            return
        self._handler.receive_text(text)
        if fault is not None and fault.rule.reset == "after" and not is_login:
            self._socket.abort()  # a login is looked up first
