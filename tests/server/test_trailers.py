"""What follows a head outside the body: trailers, extensions, chunk lengths (security X1)."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.listeners import Listening, Peer

pytestmark = pytest.mark.slow

HEAD = b"POST /headers HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
SEEN = "host=a transfer-encoding=chunked"
KIB, MIB = 1 << 10, 1 << 20
CONNECTIONS = 1000
ENDLESS = {
    "trailers": (b"1\r\nx\r\n0\r\n", b"a:b\r\n" * 1000),
    "one trailer": (b"0\r\nx: ", b"y" * 5000),
    "the name of a trailer": (b"0\r\n", b"y" * 5000),
    "extensions": (b"", b"1;a=b;c=d\r\nx\r\n" * 400),
    "one extension": (b"1;a=", b"y" * 5000),
    "zeros": (b"", b"0" * 5000),
    "chunks": (b"", b"1\r\nx\r\n" * 1000),
}


@pytest.fixture(scope="module")
def listening() -> Iterator[Listening]:
    """Yield a listener with the bounds of production, for all tests here."""
    with Listening(is_forked=False) as running:
        yield running
        assert running.connect().run("/still-there").startswith("/still-there 0 ")


def memory(running: Listening) -> int:
    """Return the memory of the process, in bytes."""
    statm = Path(f"/proc/{running.process.pid}/statm").read_text("ascii")
    return int(statm.split()[1]) * 4096


def answer_of(peer: Peer) -> str:
    """Return the response; a refusal ends the connection."""
    status, said = peer.answer()
    if status != 200:
        assert peer.rest() == b""
    return said if status == 200 else str(status)


@pytest.mark.parametrize(
    "trailer",
    [
        b"x: y",
        b"token: 1",
        b"x-real-ip: 203.0.113.9",
        b"host: b",
        b"content-length: 9",
        b"connection: close",
        b"connection: upgrade\r\nupgrade: h2c",
        b"expect: 100-continue",
        b"authorization: Bearer 1",
    ],
)
def test_a_trailer_is_no_header(listening: Listening, trailer: bytes) -> None:
    """The headers stay unchanged, and the connection continues normally."""
    request = HEAD + b"2\r\nab\r\n0\r\n" + trailer + b"\r\n\r\n"
    in_one, in_bytes = listening.connect().say(request * 2), listening.connect()
    for byte in request:
        in_bytes.say(byte.to_bytes())
    assert [answer_of(in_one), answer_of(in_one), answer_of(in_bytes)] == [SEEN] * 3
    for peer in (in_one, in_bytes):
        assert peer.run("/next", body=b"12").startswith("/next 2 ")


def test_the_bounds_of_the_next_head_are_whole(listening: Listening) -> None:
    """Each request has the full bounds; a contradiction is refused again."""
    trailers = b"".join(b"x%d: y\r\n" % number for number in range(60))
    peer = listening.connect()
    for _ in range(5):
        peer.say(HEAD + b"0\r\n" + trailers + b"\r\n")
        assert answer_of(peer) == SEEN
    peer.say(HEAD[:-2] + b"content-length: 1\r\n\r\n")
    assert answer_of(peer) == "400"


@pytest.mark.parametrize(("count", "outcome"), [(62, SEEN), (63, "400")])
def test_trailers_count_as_headers(listening: Listening, count: int, outcome: str) -> None:
    """Headers and trailers together are at most 64."""
    trailers = b"".join(b"x%d: y\r\n" % number for number in range(count))
    assert answer_of(listening.connect().say(HEAD + b"0\r\n" + trailers + b"\r\n")) == outcome


@pytest.mark.parametrize(("more", "outcome"), [(0, SEEN), (1, "400")])
def test_trailers_are_counted_in_bytes(listening: Listening, more: int, outcome: str) -> None:
    """Headers and trailers together are at most 16 KiB."""
    filler = 16384 - len(HEAD) - len(b"x: \r\n") + more
    peer = listening.connect().say(HEAD).say(b"0\r\n")
    assert answer_of(peer.say(b"x: " + b"y" * filler + b"\r\n\r\n")) == outcome


# It is checked once for 4 KiB of input.
@pytest.mark.parametrize(("more", "outcome"), [(0, SEEN), (4096, "400")])
@pytest.mark.parametrize("filler", [b"1;", b"0"])
def test_extensions_are_counted_in_bytes(
    listening: Listening, filler: bytes, more: int, outcome: str
) -> None:
    """Headers and chunk extensions together are at most 16 KiB, in any pieces."""
    length = filler + b"0" * (16384 - len(HEAD) - len(b"1;1\r\n\r\n0\r\n\r\n") + more)
    if filler == b"0":
        length += b"01"  # a length with leading zeros
    request = HEAD + length + (b"" if filler == b"0" else b"1") + b"\r\nx\r\n0\r\n\r\n"
    assert len(request) == 16384 + more + 1  # the body is not counted
    assert answer_of(listening.connect().say(request)) == outcome
    halves = listening.connect().say(request[:9000])
    assert answer_of(halves.say(request[9000:])) == outcome


def test_long_offers_in_a_row(listening: Listening) -> None:
    """A head that is parsed again without its offer counts once."""
    offer = b"POST /a HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\nconnection: upgrade\r\n"
    request = offer + b"x: " + b"y" * 15000 + b"\r\ncontent-length: 2\r\n\r\nab"
    peer = listening.connect().say(request * 3)
    assert [answer_of(peer).split()[:2] for _ in range(3)] == [["/a", "2"]] * 3


@pytest.mark.parametrize("path", [b"/headers", b"/once/a"])
@pytest.mark.parametrize("kind", ENDLESS)
def test_what_has_no_end_is_refused(listening: Listening, kind: str, path: bytes) -> None:
    """Above the head's bound the response is 400, and the connection is closed."""
    start, more = ENDLESS[kind]
    peer = listening.connect().say(HEAD.replace(b"/headers", path) + start)
    with contextlib.suppress(ConnectionError):
        for _ in range(20):
            peer.say(more)
    assert answer_of(peer) == "400"


