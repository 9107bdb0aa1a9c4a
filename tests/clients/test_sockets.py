"""The socket of the client, synchronous and asynchronous (wire.md 8.1)."""

import asyncio
import contextlib
import logging

import pytest
from hupan_client import AsyncSocket, Socket
from hupan_client.core import ServerUrl
from hupan_client.errors import (
    ConnectionFailed,
    SessionEnded,
    SocketClosed,
    SocketRefused,
    UnreadableAnswer,
)
from hupan_client.links import is_redirected
from hupan_client.sockets import Draft, HeartbeatAck, OtherMessage, SocketCore, SocketMessage
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tests.support.both_clients import KINDS, Kind, make_sandbox
from tests.support.servers import Server

TOKEN = "0f0e0d0c-0b0a-4908-8706-050403020100"


def test_golden_messages() -> None:
    """What the client sends is the JSON of the contract."""
    core = SocketCore()
    assert core.login("t", "d", "linux", "1") == (
        '{"seq":"1","cmd":"login","data":'
        '{"userId":"1","token":"t","platform":"linux","deviceId":"d"}}'
    )
    assert core.heartbeat() == ("2", '{"seq":"2","cmd":"heartbeat","data":{}}')
    assert core.draft("9", "湖", "d") == (
        '{"seq":"3","cmd":"inputInfo","data":{"chatId":"9","input":"湖","deviceId":"d"}}'
    )


def test_golden_frames() -> None:
    """Frames are read by field number, and an unknown message is passed on unchanged."""
    core = SocketCore()
    assert core.read(bytes.fromhex("0a120a0133120d6865617274626561745f61636b")) == HeartbeatAck("3")
    draft = "0a100a0137120b64726166745f696e707574"
    data = "12100a03742f6412090a01311204e6b996" + "21"
    assert core.read(bytes.fromhex(draft + data)) == Draft("7", "1", "湖!")
    other = "0a0b0a01371206707573685f6d" + "12090a03742f6412020801"
    assert core.read(bytes.fromhex(other)) == OtherMessage("7", "push_m", "t/d", b"\x08\x01")


@pytest.mark.parametrize("frame", ["数据不合法", "数据不合法".encode()])
def test_what_was_not_accepted(frame: bytes | str) -> None:
    """The server's text is an error, in either kind of frame."""
    with pytest.raises(SocketRefused):
        SocketCore().read(frame)


@pytest.mark.parametrize("frame", [b"\xff", b"\x0a\x05", b"\x0a\x01\x0a", b"\x08\x01"])
def test_garbage(frame: bytes) -> None:
    """Bytes that are no message have an error of their own."""
    with pytest.raises(UnreadableAnswer):
        SocketCore().read(frame)


