"""Closed connections, broken bodies and load leave no resources in use (R16)."""

import time

import pytest

from tests.soak.body import Size, size
from tests.support import pb
from tests.support.client import WireClient
from tests.support.code_requests import until
from tests.support.fault_clients import connect, post, vanish

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

ROUNDS = 300
REQUESTS, MANY_REQUESTS = 6_000, 400_000
NEAR = 2
GROWN_MIB, MANY_GROWN_MIB = 6, 4


def at_rest(wire: WireClient) -> Size:
    """Return the size of an idle server, once two measurements agree."""
    before = size(wire.server.process.pid)
    while True:
        time.sleep(0.1)
        now = size(wire.server.process.pid)
        if (now.threads, now.descriptors) == (before.threads, before.descriptors):
            return now
        before = now


def warmed(wire: WireClient, token: str) -> Size:
    """Return the size after a first round of everything, with full pools and warm caches."""
    for _ in range(100):
        come_and_go(wire, token)
    load(wire, token, 1_000)
    wire.close()
    return at_rest(wire)


def come_and_go(wire: WireClient, token: str) -> None:
    """Open three connections: one asks and closes, one breaks in a body, one resets in a header."""
    port = wire.server.port
    head, body = post("user/save-user-data", {"introduction": "a line"}, token, close=True)
    with connect(port) as polite:
        polite.sendall(head + body)
        assert polite.recv(12) == b"HTTP/1.1 200"
    broken = connect(port)
    broken.sendall(head + body[:4])
    broken.close()
    gone = connect(port)
    gone.sendall(head[:10])
    vanish(gone)


def load(wire: WireClient, token: str, requests: int) -> None:
    """Read and write on one kept connection."""
    info = f"GET /v1/user/info HTTP/1.1\r\nhost: a\r\ntoken: {token}\r\n\r\n".encode()
    with connect(wire.server.port) as connection:
        for number in range(requests // 10):
            nickname = b"".join(post("user/edit-nickname", pb.text(3, f"n{number}"), token))
            connection.sendall(info * 9 + nickname)
            answers = b""
            while answers.count(b"HTTP/1.1 200 OK") < 10:
                answers += connection.recv(65536)


def test_nothing_stays_of_closed_connections(own_wire: WireClient) -> None:
    """After hundreds of connections of each kind, descriptors and threads are as before."""
    token = own_wire.account().token
    base = warmed(own_wire, token)
    for _ in range(ROUNDS):
        come_and_go(own_wire, token)
    until(lambda: size(own_wire.server.process.pid).descriptors <= base.descriptors + NEAR)
    after = at_rest(own_wire)
    assert after.threads <= base.threads + NEAR
    assert after.resident_kib - base.resident_kib <= GROWN_MIB * 1024
    assert "Traceback" not in own_wire.server.output()


def test_load_keeps_no_memory(own_wire: WireClient) -> None:
    """Thousands of requests on a warm server need no more memory than their responses."""
    token = own_wire.account().token
    base = warmed(own_wire, token)
    load(own_wire, token, REQUESTS)
    assert at_rest(own_wire).resident_kib - base.resident_kib <= GROWN_MIB * 1024


@pytest.mark.soak
def test_long_load_keeps_no_memory(own_wire: WireClient) -> None:
    """Each hundred thousand requests add less than a MiB."""
    token = own_wire.account().token
    warmed(own_wire, token)
    load(own_wire, token, MANY_REQUESTS // 4)
    base = at_rest(own_wire)
    load(own_wire, token, MANY_REQUESTS)
    grown_kib = at_rest(own_wire).resident_kib - base.resident_kib
    assert grown_kib <= MANY_GROWN_MIB * 1024