def test_many_chunks_in_one_read_are_bounded(listening: Listening) -> None:
    """Pipelined requests in thousands of chunks do not block the loop."""
    request = HEAD + b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n"
    peer = listening.connect()
    with contextlib.suppress(ConnectionError):
        peer.say(request * 40)
    answers = peer.rest()
    assert 1 <= answers.count(b"HTTP/1.1 200 OK") < 40
    assert answer_of(listening.connect().say(request)) == SEEN


def test_blank_lines_after_a_request_are_bounded(listening: Listening) -> None:
    """Line ends between requests are skipped, up to a limit."""
    peer = listening.connect()
    peer.say(b"\r\n" * 100 + HEAD + b"0\r\n\r\n" + b"\r\n" * 100)
    assert answer_of(peer) == SEEN
    assert peer.run("/next").startswith("/next 0 ")
    with contextlib.suppress(ConnectionError):
        for _ in range(20):
            peer.say(b"\r\n" * 1000)
    assert answer_of(peer) == "400"


def test_a_body_is_not_counted(listening: Listening) -> None:
    """A megabyte in chunks of 4 KiB, or with a length, is left to the endpoint."""
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    head = HEAD.replace(b"/headers", b"/a")
    peer = listening.connect().say(head + chunk * 256 + b"0\r\n\r\n")
    assert answer_of(peer).startswith(f"/a {MIB} ")
    assert peer.run("/b", body=b"x" * MIB).startswith(f"/b {MIB} ")


@pytest.mark.parametrize("kind", ENDLESS)
def test_memory_does_not_grow(listening: Listening, kind: str) -> None:
    """A thousand connections with endless data, one after the other, leave nothing (security X1).

    Two KiB that stay of each would be noticed.
    """
    start, more = ENDLESS[kind]
    before = memory(listening)
    for _ in range(CONNECTIONS):
        peer = listening.connect().say(HEAD + start)
        with contextlib.suppress(ConnectionError):
            for _ in range(50):
                peer.say(more)
        peer.connection.close()
    assert listening.connect().run("/after-all").startswith("/after-all 0 ")
    assert memory(listening) - before < 2 * CONNECTIONS * KIB
