"""The socket of a client, relayed to a message server (wire.md 8.5, decision 37)."""

import contextlib
import hashlib
import hmac
import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support import pb
from tests.support.client import WireClient
from tests.support.ports import LOOPBACK, free_port
from tests.support.servers import Server
from tests.support.socket_servers import OpenedSocket, SocketServer, accept, raw_server
from tests.support.sockets import (
    BINARY,
    INVALID,
    TEXT,
    RawSocket,
    SocketClient,
    acknowledgement,
    frame,
)

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]

KEY = "a key that both servers share"
NORMAL, GOING_AWAY, POLICY, LATER, ENDED = 1000, 1001, 1008, 1013, 4001


def settings_for(url: str, timeout_seconds: int = 60) -> dict[str, str]:
    """Return the settings of a server in front of a message server."""
    return {
        "HUPAN_UPSTREAM_WS": url,
        "HUPAN_UPSTREAM_SECRET": KEY,
        "HUPAN_UPSTREAM_TIMEOUT_SECONDS": str(timeout_seconds),
    }


@pytest.fixture(scope="module")
def behind() -> Iterator[SocketServer]:
    """Yield a message server."""
    with SocketServer() as server:
        yield server


@pytest.fixture(scope="module")
def front(behind: SocketServer) -> Iterator[WireClient]:
    """Yield a client of a sandbox in front of it."""
    with (
        Server("sandbox", environment=settings_for(behind.url)) as server,
        WireClient(server) as wire,
    ):
        yield wire


@pytest.fixture
def port(front: WireClient) -> int:
    """Return the port of the sandbox."""
    return front.server.port


def signature(opened: OpenedSocket) -> str:
    """Compute the signature as docs/message-server.md describes it."""
    names = ("user-id", "time", "device-id", "nickname", "request-id")
    values = [opened.header(f"x-hupan-{name}") for name in names]
    text = "\n".join(["GET", opened.target, *values])
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_a_session_is_named_and_signed(front: WireClient, behind: SocketServer, port: int) -> None:
    """Id, nickname, device, time and request arrive as in a request; the token does not."""
    phone = front.fresh_phone()
    token = front.signed_in(phone, deviceId="a b/湖")
    with SocketClient(port).log_in(token) as client:
        opened = behind.next()
        assert opened.target == "/chat/ws?v=1"
        account = front.own_info(token).pb_data
        assert opened.header("x-hupan-user-id") == account.text(1)
        assert unquote(opened.header("x-hupan-nickname")) == account.text(2)
        assert unquote(opened.header("x-hupan-device-id")) == "a b/湖"
        assert opened.header("x-hupan-surface") == "app"
        assert opened.header("x-forwarded-for") == LOOPBACK
        assert opened.header("x-hupan-signature") == signature(opened)
        assert token not in repr(opened.headers)
        client.beat()


def test_commands_and_answers_pass(front: WireClient, behind: SocketServer, port: int) -> None:
    """Other commands arrive unchanged, in order; responses keep their frame type."""
    with SocketClient(port) as client:
        client.send("login", {"token": front.account().token})
        sent = [
            json.dumps({"seq": str(number), "cmd": "say", "data": {"text": "湖" * number}})
            for number in range(20)
        ]
        for text in sent:  # some of them before the connection to the message server
            client.connection.send(text)
        opened = behind.next()
        assert [opened.text() for _ in sent] == sent
        opened.connection.send(b"\x0a\x00")
        opened.connection.send("文本")
        opened.connection.send(["in ", "parts"])
        opened.connection.send(b"x" * 200_000)
        received = [client.connection.recv(timeout=20) for _ in range(4)]
        assert received == [b"\x0a\x00", "文本", "in parts", b"x" * 200_000]


def test_our_own_commands_stay_here(front: WireClient, behind: SocketServer, port: int) -> None:
    """Login, heartbeat, draft, look-alikes, junk and messages with the token are not relayed."""
    token = front.account().token
    with SocketClient(port).log_in(token) as client:
        opened = behind.next()  # each before the next login: sockets may overtake each other
        with SocketClient(port).log_in(token) as other:
            second = behind.next()
            client.beat()
            client.send("inputInfo", {"chatId": "c", "input": "x"})
            assert b"draft_input" in other.receive()
            for cmd, data in (
                ("Login", {"token": "other"}),
                (" heartbeat", {}),
                (7, {}),
                ("say", {"token": token.upper()}),
            ):
                client.connection.send(json.dumps({"seq": "1", "cmd": cmd, "data": data}))
            for junk in ("[]", b"{}"):
                client.connection.send(junk)
                assert client.receive() == INVALID
            client.send("say", {"last": True})
            assert json.loads(opened.text())["data"] == {"last": True}
            assert second.texts.empty()


def test_nothing_arrives_without_a_login(
    front: WireClient, behind: SocketServer, port: int
) -> None:
    """Nothing arrives before a login, nor after a failed one."""
    with SocketClient(port) as client:
        client.send("say", {"early": True})
        client.send("login", {"token": "wrong"})
        assert client.receive() == INVALID
        client.send("say", {"early": True})
        client.log_in(front.account().token)
        opened = behind.next()
        client.send("say", {"early": False})
        assert json.loads(opened.text())["data"] == {"early": False}