def test_heartbeats_are_counted() -> None:
    """One is due after its interval; none is sent before the previous one was answered."""
    core = SocketCore(heartbeat_seconds=20)
    core.start(100)
    assert core.seconds_left(105) == 15
    assert core.beat(120) == '{"seq":"1","cmd":"heartbeat","data":{}}'
    assert core.seconds_left(125) == 15
    assert core.beat(140) is None
    assert core.read(bytes.fromhex("0a120a0131120d6865617274626561745f61636b")) is None
    assert core.beat(160) is not None


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return which of the two clients a test uses."""
    kind: Kind = request.param
    return kind


async def draft_between(one: AsyncSocket, other: AsyncSocket) -> Draft:
    """Send drafts until the other device gets one: then both are logged in."""
    for _ in range(300):
        await one.send_draft("9", "湖")
        with contextlib.suppress(TimeoutError):
            message = await other.receive(0.1)
            if isinstance(message, Draft):
                return message
    raise AssertionError("no draft arrived")


async def test_two_devices(kind: Kind, sandbox: Server) -> None:
    """A heartbeat is answered, and a draft reaches the other device."""
    async with make_sandbox(kind, sandbox.url) as driver:
        client = driver.client(await driver.accounts.create(device_id="one"))
        async with client.socket(device_id="one", platform="linux") as socket:
            seq = await socket.send_heartbeat()
            assert await socket.receive(10) == HeartbeatAck(seq)
            async with client.socket(device_id="two") as other:
                draft = await draft_between(socket, other)
                assert (draft.chat_id, draft.input) == ("9", "湖")


@pytest.mark.slow
async def test_the_end_of_a_session(kind: Kind, sandbox: Server) -> None:
    """A sign-out ends the sockets with a separate error, and a wrong token is refused."""
    async with make_sandbox(kind, sandbox.url) as driver:
        client = driver.client(await driver.accounts.create())
        async with client.socket() as socket, client.socket() as other:
            await draft_between(socket, other)
            await client.logout()
            with pytest.raises(SessionEnded):
                await socket.receive(30)
        with pytest.raises(SocketClosed, match="not open"):
            await socket.receive(1)
        client.token = TOKEN
        async with client.socket() as socket:
            with pytest.raises(SocketRefused):
                await socket.receive(30)


async def test_heartbeats_go_by_themselves(kind: Kind) -> None:
    """They are sent while `receive` waits; a server that does not answer them counts as gone."""
    beats: list[str | bytes] = []

    async def silent(connection: ServerConnection) -> None:
        beats.extend([message async for message in connection])

    async with serve(silent, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match="heartbeats"):
            await receive_one(kind, url)
    assert len(beats) == 2
    assert '"heartbeat"' in str(beats[1])


async def receive_one(kind: Kind, url: str) -> object:
    """Open a socket and return the first message."""
    if kind == "async":
        async with AsyncSocket(url, TOKEN, heartbeat_seconds=0.05) as socket:
            return await socket.receive()

    def receive() -> object:
        with Socket(url, TOKEN, heartbeat_seconds=0.05) as socket:
            return socket.receive()

    return await asyncio.to_thread(receive)


async def test_a_loop_ends_with_the_socket(kind: Kind) -> None:
    """The loop yields each message, and ends when the server closes normally."""
    frame = bytes.fromhex("0a0b0a01371206707573685f6d")

    async def send_two(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(frame)
        await connection.send(frame)
        await connection.close(1000)

    async with serve(send_two, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await receive_all(kind, url) == [OtherMessage("7", "push_m", "", b"")] * 2


async def receive_all(kind: Kind, url: str) -> list[SocketMessage]:
    """Return the messages of a loop over a socket."""
    if kind == "async":
        async with AsyncSocket(url, TOKEN) as socket:
            return [message async for message in socket]

    def receive() -> list[SocketMessage]:
        with Socket(url, TOKEN) as socket:
            return list(socket)

    return await asyncio.to_thread(receive)


async def test_redirects_are_not_followed(kind: Kind) -> None:
    """The token goes only to the named server."""
    received: list[str | bytes] = []

    async def accept(connection: ServerConnection) -> None:
        received.extend([message async for message in connection])

    async with serve(accept, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]

        def redirect(_connection: ServerConnection, _request: Request) -> Response:
            return Response(302, "Found", Headers(Location=f"ws://127.0.0.1:{port}/ws"))

        async with serve(accept, "127.0.0.1", 0, process_request=redirect) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(ConnectionFailed, match="redirects"):
                await receive_one(kind, url)
    assert received == []


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("http://127.0.0.1:8480", "127.0.0.1:8480", "/ws"),
        ("http://example.com:80", "example.com", "/ws"),
        ("https://example.com", "example.com", "/ws"),
        ("https://[::1]:8443/sub", "[::1]:8443", "/sub/ws"),
    ],
)
def test_is_redirected(url: str, host: str, path: str) -> None:
    """Only a request to the host and path of the URL counts as not redirected."""
    server = ServerUrl(url)
    assert not is_redirected(Request(path, Headers(Host=host)), server)
    assert is_redirected(Request("/", Headers(Host=host)), server)
    assert is_redirected(Request(path, Headers(Host=f"{host}.example.org")), server)
    assert is_redirected(None, server)


async def test_a_token_is_in_no_log(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the program nor the library's frame log has a token."""
    caplog.set_level(logging.DEBUG)

    async def close(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(1000)

    apart = logging.Logger("apart")  # noqa: LOG001 - the server's log is not tested here
    async with serve(close, "127.0.0.1", 0, logger=apart) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(SocketClosed) as closed:
            await receive_one(kind, url)
    assert closed.value.code == 1000
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(AsyncSocket(url, TOKEN))
