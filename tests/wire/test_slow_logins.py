"""A slow login on a socket: which messages wait for it (wire.md 8.1)."""

import asyncio
import json
from collections.abc import Callable
from typing import cast

import pytest

from hupan.addresses import ClientResolver
from hupan.api import presence as sockets
from hupan.api.presence import ClientSocket, SocketGate
from hupan.domain.drafts import Drafts
from hupan.domain.presence import Connection, Link, Presence
from hupan.logs import AuditLog
from hupan.metrics import ignore_metric
from hupan.model import AccountId, Caller
from tests.support.sockets import INVALID, acknowledgement

pytestmark = pytest.mark.one_engine


class SlowPresence:
    """A presence service that handles a login only when the test says so."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.tokens: list[str] = []

    async def log_in(
        self,
        link: Link,
        token: str,
        _replaced: Connection | None,
        _on_caller: Callable[[Caller], object],
    ) -> Connection:
        """Wait, and then connect."""
        self.tokens.append(token)
        await self.may_go_on.wait()
        return Connection(link, AccountId(1), token.encode(), len(self.tokens))

    def log_out(self, connection: Connection) -> None:
        """Do nothing."""


class Peer:
    """The messages that a client gets."""

    is_blocked = False

    def __init__(self) -> None:
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()

    def confirm(self) -> None:
        """Do nothing."""

    def send(self, data: bytes, *, is_optional: bool = False) -> None:
        """Record a message."""
        assert not is_optional
        self.sent.put_nowait(data)

    def send_text(self, text: bytes) -> None:
        """Record a message."""
        self.sent.put_nowait(text)

    def close(self, code: int, reason: str) -> None:
        """Fail: no test closes the socket."""
        raise AssertionError(code, reason)


def command(cmd: str, seq: str, **data: str) -> bytes:
    """Return a text frame's content."""
    return json.dumps({"seq": seq, "cmd": cmd, "data": data}).encode()


def opened(presence: SlowPresence, peer: Peer) -> ClientSocket:
    """Return a socket with a gated login."""
    gate = SocketGate(
        cast("Presence", presence),
        cast("Drafts", None),
        ClientResolver((), ""),
        cast("AuditLog", None),
        ignore_metric,
        lambda: 1,
        max_sockets=1,
        max_per_address=0,
    )
    socket = gate.open([], "192.0.2.1", peer)
    assert socket is not None
    return socket


async def test_heartbeats_are_answered_while_a_login_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client reconnects without a response within a second; other messages keep their order."""
    monkeypatch.setattr(sockets, "HEARTBEAT_WAIT_SECONDS", 0.01)
    presence, peer = SlowPresence(), Peer()
    socket = opened(presence, peer)
    for text in (command("login", "1", token="a"), command("heartbeat", "2"), b"junk"):
        socket.receive_text(text)
    assert await asyncio.wait_for(peer.sent.get(), 20) == acknowledgement("2")
    socket.receive_text(command("heartbeat", "3"))  # the next one at once
    assert peer.sent.get_nowait() == acknowledgement("3")
    socket.receive_text(command("login", "4", token="b"))
    assert peer.sent.empty()
    presence.may_go_on.set()
    assert await asyncio.wait_for(peer.sent.get(), 20) == INVALID
    socket.receive_text(command("heartbeat", "5"))
    assert await asyncio.wait_for(peer.sent.get(), 20) == acknowledgement("5")
    assert presence.tokens == ["a", "b"]
    socket.connection_closed()


async def test_a_heartbeat_behind_a_quick_login_keeps_its_place() -> None:
    """It is answered after the login, because a client may use it as the confirmation."""
    presence, peer = SlowPresence(), Peer()
    socket = opened(presence, peer)
    socket.receive_text(command("login", "1", token="a"))
    socket.receive_text(command("heartbeat", "2"))
    assert peer.sent.empty()
    presence.may_go_on.set()
    assert await asyncio.wait_for(peer.sent.get(), 20) == acknowledgement("2")
    socket.connection_closed()
