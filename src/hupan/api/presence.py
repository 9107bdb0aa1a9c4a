"""The socket of a client: login, heartbeats and drafts (wire.md 8.1)."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from hupan.addresses import ClientOrigin, ClientResolver
from hupan.api.socket_relay import NORMAL_CLOSURE, SocketRelay, SocketRelays
from hupan.contract.pb.hupan_pb2 import DraftInput, SocketMessage
from hupan.contract.presence import SocketCommand, SocketDraft, SocketLogin
from hupan.domain.drafts import Drafts
from hupan.domain.presence import Connection, Presence
from hupan.errors import Banned, NotSignedIn, TooManyFromHere, TooManyTries
from hupan.logs import AuditLog
from hupan.metrics import IncrementMetric
from hupan.model import Caller, Headers, RequestContext, StoreUnavailable

SOCKET_PATH = "/ws"
INVALID_DATA_TEXT = "数据不合法".encode()
"""The answer to a failed login and to an invalid message; clients show it unchanged."""
MAX_FAILED_LOGINS = 3
MAX_INVALID_MESSAGES = 5
MAX_WAITING_COMMANDS = 32
HEARTBEAT_WAIT_SECONDS = 0.5
"""How long a heartbeat waits for a login: a client reconnects after a second without an answer."""
SESSION_ENDED, POLICY_VIOLATION, INTERNAL_ERROR, TRY_AGAIN_LATER = 4001, 1008, 1011, 1013
GOING_AWAY = 1001
"""Codes of closing frames."""
_OWN_COMMANDS = frozenset({"login", "heartbeat", "inputinfo"})
"""Never relayed, in any case: a message server could mistake them for real ones."""
_log = logging.getLogger("hupan.presence")
_decode_command = msgspec.json.Decoder(SocketCommand).decode
_decode_login = msgspec.json.Decoder(SocketLogin).decode
_decode_draft = msgspec.json.Decoder(SocketDraft).decode


class Socket(Protocol):
    """An open socket of the listener."""

    def confirm(self) -> None:
        """Lift the deadline of the login."""
        ...

    def send(self, data: bytes, *, is_optional: bool = False) -> None:
        """Send a binary message; an optional one is dropped if the peer is slow to read."""
        ...

    def send_text(self, text: bytes) -> None:
        """Send a text message."""
        ...

    @property
    def is_blocked(self) -> bool:
        """Whether the peer is slow to read."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Begin to close."""
        ...


class SocketGate:
    """Admits sockets within the bounds of this process, and counts them.

    Args:
        presence: connects those that log in.
        drafts: passes drafts on.
        client_resolver: resolves the client's address (security I10).
        audit_log: records tokens that were refused.
        count: counts what happens.
        next_request_id: numbers the logins in the log.
        max_sockets: the maximum number of sockets of this process.
        max_per_address: the maximum number of sockets per address; 0 means unlimited.
        relays: forward sockets to a message server; None without one (wire.md 8.5).
    """

    def __init__(
        self,
        presence: Presence,
        drafts: Drafts,
        client_resolver: ClientResolver,
        audit_log: AuditLog,
        count: IncrementMetric,
        next_request_id: Callable[[], int],
        *,
        max_sockets: int,
        max_per_address: int,
        relays: SocketRelays | None = None,
    ) -> None:
        self.presence = presence
        self.drafts = drafts
        self.relays = relays
        self.count = count
        self._client_resolver = client_resolver
        self._audit_log = audit_log
        self._next_request_id = next_request_id
        self._max_sockets = max_sockets
        self._max_per_address = max_per_address
        self._by_host: dict[str, int] = {}
        self.open_count = 0

    def open(self, headers: Headers, peer: str, socket: Socket) -> "ClientSocket | None":
        """Return the handler of a new socket; None beyond a bound."""
        origin = self._client_resolver.resolve_origin(
            RequestContext(0, "", english=False, headers=headers, peer=peer)
        )
        if self.open_count >= self._max_sockets or self._is_full(origin):
            self.count("sockets", "refused")
            return None
        self.open_count += 1
        self._by_host[origin.host] = self._by_host.get(origin.host, 0) + 1
        self.count("sockets", "opened")
        return ClientSocket(self, socket, origin)

    def leave(self, origin: ClientOrigin) -> None:
        """Forget a closed socket."""
        self.open_count -= 1
        left = self._by_host[origin.host] - 1
        if left:
            self._by_host[origin.host] = left
        else:
            del self._by_host[origin.host]

    def record_refusal(self, origin: ClientOrigin, refusal: Exception) -> None:
        """Record a token that was refused, as for a request."""
        context = RequestContext(
            self._next_request_id(), "", english=False, headers=[], peer=str(origin.address or "")
        )
        self._audit_log.record_token_refused(context, refusal)

    def _is_full(self, origin: ClientOrigin) -> bool:
        # A loopback address stands for all clients behind a proxy that the settings do not name.
        if not self._max_per_address or (origin.address and origin.address.is_loopback):
            return False
        return self._by_host.get(origin.host, 0) >= self._max_per_address


