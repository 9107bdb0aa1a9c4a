"""The socket `/ws` without network: what is sent, and how messages are read (wire.md 8.1)."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Struct

from hupan_client.core import ServerUrl
from hupan_client.errors import SocketRefused, UnreadableAnswer
from hupan_client.protobuf import NotProtobuf, decode_message

INVALID_DATA = "数据不合法".encode()
"""The frame that answers a login with a wrong token, and an invalid message."""
HEARTBEAT_SECONDS = 20.0
SESSION_ENDED = 4001
NORMAL_CLOSURE, NO_CLOSURE = 1000, 1006
DRAFT, HEARTBEAT_ACK = "draft_input", "heartbeat_ack"


@dataclass(frozen=True, slots=True)
class HeartbeatAck:
    """The server answers a heartbeat that the caller sent."""

    seq: str


@dataclass(frozen=True, slots=True)
class Draft:
    """Another device of the account writes to a conversation."""

    seq: str
    chat_id: str
    input: str


@dataclass(frozen=True, slots=True)
class OtherMessage:
    """A message of a kind that this version does not know, such as those of a message server.

    Attributes:
        data: the bytes of what `type_url` names.
    """

    seq: str
    cmd: str
    type_url: str
    data: bytes


SocketMessage: TypeAlias = HeartbeatAck | Draft | OtherMessage


class HiddenText(str):
    """A text with a token in it, which `repr` hides."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


class _Info(Struct, frozen=True):
    seq: Annotated[str, 1] = ""
    cmd: Annotated[str, 2] = ""


class _Any(Struct, frozen=True):
    type_url: Annotated[str, 1] = ""
    value: Annotated[bytes, 2] = b""


class _Frame(Struct, frozen=True):
    info: Annotated[_Info | None, 1] = None
    data: Annotated[_Any | None, 2] = None


class _DraftInput(Struct, frozen=True):
    chat_id: Annotated[str, 1] = ""
    input: Annotated[str, 2] = ""


def socket_url(url: ServerUrl) -> str:
    """Return where the socket of a server is."""
    scheme, rest = url.text.split("://", 1)
    return f"{'wss' if scheme.lower() == 'https' else 'ws'}://{rest}/ws"


class SocketCore:
    """Numbers what is sent, reads what comes, and knows when the next heartbeat is due.

    Args:
        heartbeat_seconds: between heartbeats; the server closes a socket after 90 s of silence.
    """

    def __init__(self, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._heartbeat_seconds = heartbeat_seconds
        self._last_seq = 0
        self._due_at = 0.0
        self._unanswered = ""

    def login(self, token: str, device_id: str, platform: str, user_id: str) -> str:
        """Return the message that logs in; the token alone identifies the account."""
        data = {
            "userId": user_id,
            "token": token,
            "platform": platform,
            "deviceId": device_id,
        }
        return HiddenText(self._message("login", data)[1])

    def draft(self, chat_id: str, text: str, device_id: str) -> str:
        """Return the message that shows a draft to the account's other devices."""
        data = {"chatId": chat_id, "input": text, "deviceId": device_id}
        return self._message("inputInfo", data)[1]

    def heartbeat(self) -> tuple[str, str]:
        """Return the seq and the message of a heartbeat that the caller asks for."""
        return self._message("heartbeat", {})

    def seconds_left(self, now: float) -> float:
        """Return how long the next heartbeat may wait."""
        return max(0.0, self._due_at - now)

    def beat(self, now: float) -> str | None:
        """Return the heartbeat that is due; None if the one before it was not answered."""
        if self._unanswered:
            return None
        self._due_at = now + self._heartbeat_seconds
        self._unanswered, message = self.heartbeat()
        return message

    def start(self, now: float) -> None:
        """Begin to count the time between heartbeats."""
        self._due_at = now + self._heartbeat_seconds

    def read(self, frame: bytes | str) -> SocketMessage | None:
        """Return the message in a frame; None for the answer to a heartbeat that was due.

        Raises:
            SocketRefused: the server did not accept a message.
            UnreadableAnswer: the frame is no message.
        """
        if isinstance(frame, str) or frame == INVALID_DATA:
            raise SocketRefused("the server did not accept the token or a message")
        try:
            message = decode_message(_Frame, frame)
            info = message.info or _Info()
            if info.cmd == HEARTBEAT_ACK:
                return self._acknowledged(info.seq)
            data = message.data or _Any()
            if info.cmd == DRAFT:
                draft = decode_message(_DraftInput, data.value)
                return Draft(info.seq, draft.chat_id, draft.input)
        except NotProtobuf as error:
            msg = f"a message on the socket is not the contract's: {error}"
            raise UnreadableAnswer(msg) from None
        return OtherMessage(info.seq, info.cmd, data.type_url, data.value)

    def _acknowledged(self, seq: str) -> HeartbeatAck | None:
        if seq != self._unanswered:
            return HeartbeatAck(seq)
        self._unanswered = ""
        return None

    def _message(self, cmd: str, data: dict[str, str]) -> tuple[str, str]:
        self._last_seq += 1
        seq = str(self._last_seq)
        return seq, msgspec.json.encode({"seq": seq, "cmd": cmd, "data": data}).decode()
