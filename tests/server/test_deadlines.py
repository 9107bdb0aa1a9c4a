"""The deadlines of a peer (security I2, R22)."""

from collections.abc import Iterator

import pytest

from tests.support.listeners import Listening, Peer

pytestmark = pytest.mark.slow

SHORT = 0.3
LONG = 60.0
HEAD = b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n"


@pytest.fixture(scope="module")
def impatient() -> Iterator[Listening]:
    """Yield a listener with a short time limit for each kind of wait."""
    limits = {
        "header_timeout_seconds": SHORT,
        "body_timeout_seconds": SHORT,
        "idle_timeout_seconds": SHORT,
    }
    with Listening(limits=limits) as running:
        yield running
        assert running.connect().run("/still-there").startswith("/still-there 0 ")


def drip(peer: Peer, data: bytes) -> bytes:
    """Send byte after byte until the server closes; return what was sent."""
    peer.connection.settimeout(SHORT / 10)
    for number in range(1000):
        try:
            peer.say(data[number % len(data)].to_bytes())
            if not peer.connection.recv(1):
                return b""
        except TimeoutError:
            continue
        except OSError:
            return b""
    raise AssertionError("The server never closed.")


def test_a_peer_that_says_nothing_is_closed(impatient: Listening) -> None:
    """A connection on which no byte arrives ends."""
    assert impatient.connect().rest() == b""


def test_a_head_that_stops_is_closed(impatient: Listening) -> None:
    """After half a head and silence the connection is closed without a response."""
    assert impatient.connect().say(b"GET /a HTTP/1.1\r\nhost").rest() == b""


def test_a_slow_head_is_closed(impatient: Listening) -> None:
    """Frequent bytes do not extend the deadline of the whole head."""
    assert drip(impatient.connect().say(b"GET /a HTTP/1.1\r\nhost: a\r\nx: "), b"y") == b""


def test_blank_lines_do_not_hold_a_connection(impatient: Listening) -> None:
    """Line ends before the request count as its head."""
    assert drip(impatient.connect(), b"\r\n") == b""


def test_a_later_head_is_timed_too(impatient: Listening) -> None:
    """The second request on a connection has the same deadline."""
    peer = impatient.connect()
    peer.run("/a")
    assert drip(peer.say(b"GET /a HTTP/1.1\r\nhost: a\r\nx: "), b"y") == b""


def test_a_body_that_stops_is_closed_and_the_app_hears_it() -> None:
    """After half a body the app gets http.disconnect, and the connection is closed."""
    with Listening(limits={"body_timeout_seconds": SHORT}) as running:
        assert running.connect().say(HEAD + b"1234").rest() == b""
        assert running.err_line() == "app heard disconnect"


def test_a_slow_body_is_closed(impatient: Listening) -> None:
    """A chunked body has no size limit here, but a time limit."""
    peer = impatient.connect()
    peer.say(b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    assert drip(peer, b"1\r\ny\r\n") == b""


def test_an_idle_connection_is_closed(impatient: Listening) -> None:
    """After a response a connection waits for the next request only for a limited time."""
    peer = impatient.connect()
    peer.run("/a")
    assert peer.rest() == b""


@pytest.mark.slow
def test_a_request_that_takes_the_app_long_is_waited_for(impatient: Listening) -> None:
    """Deadlines apply to peers: an app may take several times as long."""
    peer = impatient.connect()
    assert peer.run(f"/wait/{SHORT * 5}").startswith("/wait/")
    assert peer.run("/a").startswith("/a ")


def test_an_unread_answer_is_dropped(impatient: Listening) -> None:
    """A peer that requests 16 MiB and reads none of it loses the connection."""
    peer = impatient.connect().say(b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n" * 4)
    while True:
        try:
            peer.say(b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n")
        except OSError:
            break
    assert len(peer.rest()) < 1 << 26


def test_only_the_deadline_of_its_own_wait_counts() -> None:
    """A short time for heads does not end a connection that idles between requests."""
    with Listening(
        limits={"header_timeout_seconds": SHORT, "idle_timeout_seconds": LONG}
    ) as running:
        idle = running.connect()
        idle.run("/a")
        assert running.connect().rest() == b""
        assert running.connect().rest() == b""
        assert idle.run("/b").startswith("/b ")


@pytest.mark.parametrize(
    "first_word", [b"", b"GET /a HTTP/1.1\r\nhost", HEAD, b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n"]
)
def test_many_idle_connections_do_not_block_requests(first_word: bytes) -> None:
    """At the file limit, the connections that have waited longest are closed (security R22)."""
    with Listening(files=64) as running:
        waiting = [running.connect().say(first_word) for _ in range(150)]
        assert running.connect().run("/a").startswith("/a 0 ")
        waiting[0].rest()
        assert running.connect().run("/b").startswith("/b 0 ")


def test_a_request_that_runs_is_not_pushed_out() -> None:
    """Only connections waiting for their peer are closed."""
    with Listening(files=64) as running:
        busy = running.connect().say(b"GET /wait/0.5 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert running.err_line() == "app waits"
        for number in range(100):
            assert running.connect().run(f"/{number}").startswith(f"/{number} ")
        assert busy.answer()[1].startswith("/wait/0.5 0 ")
