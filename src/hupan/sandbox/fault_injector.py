"""The application of a sandbox with faults around it (K-5).

The effects of a rule come in this order: the delay, then the reset or the error in place of the
handling, then the changes of the response. A request that is delayed, cut off afterwards or whose
response is damaged is handled all the same: its change is saved.
"""

import asyncio
import http
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias, cast

from hupan.api.codecs import read_token
from hupan.background import ensure_task
from hupan.errors import APP_ERRORS, ResultClass
from hupan.localized import LocalizedText
from hupan.sandbox.faults import NEVER_FAULTY, SOCKET_PATH, WITHOUT_BODY, Fault, Faults
from hupan.sandbox.socket_faults import FaultyHandler, FaultySocket
from hupan.sandbox.tap import SocketHandler, is_own_path

Scope: TypeAlias = MutableMapping[str, Any]
ASGIMessage: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[ASGIMessage]]
Send: TypeAlias = Callable[[ASGIMessage], Awaitable[None]]

MAX_TRICKLE_SECONDS = 600.0
"""The rest of a response that takes longer is sent at once."""
_SLICE_SECONDS = 0.1


class Connection(Protocol):
    """What the listener lets a fault do to the connection of a request.

    Attributes:
        is_endless: whether a server that stops cuts it off.
    """

    is_endless: bool

    @property
    def is_peer_gone(self) -> bool:
        """Whether the client has left."""
        ...

    def cut_off(self, *, reset: bool) -> None:
        """End the connection; what is sent afterwards is dropped."""
        ...

    def restart_wait(self) -> None:
        """Restart the deadline of the peer."""
        ...


class Refuse(Protocol):
    """Responds with a code in the form of the endpoint."""

    def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        code: int,
        text: LocalizedText,
        result: ResultClass,
        http_status: int,
    ) -> Awaitable[None]:
        """Respond without handling the request."""
        ...


_SUCCESS_CODE = 1


def _describe_code(code: int) -> tuple[LocalizedText, ResultClass]:
    """Return text and class of the error with a code; those of a sandbox fault if there is none."""
    if code == _SUCCESS_CODE:
        return LocalizedText("success", "success"), "ok"
    known = next((error for error in APP_ERRORS if error.code == code), None)
    if known is None:
        return LocalizedText("沙盒模拟的故障", "A fault of the sandbox"), "refused"
    if "{" in known.zh:  # it names what was wrong, and here nothing is
        return LocalizedText("沙盒模拟的故障", "A fault of the sandbox"), known.result
    return LocalizedText(known.zh, known.en), known.result


