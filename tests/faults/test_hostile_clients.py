"""Slow sockets, many sockets, ambiguous requests, bombs: good clients are served (R22)."""

import contextlib
import gzip
import json
import resource
import select
import socket
import time
from collections.abc import Iterator

import pytest

from tests.soak.body import size
from tests.support import pb
from tests.support.client import WireClient
from tests.support.code_requests import until
from tests.support.fault_clients import accepted, connect, post, rest
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

OF_EACH_KIND = 100
FILES, SOCKETS = 256, 2_000
BOMBED_MIB = 20
GOOD = 40
DRIP_SECONDS = 0.2
JSON_PATHS = ("user/email-login", "user/save-user-data", "user/save-user-remarks", "user/recommend")
KINDS = {
    "silent": b"",
    "half a head": b"GET /v1/user/info HTTP/1.1\r\nhost: a\r\nx: ",
    "half a body": b"POST /v1/user/medal HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1",
    "endless chunks": b"POST /v1/user/medal HTTP/1.1\r\nhost: a\r\n"
    b"transfer-encoding: chunked\r\n\r\n",
}


@contextlib.contextmanager
def files(most: int) -> Iterator[None]:
    """Limit the open files of a process that is started meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def closed(sockets: list[socket.socket]) -> int:
    """Return how many of them the server has closed."""
    poll = select.poll()
    for one in sockets:
        poll.register(one, select.POLLIN | select.POLLRDHUP)
    ended = select.POLLRDHUP | select.POLLHUP | select.POLLERR
    return sum(bool(event & ended) for _, event in poll.poll(0))


def drip(sockets: list[socket.socket], piece: bytes) -> None:
    """Send a little more on each open connection."""
    for one in sockets:
        with contextlib.suppress(OSError):
            one.sendall(piece)


def test_slow_sockets_block_no_request(own_wire: WireClient) -> None:
    """Four hundred sockets of four slow kinds are ended, and good requests are answered."""
    server, account = own_wire.server, own_wire.account()
    base = size(server.process.pid).descriptors
    with contextlib.ExitStack() as opened:
        slow = {
            kind: [opened.enter_context(connect(server.port)) for _ in range(OF_EACH_KIND)]
            for kind in KINDS
        }
        for kind, sockets in slow.items():
            drip(sockets, KINDS[kind])
        everybody = [one for sockets in slow.values() for one in sockets]
        until(lambda: accepted(server.port) >= len(everybody))
        for _ in range(GOOD):
            assert own_wire.own_info(account.token).code == 1

        def all_ended() -> bool:
            time.sleep(DRIP_SECONDS)
            drip(slow["half a head"], b"y")
            drip(slow["half a body"], b"")
            drip(slow["endless chunks"], b"1\r\ny\r\n")
            assert own_wire.own_info(account.token).code == 1
            return closed(everybody) == len(everybody)

        until(all_ended)
    until(lambda: size(server.process.pid).descriptors <= base + 2)


@pytest.mark.parametrize("said", [b"", KINDS["half a head"], KINDS["half a body"]])
def test_two_thousand_sockets_and_few_files(said: bytes) -> None:
    """A process limited to 256 files gets 2,000 sockets, and still answers requests."""
    with contextlib.ExitStack() as opened:
        with files(FILES):
            server = opened.enter_context(Server("sandbox"))
        wire = opened.enter_context(WireClient(server, is_kept=False))
        token = wire.account().token
        for number in range(SOCKETS):
            peer = opened.enter_context(connect(server.port))
            with contextlib.suppress(OSError):  # it was already closed to free a slot
                peer.sendall(said)
            if number % (SOCKETS // GOOD) == 0:
                assert wire.own_info(token).code == 1
        assert size(server.process.pid).descriptors <= FILES
        assert wire.own_info(token).code == 1


def test_accepting_survives_a_full_table(own_wire: WireClient) -> None:
    """When no file can be opened, connections wait or end; then all is as before."""
    server = own_wire.server
    pid, token = server.process.pid, own_wire.account().token
    own_wire.own_info(token)
    base = size(pid).descriptors
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (base + 10, before[1]))
    with contextlib.ExitStack() as opened:
        for _ in range(100):
            opened.enter_context(connect(server.port))
        until(lambda: size(pid).descriptors >= base + 9)
    until(lambda: size(pid).descriptors <= base + 2)
    assert own_wire.own_info(token).code == 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert server.is_running


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("POST /v1/user/medal", b"content-length: 3\r\ntransfer-encoding: chunked\r\n", 400),
        ("POST /v1/user/medal", b"content-length: 3\r\ncontent-length: 0\r\n", 400),
        ("POST /v1/user/medal", b"transfer-encoding: chunked, gzip\r\n", 400),
        ("POST /v1/user/medal", b"transfer-encoding : chunked\r\n", 400),
        ("TRACE /v1/user/info", b"content-length: 0\r\n", 404),
        ("CONNECT a:443", b"", 400),
        ("PUT /v1/user/info", b"content-length: 0\r\n", 404),
        ("DELETE /v1/user/info", b"", 404),
        ("PATCH /v1/user/info", b"", 404),
        ("HEAD /v1/user/info", b"", 404),
    ],
)
def test_doubtful_requests_are_refused(
    wire: WireClient, request_line: str, headers: bytes, status: int
) -> None:
    """Two lengths and odd methods are refused, and the hidden request is not read (I9)."""
    hidden = b"GET /v1/user/info HTTP/1.1\r\nhost: a\r\n\r\n" if status == 400 else b""
    with connect(wire.server.port) as connection:
        head = f"{request_line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n".encode() + headers
        connection.sendall(head + b"\r\n" + (b"0\r\n\r\n" + hidden if hidden else b""))
        answer = rest(connection)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert answer.count(b"HTTP/1.1 ") == 1


def deep(opening: str, bytes_long: int) -> bytes:
    """Return unclosed brackets."""
    return (opening * (bytes_long // len(opening))).encode()


def bombs() -> dict[str, bytes]:
    """Return bodies that cost a careless parser its memory, its time or its life."""
    zeros = gzip.compress(bytes(4 << 20))
    many = json.dumps({f"k{n}": n for n in range(4_000)}).encode()
    return {
        "10 KB of [": deep("[", 10_000),
        "60 KB of [": deep("[", 60_000),
        '60 KB of {"a":': deep('{"a":', 60_000),
        "60 KB of [{": b'{"introduction":' + deep('[{"a":', 60_000),
        "a number of 60,000 digits": b'{"gender":' + b"9" * 60_000 + b"}",
        "a great exponent": b'{"gender":1e999999999}',
        "many keys": many[:60_000],
        "one key again and again": b"{" + b'"gender":1,' * 5_000 + b'"gender":1}',
        "gzip": zeros,
    }


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_is_one_refusal(wire: WireClient, name: str) -> None:
    """Each bomb at each kind of route gets a valid response, and no memory is kept (I1, I3, I4)."""
    server, token = wire.server, wire.account().token
    body = bombs()[name]
    wire.post("user/save-user-data", {"gender": 1}, token=token)
    before = size(server.process.pid)
    for _ in range(5):
        for path in JSON_PATHS:
            for encoding in ({}, {"content-encoding": "gzip"}):
                answer = wire.post(path, body, token=token, headers=encoding)
                assert answer.code in {1, 1100}
                assert answer.headers["x-result"] in {"ok", "refused"}
    after = size(server.process.pid)
    assert after.resident_kib - before.resident_kib <= BOMBED_MIB * 1024
    assert wire.own_info(token).code == 1


def test_a_bomb_of_messages(wire: WireClient) -> None:
    """Nested empty messages: 16 KiB are parsed without memory, 1 MiB is not parsed (I6)."""
    server, token = wire.server, wire.account().token
    before = size(server.process.pid)
    for body, status in (
        (pb.delimited(7, b"") * 8_000, 200),
        (pb.delimited(7, b"") * 524_288, 413),
    ):
        for path in ("user/get-user", "user/edit-nickname", "user/edit-avatar"):
            with connect(server.port) as connection:
                connection.sendall(post(path, body, token, close=True)[0])
                with contextlib.suppress(ConnectionError):
                    connection.sendall(body)
                assert rest(connection).startswith(f"HTTP/1.1 {status} ".encode())
    after = size(server.process.pid)
    assert after.resident_kib - before.resident_kib <= BOMBED_MIB * 1024


def test_pipelined_requests_delay_no_other(wire: WireClient) -> None:
    """During a thousand pipelined requests other connections are answered."""
    account = wire.account()
    request = f"GET /v1/user/info HTTP/1.1\r\nhost: a\r\ntoken: {account.token}\r\n\r\n".encode()
    with connect(wire.server.port) as greedy:
        greedy.sendall(request * 1_000)
        assert wire.own_info(account.token).code == 1
        assert greedy.recv(12) == b"HTTP/1.1 200"