class ClientSocket:
    """The messages of one socket, and its account."""

    __slots__ = (
        "_connection",
        "_failed_logins",
        "_gate",
        "_invalid_messages",
        "_is_closing",
        "_is_login_slow",
        "_next_token",
        "_origin",
        "_relay",
        "_socket",
        "_task",
        "_timer",
        "_token",
        "_waiting",
    )

    def __init__(self, gate: SocketGate, socket: Socket, origin: ClientOrigin) -> None:
        self._gate = gate
        self._socket: Socket | None = socket
        self._origin = origin
        self._connection: Connection | None = None
        self._failed_logins = self._invalid_messages = 0
        self._is_closing = self._is_login_slow = False
        self._relay: SocketRelay | None = None
        self._token = b""  # only if it must not be forwarded
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._next_token: str | None = None
        self._waiting: list[bytes] = []

    def receive_text(self, text: bytes) -> None:
        """Process a command; anything but a JSON object is answered as invalid.

        While a login is looked up, commands wait: they are processed in order of arrival.
        Only heartbeats do not wait for long.
        """
        if self._task is None or len(self._waiting) >= MAX_WAITING_COMMANDS:
            self._take(text)
        elif not (self._is_login_slow and self._take_heartbeat(text)):
            self._waiting.append(text)
            if self._timer is None and not self._is_login_slow:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(HEARTBEAT_WAIT_SECONDS, self._take_heartbeats)

    def _take(self, text: bytes) -> None:
        try:
            command = _decode_command(text)
            if command.cmd == "heartbeat":
                self._acknowledge(_text(command.seq))
            elif command.cmd == "login":
                self._begin_login(_read_token(command.data))
            elif command.cmd == "inputInfo":
                self._pass_draft(_text(command.seq), command.data)
            elif self._relay is not None:
                self._hand_on(self._relay, command.cmd, text)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            self.receive_binary()

    def _take_heartbeats(self) -> None:
        """Answer the heartbeats that wait for a slow login."""
        self._timer, self._is_login_slow = None, True
        self._waiting = [text for text in self._waiting if not self._take_heartbeat(text)]

    def _take_heartbeat(self, text: bytes) -> bool:
        """Answer a heartbeat; return whether it was one."""
        try:
            command = _decode_command(text)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return False  # is refused in its turn
        if command.cmd == "heartbeat":
            self._acknowledge(_text(command.seq))
            return True
        return False

    def _hand_on(self, relay: SocketRelay, cmd: object, text: bytes) -> None:
        """Forward a command that is not ours to the message server, unless it has the token."""
        is_ours = not isinstance(cmd, str) or cmd.strip().lower() in _OWN_COMMANDS
        if not is_ours and self._token not in text.lower():
            relay.send(text)

    def receive_binary(self) -> None:
        """Answer a message that is no JSON object; some of them close the socket."""
        self._invalid_messages += 1
        self._refuse(self._invalid_messages >= MAX_INVALID_MESSAGES, "too many invalid messages")

    def connection_closed(self) -> None:
        """Forget the socket."""
        if self._socket is None:
            return
        self._socket, self._next_token, self._waiting = None, None, []
        self._gate.leave(self._origin)
        self._close_relay(GOING_AWAY, "the client is gone")
        self._disconnect()

    def deliver(self, message: bytes, *, is_text: bool) -> bool:
        """Send a message of the message server; return whether more may follow at once."""
        socket = self._socket
        if socket is None:
            return True
        if is_text:
            socket.send_text(message)
        else:
            socket.send(message)
        return not socket.is_blocked

    def resume_sending(self) -> None:
        """Let the message server send more: the client reads again."""
        if self._relay is not None:
            self._relay.resume()

    def relay_ended(self, code: int, reason: str) -> None:
        """Close it because the message server has closed or failed."""
        self._relay = None
        self._close(code, reason)

    def end(self) -> None:
        """Close it because its session has ended (security T6)."""
        self._close(SESSION_ENDED, "the session has ended")

    def give_way(self) -> None:
        """Close it because the account has too many sockets."""
        self._close(POLICY_VIOLATION, "too many sockets of this account")

    def pass_on(self, message: bytes) -> None:
        """Send a draft from another socket, unless the peer is slow."""
        if self._socket is not None:
            self._socket.send(message, is_optional=True)

    def _acknowledge(self, seq: str) -> None:
        if self._socket is not None:
            info = SocketMessage.Info(seq=seq, cmd="heartbeat_ack")
            self._socket.send(SocketMessage(info=info).SerializeToString())

    def _pass_draft(self, seq: str, data: msgspec.Raw) -> None:
        if self._connection is None:
            return
        try:
            draft = _decode_draft(data)
        except msgspec.MsgspecError:
            return
        info = SocketMessage.Info(seq=seq, cmd="draft_input")
        message = SocketMessage(info=info)
        chat = _text(draft.chat_id)
        message.data.Pack(DraftInput(chat_id=chat, input=_text(draft.input)))
        self._gate.drafts.pass_on(self._connection, chat, message.SerializeToString())

    def _begin_login(self, token: str) -> None:
        # One at a time: of those that do not fit into the queue, only the last one counts.
        self._next_token = token
        if self._task is None:
            self._task = asyncio.ensure_future(self._log_in())

    async def _log_in(self) -> None:
        try:
            while (token := self._next_token) is not None:
                self._next_token = None
                await self._try_login(token)
                self._note_login_done()
                while self._waiting and self._next_token is None:
                    self._take(self._waiting.pop(0))
        finally:
            self._note_login_done()
            self._task = None

    def _note_login_done(self) -> None:
        self._is_login_slow = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _try_login(self, token: str) -> None:
        callers: list[Caller] = []
        try:
            connection = await self._gate.presence.log_in(
                self, token, self._connection, callers.append
            )
        except (NotSignedIn, Banned) as refusal:
            self._gate.count("sockets", "login-refused")
            self._gate.record_refusal(self._origin, refusal)
            self._failed_logins += 1
            self._refuse(self._failed_logins >= MAX_FAILED_LOGINS, "too many failed logins")
        except StoreUnavailable:
            self._close(TRY_AGAIN_LATER, "the server is busy")
        except Exception:  # noqa: BLE001 - a socket must not stay as it is without a login
            _log.exception("a login on a socket failed")
            self._close(INTERNAL_ERROR, "")
        else:
            self._gate.count("sockets", "login")
            former, self._connection = self._connection, connection
            self._failed_logins = 0
            if self._socket is None or self._is_closing:  # meanwhile
                self._disconnect()
                return
            self._socket.confirm()
            is_same = former is not None and former.token_hash == connection.token_hash
            if self._gate.relays is not None and not (is_same and self._relay):
                self._open_relay(self._gate.relays, callers[0], token)

    def _open_relay(self, relays: SocketRelays, caller: Caller, token: str) -> None:
        """Forward the socket to the message server (wire.md 8.5)."""
        self._close_relay(NORMAL_CLOSURE, "another session")
        try:
            self._relay = relays.open(caller, self._origin, self)
        except (TooManyFromHere, TooManyTries):
            self._close(TRY_AGAIN_LATER, "too many sockets in a short time")
        else:
            self._token = token.lower().encode()

    def _close_relay(self, code: int, reason: str) -> None:
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.close(code, reason)

    def _refuse(self, is_last: bool, reason: str) -> None:
        if self._socket is not None:
            self._socket.send(INVALID_DATA_TEXT)
            if is_last:
                self._close(POLICY_VIOLATION, reason)

    def _close(self, code: int, reason: str) -> None:
        self._is_closing, self._next_token, self._waiting = True, None, []
        self._close_relay(code, reason)
        self._disconnect()
        if self._socket is not None:
            self._socket.close(code, reason)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._gate.presence.log_out(connection)


def _read_token(data: msgspec.Raw) -> str:
    """Return the token of a login, "" if there is none."""
    try:
        return _text(_decode_login(data).token)
    except msgspec.MsgspecError:
        return ""


def _text(value: object) -> str:
    """Return a text, or a number as text; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