class SandboxApp(Protocol):
    """The application of a sandbox: requests and sockets."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        ...

    def is_socket_path(self, path: str) -> bool:
        """Return whether a path is that of sockets."""
        ...

    def open_socket(self, request: Any, socket: Any) -> SocketHandler | None:  # noqa: ANN401 - types of the listener, which this layer does not import
        """Return the handler of a new socket; None if there is no room."""
        ...


def _know_no_account(_token: str) -> str | None:
    return None


class FaultInjector:
    """The application around that of a sandbox.

    Attributes:
        faults: the rules.
    """

    def __init__(self, app: SandboxApp, faults: Faults) -> None:
        self.faults = faults
        self._app = app
        self._account_of: Callable[[str], str | None] = _know_no_account
        self._refuse: Refuse | None = None

    def attach(self, account_of: Callable[[str], str | None], refuse: Refuse) -> None:
        """Set what an open server provides.

        Args:
            account_of: returns the id of the account that a token belongs to.
            refuse: responds with an error.
        """
        self._account_of, self._refuse = account_of, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, with its fault if it has one."""
        fault = self._choose(scope) if self.faults and scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["fault"] = fault.number  # for the journal
        await self._inject(fault, scope, receive, send)

    def is_socket_path(self, path: str) -> bool:
        """Return whether a path is that of sockets."""
        return self._app.is_socket_path(path)

    def open_socket(self, request: Any, socket: Any) -> SocketHandler | None:  # noqa: ANN401 - as above
        """Return the handler of a new socket; None if there is no room."""
        faulty = FaultySocket(socket)
        handler = self._app.open_socket(request, faulty)
        if handler is None:
            return None
        return FaultyHandler(faulty, handler, self.faults, self._account_of)

    def _choose(self, scope: Scope) -> Fault | None:
        path, headers = scope["path"], scope["headers"]
        if self._refuse is None or path == SOCKET_PATH or path.startswith(NEVER_FAULTY):
            return None
        if is_own_path(scope["method"], path):  # `/` leads to the pages
            return None
        return self.faults.choose(
            path, lambda: self._account_of(read_token(headers, dict(headers)))
        )

    async def _inject(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        rule = fault.rule
        connection = cast("Connection", getattr(send, "connection", send))
        if rule.delay_ms:
            await _wait(rule.delay_ms / 1000, fault, connection)
        if rule.reset == "before":
            connection.cut_off(reset=True)
            return
        if rule.reset == "after":
            await self._app(scope, receive, _ResetInstead(connection))
            return
        damaged = _DamagedSend(fault, send, connection)
        if rule.code is not None and self._refuse is not None:
            status = 200 if rule.http_status is None else rule.http_status
            text, result = _describe_code(rule.code)
            await self._refuse(
                scope,
                receive,
                damaged,
                code=rule.code,
                text=text,
                result=result,
                http_status=status,
            )
        elif rule.http_status is not None:
            await _send_status(rule.http_status, damaged)
        else:
            await self._app(scope, receive, damaged)


async def _wait(seconds: float, fault: Fault, connection: Connection) -> None:
    """Wait, but not for a client that has gone or after the rules were replaced."""
    await ensure_task()
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    connection.is_endless = True
    while (left := end - loop.time()) > 0 and not (fault.is_over or connection.is_peer_gone):
        connection.restart_wait()
        await asyncio.sleep(min(left, _SLICE_SECONDS))
    connection.is_endless = False


async def _send_status(http_status: int, send: Send) -> None:
    try:
        phrase = http.HTTPStatus(http_status).phrase
    except ValueError:
        phrase = "Fault"
    body = b"" if http_status in WITHOUT_BODY else f"{http_status} {phrase}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if http_status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _ResetInstead:
    """Resets the connection when the response begins: the request's changes are saved by then."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.restart_wait = connection.restart_wait

    async def __call__(self, _message: ASGIMessage) -> None:
        """Send nothing."""
        self.connection.cut_off(reset=True)


class _DamagedSend:
    """Sends a response with what the rule does to its body."""

    def __init__(self, fault: Fault, send: Send, connection: Connection) -> None:
        self.connection = connection
        self.restart_wait = connection.restart_wait
        self._fault = fault
        self._send = send
        self._is_start = True
        self._left = fault.rule.truncate
        self._trickle_until: float | None = None

    async def __call__(self, message: ASGIMessage) -> None:
        """Send a part of the response."""
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, is_last = message.get("body", b""), not message.get("more_body", False)
        is_cut = False
        if self._left is not None:
            is_cut = len(body) > self._left
            body = body[: self._left]
            self._left -= len(body)
        if self._fault.rule.garble:
            body = self._fault.garble(body, is_start=self._is_start)
            self._is_start = self._is_start and not body
        if self._fault.rule.trickle:
            body = await self._trickle(body, self._fault.rule.trickle)
        await self._send(
            {"type": "http.response.body", "body": body, "more_body": is_cut or not is_last}
        )
        if is_cut:
            self.connection.cut_off(reset=False)

    async def _trickle(self, body: bytes, bytes_per_second: int) -> bytes:
        """Send all but the last piece of a body at the rate; return that piece."""
        await ensure_task()
        loop = asyncio.get_running_loop()
        if self._trickle_until is None:
            self._trickle_until = loop.time() + MAX_TRICKLE_SECONDS
        size = max(1, int(bytes_per_second * _SLICE_SECONDS))
        self.connection.is_endless = True
        while len(body) > size and not self._fault.is_over and not self.connection.is_peer_gone:
            if loop.time() >= self._trickle_until:
                break
            piece, body = body[:size], body[size:]
            self.restart_wait()
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(size / bytes_per_second)
        self.connection.is_endless = False
        return body