def test_another_login_opens_another_socket(
    front: WireClient, behind: SocketServer, port: int
) -> None:
    """The same session keeps its socket at the message server; another one gets its own."""
    first, second = front.account(), front.account()
    with SocketClient(port).log_in(first.token) as client:
        opened = behind.next()
        client.log_in(first.token)
        client.send("say", {})
        opened.text()
        client.log_in(second.token)
        assert opened.closed() == NORMAL
        assert behind.next().header("x-hupan-user-id") == second.id
        client.beat()
    assert behind.opened.empty()


def test_the_end_of_a_session_closes_both_sides(
    front: WireClient, behind: SocketServer, port: int
) -> None:
    """Both get the same code (security T6); a client that disconnects closes the other side."""
    staying, leaving = front.account().token, front.account().token
    with SocketClient(port).log_in(staying) as client:
        opened = behind.next()
        gone = RawSocket(port)
        login = json.dumps({"seq": "1", "cmd": "login", "data": {"token": leaving}})
        gone.send(frame(TEXT, login.encode()))
        left = behind.next()
        gone.connection.close()
        assert left.closed() == GOING_AWAY
        assert front.post("user/logout", token=staying).code == 1
        assert (client.closed(), opened.closed()) == (ENDED, ENDED)


@pytest.mark.parametrize(
    ("code", "told"), [(1000, 1000), (4002, 4002), (4001, LATER), (1011, LATER), (1001, LATER)]
)
def test_a_message_server_closes(
    front: WireClient, behind: SocketServer, port: int, code: int, told: int
) -> None:
    """Its last messages arrive; it cannot claim that a session has ended."""
    with SocketClient(port).log_in(front.account().token) as client:
        opened = behind.next()
        opened.connection.send("bye")
        opened.connection.close(code, "again")
        assert client.connection.recv(timeout=20) == "bye"
        assert client.closed() == told


def hang_up(connection: socket.socket, _head: bytes) -> None:
    """Close at once."""
    connection.close()


def say_nothing(_connection: socket.socket, _head: bytes) -> None:
    """Leave the connection open."""


def refuse(connection: socket.socket, _head: bytes) -> None:
    """Answer as to any request."""
    connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno")


def lie(connection: socket.socket, head: bytes) -> None:
    """Accept with a wrong key."""
    connection.sendall(accept(head).replace(b"accept: ", b"accept: x"))


def pour_head(connection: socket.socket, _head: bytes) -> None:
    """Begin to accept, and never end."""
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
    while True:
        connection.sendall(b"x-a: b\r\n" * 1000)


def garbage(connection: socket.socket, head: bytes) -> None:
    """Send an invalid frame."""
    connection.sendall(accept(head) + b"\xff" * 1000)


def masked(connection: socket.socket, head: bytes) -> None:
    """Send a masked frame, as only a client may."""
    connection.sendall(accept(head) + frame(TEXT, b"x"))


def no_utf8(connection: socket.socket, head: bytes) -> None:
    """Send invalid UTF-8 as text."""
    connection.sendall(accept(head) + frame(TEXT, b"\xff", mask=b""))


def oversized(connection: socket.socket, head: bytes) -> None:
    """Announce a huge frame."""
    connection.sendall(accept(head) + b"\x82\x7f" + (1 << 40).to_bytes(8) + b"x" * 100)


def endless(connection: socket.socket, head: bytes) -> None:
    """Begin a message and never end it."""
    connection.sendall(accept(head) + frame(BINARY, b"x" * 1000, is_last=False, mask=b""))
    while True:
        connection.sendall(frame(0, b"x" * 1000, is_last=False, mask=b"") * 16)


SCRIPTS = [
    *(hang_up, say_nothing, refuse, lie, pour_head),
    *(garbage, masked, no_utf8, oversized, endless),
]


Script = Callable[[socket.socket, bytes], None]


def behind_scripts(timeout_seconds: int) -> Iterator[tuple[WireClient, list[Script]]]:
    """Run a sandbox in front of a message server that runs the last script of a list."""
    scripts: list[Script] = []

    def run_last(connection: socket.socket, head: bytes) -> None:
        scripts[-1](connection, head)

    with (
        raw_server(run_last) as url,
        Server("sandbox", environment=settings_for(url, timeout_seconds)) as server,
        WireClient(server) as wire,
    ):
        yield wire, scripts


@pytest.fixture(scope="module")
def hostile() -> Iterator[tuple[WireClient, list[Script]]]:
    """Yield a client of a sandbox that waits for a message server for a second."""
    yield from behind_scripts(1)


