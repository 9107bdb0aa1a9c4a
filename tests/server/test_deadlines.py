"""How long a peer may take (security I2, R22)."""

from collections.abc import Iterator

import pytest

from tests.support.listeners import Listening, Peer

pytestmark = pytest.mark.slow

SHORT = 0.3
LONG = 60.0
HEAD = b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n"


@pytest.fixture(scope="module")
def impatient() -> Iterator[Listening]:
    """Yield a listener for which each kind of wait is short."""
    limits = {
        "header_timeout_seconds": SHORT,
        "body_timeout_seconds": SHORT,
        "idle_timeout_seconds": SHORT,
    }
    with Listening(limits=limits) as running:
        yield running
        assert running.connect().run("/still-there").startswith("/still-there 0 ")


def drip(peer: Peer, data: bytes) -> bytes:
    """Says byte after byte until the server closes; what it said."""
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
    """Half a head, and then nothing: closed without an answer."""
    assert impatient.connect().say(b"GET /a HTTP/1.1\r\nhost").rest() == b""


def test_a_slow_head_is_closed(impatient: Listening) -> None:
    """Each byte in time does not help a head that is late as a whole."""
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
    """Half a body: the app gets http.disconnect, the peer a closed connection."""
    with Listening(limits={"body_timeout_seconds": SHORT}) as running:
        assert running.connect().say(HEAD + b"1234").rest() == b""
        assert running.err_line() == "app heard disconnect"


def test_a_slow_body_is_closed(impatient: Listening) -> None:
    """A chunked body may go on for ever in bytes, not in time."""
    peer = impatient.connect()
    peer.say(b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    assert drip(peer, b"1\r\ny\r\n") == b""


def test_an_idle_connection_is_closed(impatient: Listening) -> None:
    """After an answer a connection waits for the next request only so long."""
    peer = impatient.connect()
    peer.run("/a")
    assert peer.rest() == b""


@pytest.mark.slow
def test_a_request_that_takes_the_app_long_is_waited_for(impatient: Listening) -> None:
    """Deadlines are for peers: an app may take several times as long."""
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
    """Beyond the file limit, the connections that wait longest make room (security R22)."""
    with Listening(files=64) as running:
        waiting = [running.connect().say(first_word) for _ in range(150)]
        assert running.connect().run("/a").startswith("/a 0 ")
        waiting[0].rest()
        assert running.connect().run("/b").startswith("/b 0 ")


def test_a_request_that_runs_is_not_pushed_out() -> None:
    """Room is made by peers that wait, not by those that are waited for."""
    with Listening(files=64) as running:
        busy = running.connect().say(b"GET /wait/0.5 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert running.err_line() == "app waits"
        for number in range(100):
            assert running.connect().run(f"/{number}").startswith(f"/{number} ")
        assert busy.answer()[1].startswith("/wait/0.5 0 ")
