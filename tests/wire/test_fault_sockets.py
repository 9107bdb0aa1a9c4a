"""Faults of sockets: each message of a client counts as a request to `/ws` (K-5)."""

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.client import WireClient
from tests.support.sockets import PATIENCE_SECONDS, SocketClient, acknowledgement

pytestmark = pytest.mark.one_engine

SOCKET = "/ws"
MAX_HELD_MESSAGES = 32


def put(wire: WireClient, *rules: dict[str, object]) -> None:
    """Set rules for sockets."""
    content = json.dumps([{"path": SOCKET, **rule} for rule in rules])
    reply = wire.http.put("/sandbox/faults", content=content)
    assert reply.status_code == 200, reply.text


def hits(wire: WireClient) -> list[int]:
    """Return how often each rule was applied."""
    return [rule["hits"] for rule in wire.http.get("/sandbox/faults").json()]


@pytest.fixture
def socket(wire: WireClient) -> Iterator[SocketClient]:
    """Yield a socket without a login, and remove all rules afterwards."""
    with SocketClient(wire.server.port) as client:
        yield client
    wire.http.put("/sandbox/faults", content=b"[]")


@pytest.mark.slow
def test_a_delay_keeps_the_order(wire: WireClient, socket: SocketClient) -> None:
    """Messages after a delayed one wait for it (K-5)."""
    put(wire, {"delayMs": 200, "nth": 1}, {"delayMs": 100, "nth": 3})
    for seq in "1234":
        socket.send("heartbeat", {}, seq)
    assert [socket.receive() for _ in "1234"] == [acknowledgement(seq) for seq in "1234"]
    assert hits(wire) == [1, 1]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_socket_is_reset(wire: WireClient, socket: SocketClient, when: str) -> None:
    """It ends without a closing frame, and without a response (K-5)."""
    put(wire, {"reset": when, "nth": 2})
    socket.beat()
    socket.send("heartbeat", {}, "2")
    with pytest.raises(ConnectionClosed) as ended:
        socket.receive()
    assert ended.value.rcvd is None
    assert hits(wire) == [1]


def test_answers_are_cut_and_garbled(wire: WireClient, socket: SocketClient) -> None:
    """Only the responses to the message of the rule are changed (K-5)."""
    put(wire, {"truncate": 3, "nth": 1}, {"garble": True, "nth": 2})
    right = acknowledgement("7")
    for _ in range(3):
        socket.send("heartbeat", {}, "7")
    cut, garbled, whole = (socket.receive() for _ in range(3))
    assert cut == right[:3]
    assert len(garbled) == len(right)
    assert garbled[0] & 7 == 7
    assert whole == right


def test_a_rule_is_for_the_sockets_of_an_account(wire: WireClient, socket: SocketClient) -> None:
    """The rule applies from its login on, which succeeds if the reset comes after it (K-5)."""
    one, other = wire.account(), wire.account()
    put(wire, {"account": one.id, "reset": "after"})
    socket.log_in(other.token).beat()
    with SocketClient(wire.server.port) as refused:
        refused.beat()
        refused.send("login", {"token": one.token})
        with pytest.raises(ConnectionClosed):
            refused.receive()
    assert hits(wire) == [1]


def test_rules_for_requests_count_no_messages(wire: WireClient, socket: SocketClient) -> None:
    """A rule for any path does not apply to heartbeats (K-5)."""
    content = json.dumps([{"reset": "before"}, {"path": "/*", "delayMs": 60_000}])
    assert wire.http.put("/sandbox/faults", content=content).status_code == 200
    socket.beat()
    socket.beat()
    assert hits(wire) == [0, 0]


def test_a_delay_ends_with_its_rule(wire: WireClient, socket: SocketClient) -> None:
    """Delayed messages continue when the rules are replaced (K-5)."""
    put(wire, {"delayMs": 60_000})
    socket.send("heartbeat", {}, "1")
    while hits(wire) != [1]:
        pass
    put(wire)
    assert socket.receive() == acknowledgement("1")


def test_too_many_held_messages_end_the_socket(wire: WireClient, socket: SocketClient) -> None:
    """A delay holds only a limited number of messages in memory (K-5)."""
    put(wire, {"delayMs": 60_000, "nth": 1})
    for _ in range(1 + MAX_HELD_MESSAGES):  # the first is delayed, the others wait for it
        socket.send("heartbeat", {}, "1")
    assert socket.connection.ping().wait(PATIENCE_SECONDS)
    socket.send("heartbeat", {}, "1")
    with pytest.raises(ConnectionClosed):
        socket.receive()