@pytest.fixture(scope="module")
def slow() -> Iterator[tuple[WireClient, list[Script]]]:
    """Yield the same with a time limit for a busy machine."""
    yield from behind_scripts(60)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_hostile_message_server(
    hostile: tuple[WireClient, list[Script]],
    script: Script,
) -> None:
    """If it misbehaves instead of accepting sockets, clients are closed with "try later"."""
    wire, scripts = hostile
    scripts.append(script)
    token = wire.account().token
    with SocketClient(wire.server.port) as client:
        client.send("login", {"token": token})
        assert client.closed() == LATER
    assert wire.own_info(token).code == 1
    assert "Traceback" not in wire.server.output()


def test_a_client_that_reads_nothing(
    slow: tuple[WireClient, list[Script]],
) -> None:
    """The message server is read only as fast as its client reads, and nothing is lost."""
    wire, scripts = slow
    blocked, released = threading.Event(), threading.Event()
    sent: list[int] = []

    def flood(connection: socket.socket, head: bytes) -> None:
        connection.sendall(accept(head))
        connection.settimeout(1)
        for number in range(4096):
            part = frame(BINARY, number.to_bytes(2) * 30_000, mask=b"")
            try:
                connection.sendall(part)
            except TimeoutError:
                break
            sent.append(number)
        blocked.set()
        released.wait(20)

    scripts.append(flood)
    with RawSocket(wire.server.port) as client:
        login = json.dumps({"seq": "1", "cmd": "login", "data": {"token": wire.account().token}})
        client.send(frame(TEXT, login.encode()))
        assert blocked.wait(60)
        assert 0 < len(sent) < 1024  # the kernel's buffer, and little of ours
        for number in sent:
            assert client.receive() == (BINARY, number.to_bytes(2) * 30_000)
        released.set()


def test_one_that_goes_on_talking(
    slow: tuple[WireClient, list[Script]],
) -> None:
    """Once the client is gone its connection ends, even without a closing handshake."""
    wire, scripts = slow
    ended = threading.Event()

    def talk_on(connection: socket.socket, head: bytes) -> None:
        connection.sendall(accept(head))
        with contextlib.suppress(OSError):
            while not ended.wait(0.1):
                connection.sendall(frame(BINARY, b"x", mask=b""))
        ended.set()

    scripts.append(talk_on)
    try:
        with SocketClient(wire.server.port) as client:
            client.send("login", {"token": wire.account().token})
            assert client.receive() == b"x"
        assert ended.wait(30)
    finally:
        ended.set()


def test_one_that_reads_nothing(
    slow: tuple[WireClient, list[Script]],
) -> None:
    """The queue to it is bounded; above the limit the client is closed with "try later"."""
    wire, scripts = slow
    scripts.append(lambda connection, head: connection.sendall(accept(head)))
    with RawSocket(wire.server.port) as client:
        login = json.dumps({"seq": "1", "cmd": "login", "data": {"token": wire.account().token}})
        client.send(frame(TEXT, login.encode()))
        said = frame(TEXT, json.dumps({"cmd": "say", "data": "x" * 15_000}).encode())
        for _ in range(4000):
            if select.select([client.connection], [], [], 0)[0]:
                break  # it is closing, and may refuse more
            client.send(said)
        assert client.close_code() == LATER


def test_one_that_is_gone(tmp_path: Path) -> None:
    """Without a listener heartbeats are answered until the client is closed."""
    url = f"ws://{LOOPBACK}:{free_port()}/ws"
    arguments = ("--data-dir", str(tmp_path))
    with (
        Server("sandbox", *arguments, environment=settings_for(url)) as server,
        WireClient(server) as wire,
        SocketClient(server.port) as client,
    ):
        client.send("heartbeat", seq="a")
        assert client.receive() == acknowledgement("a")
        client.send("login", {"token": wire.account().token})
        assert client.closed() == LATER
        assert "a socket was not forwarded" in server.output()


def test_a_server_that_stops(behind: SocketServer) -> None:
    """Both sides get the code for going away."""
    with Server("sandbox", environment=settings_for(behind.url)) as server:
        with WireClient(server) as wire:
            client = SocketClient(server.port).log_in(wire.account().token)
        opened = behind.next()
        os.kill(server.process.pid, signal.SIGTERM)
        assert client.closed() == GOING_AWAY
        assert opened.closed() == GOING_AWAY
        deadline = time.monotonic() + 20
        while server.process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_true_stands_for_the_path_of_the_message_server() -> None:
    """`upstream_ws = true` means /ws of `upstream`."""
    seen: list[bytes] = []

    def note(connection: socket.socket, head: bytes) -> None:
        seen.append(head.split(b"\r\n")[0])
        connection.sendall(accept(head) + frame(BINARY, pb.text(1, "x"), mask=b""))

    with raw_server(note) as url:
        upstream = url.replace("ws:", "http:").removesuffix("/ws")
        environment = {**settings_for("true"), "HUPAN_UPSTREAM": upstream}
        with Server("sandbox", environment=environment) as server, WireClient(server) as wire:
            client = SocketClient(server.port)
            client.send("login", {"token": wire.account().token})
            assert client.receive() == pb.text(1, "x")
            client.connection.close()
    assert seen == [b"GET /ws HTTP/1.1"]
