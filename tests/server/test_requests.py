"""Requests that start without a task and finish in one step (decision 0019)."""

import socket
from collections.abc import Iterator

import pytest

from tests.support.listeners import Listening

pytestmark = pytest.mark.slow

POST = b"POST /once/%s HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n%s\r\n"


@pytest.fixture(scope="module")
def listening() -> Iterator[Listening]:
    """Yield one process for all tests."""
    with Listening() as running:
        yield running


def test_a_body_that_came_along_is_taken(listening: Listening) -> None:
    """Head and body come in one piece; the connection stays."""
    peer = listening.connect()
    for _ in range(2):
        assert peer.run("/once/a", body=b"1234") == "/once/a 4 here"


def test_a_body_that_comes_later_is_waited_for(listening: Listening) -> None:
    """A task takes over where the request first waits."""
    peer = listening.connect().say(POST % (b"a", 4, b"") + b"12")
    other = listening.connect()
    assert other.run("/once/b") == "/once/b 0 here"
    assert peer.say(b"34").answer() == (200, "/once/a 4 waited")
    assert peer.run("/once/c") == "/once/c 0 here"


def test_expect_is_answered_with_continue(listening: Listening) -> None:
    """100-continue is sent before the body is read."""
    peer = listening.connect().say(POST % (b"a", 2, b"expect: 100-continue\r\n"))
    assert peer.answer() == (100, "")
    assert peer.say(b"12").answer() == (200, "/once/a 2 waited")


def test_pipelined_requests_are_answered_in_order(listening: Listening) -> None:
    """A hundred in one piece do not nest, so the stack stays flat."""
    count = 100
    asked = b"".join(POST % (b"%d" % number, 0, b"") for number in range(count))
    peer = listening.connect().say(asked)
    answers = [peer.answer()[1] for _ in range(count)]
    assert answers == [f"/once/{number} 0 here" for number in range(count)]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /once/a HTTP/1.0\r\n\r\n",
        b"GET /once/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    ],
)
def test_the_last_answer_says_close(listening: Listening, head: bytes) -> None:
    """The response announces the end of the connection, and it ends."""
    said = listening.connect().say(head).rest()
    assert said == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\nconnection: close\r\n\r\n/once/a 0 here"
    )


def test_head_gets_no_body(listening: Listening) -> None:
    """Its length is that of the omitted body."""
    head = b"HEAD /once/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    said = listening.connect().say(head).rest()
    assert said.startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n")
    assert said.endswith(b"\r\n\r\n")


def test_a_peer_that_does_not_read_is_waited_for() -> None:
    """Responses do not pile up: the first that meets a full buffer waits, then all arrive."""
    count = 40
    with Listening() as running:
        peer = running.connect().say(POST % (b"big", 0, b"") * count)
        assert running.err_line() == "app must wait"
        for _ in range(count):
            status, body = peer.answer()
            assert (status, len(body)) == (200, 1 << 20)


def test_an_abandoned_request_affects_no_other(listening: Listening) -> None:
    """A peer that disconnects within its request does not affect others."""
    peer = listening.connect().say(POST % (b"a", 4, b""))
    peer.connection.close()
    assert listening.connect().run("/once/b") == "/once/b 0 here"


@pytest.mark.parametrize(
    "path", [b"/once/a", b"/wait/0.3", b"/wait/0.3 HTTP/1.1\r\nhost: a\r\n\r\nPOST /b"]
)
def test_a_half_closed_peer_still_gets_the_answer(listening: Listening, path: bytes) -> None:
    """A peer may close its half before the response; then the other half is closed too."""
    peer = listening.connect().say(b"POST " + path + b" HTTP/1.1\r\nhost: a\r\n\r\n")
    peer.connection.shutdown(socket.SHUT_WR)
    said = peer.rest()
    assert said.count(b"HTTP/1.1 200 OK") == path.count(b"/1.1") + 1


def test_an_incomplete_request_gets_no_answer(listening: Listening) -> None:
    """An incomplete request whose peer half-closes gets no answer."""
    peer = listening.connect().say(POST % (b"a", 4, b"") + b"12")
    peer.connection.shutdown(socket.SHUT_WR)
    assert peer.rest() == b""
