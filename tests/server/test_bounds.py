"""The bounds of a request (security I2, I9)."""

from collections.abc import Iterator

import pytest

from tests.support.listeners import Listening

pytestmark = pytest.mark.slow

HEAD = b"GET /a HTTP/1.1\r\nhost: a\r\n"


@pytest.fixture(scope="module")
def listening() -> Iterator[Listening]:
    """Yield a listener with the bounds of production, for all tests here."""
    with Listening() as running:
        yield running
        assert running.connect().run("/still-there").startswith("/still-there 0 ")


def refused(listening: Listening, data: bytes) -> bytes:
    """Return the status line of the only response to these bytes, which ends the connection."""
    rest = listening.connect().say(data).rest()
    assert rest.count(b"HTTP/1.1 ") == 1
    assert b"connection: close\r\n" in rest
    return rest.split(b"\r\n")[0]


def test_a_head_may_be_as_long_as_the_limit(listening: Listening) -> None:
    """A head of 16 KiB is accepted, one byte more is 431, in one piece or in many."""
    filler = 16384 - len(HEAD + b"x: \r\n\r\n")
    peer = listening.connect().say(HEAD + b"x: " + b"y" * filler + b"\r\n\r\n")
    assert peer.answer()[0] == 200
    longer = HEAD + b"x: " + b"y" * (filler + 1) + b"\r\n\r\n"
    assert refused(listening, longer) == b"HTTP/1.1 431 Request Header Fields Too Large"


def test_a_head_without_end_is_refused(listening: Listening) -> None:
    """An endless head is 431 before it ends, and the response arrives."""
    peer = listening.connect().say(HEAD + b"x: ")
    for _ in range(64):
        peer.say(b"y" * 4096)
    assert peer.answer()[0] == 431
    assert peer.rest() == b""


def test_headers_are_counted(listening: Listening) -> None:
    """64 headers are accepted, 65 are 431."""
    headers = b"".join(b"x%d: y\r\n" % number for number in range(63))
    assert listening.connect().say(HEAD + headers + b"\r\n").answer()[0] == 200
    assert refused(listening, HEAD + headers + b"x: y\r\n\r\n").startswith(b"HTTP/1.1 431 ")


def test_a_url_is_bounded(listening: Listening) -> None:
    """A URL of 2 KiB is accepted, a longer one is 414, even an endless one."""
    path = b"/" + b"a" * 2047
    assert listening.connect().say(b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n" % path).answer()[0] == 200
    assert (
        refused(listening, b"GET %sa HTTP/1.1\r\nhost: a\r\n\r\n" % path)
        == b"HTTP/1.1 414 URI Too Long"
    )
    assert refused(listening, b"GET " + path * 10) == b"HTTP/1.1 414 URI Too Long"


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 1\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 1\r\n",
        b"content-length: 1\r\ncontent-length: 2\r\n",
        b"content-length: 1\r\ncontent-length: 1\r\n",
        b"content-length: -1\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"a b: c\r\n",
        b"x: a\rb\r\n",
        b"x: a\x00b\r\n",
    ],
)
def test_a_message_of_doubtful_length_is_refused(listening: Listening, head: bytes) -> None:
    """Content-Length with Transfer-Encoding, twice, or not a number is 400 (security I9)."""
    data = b"POST /a HTTP/1.1\r\nhost: a\r\n" + head + b"\r\nx"
    assert refused(listening, data) == b"HTTP/1.1 400 Bad Request"


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\x01\x00", b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n"]
)
def test_what_is_no_request_is_refused(listening: Listening, data: bytes) -> None:
    """TLS on the plain port and CONNECT are 400."""
    assert refused(listening, data) == b"HTTP/1.1 400 Bad Request"


def test_pipelined_requests_are_answered_in_order(listening: Listening) -> None:
    """Requests in one packet get one response each, in order, and the connection stays."""
    peer = listening.connect()
    peer.say(b"".join(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % number for number in range(100)))
    answers = [peer.answer()[1].split()[0] for _ in range(100)]
    assert answers == [f"/{number}" for number in range(100)]
    assert peer.run("/after", body=b"abc").startswith("/after 3 ")


def test_many_heads_in_one_read_are_not_taken_for_one(listening: Listening) -> None:
    """Small requests may together exceed the limit of one head."""
    padding = b"x: " + b"y" * 1000 + b"\r\n"
    peer = listening.connect().say((HEAD + padding + b"\r\n") * 60)
    assert [peer.answer()[0] for _ in range(60)] == [200] * 60


def test_a_flood_of_pipelined_requests_is_cut(listening: Listening) -> None:
    """Some of ten thousand requests are answered in order; then the server closes."""
    peer = listening.connect()
    peer.say(b"".join(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % number for number in range(10_000)))
    found = peer.rest().count(b"HTTP/1.1 200 OK\r\n")
    assert 100 <= found <= 1000


def test_a_broken_request_does_not_cost_the_one_before(listening: Listening) -> None:
    """A complete request is answered although the bytes after it are invalid."""
    for broken in (b"\x00\x01", HEAD + b"a b: c\r\n\r\n", b"GET /" + b"x" * 40_000):
        peer = listening.connect().say(b"GET /wait/0.1 HTTP/1.1\r\nhost: a\r\n\r\n" + broken)
        rest = peer.rest()
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"/wait/0.1 0 " in rest
        assert rest.count(b"HTTP/1.1 ") == 1


def test_a_broken_body_does_not_cost_the_request_before(listening: Listening) -> None:
    """An invalid chunk ends its own request, not the one before it."""
    chunked = b"POST /b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    rest = (
        listening.connect()
        .say(b"GET /wait/0.1 HTTP/1.1\r\nhost: a\r\n\r\n" + chunked + b"zz\r\n")
        .rest()
    )
    assert rest.count(b"HTTP/1.1 200 OK\r\n") == rest.count(b"HTTP/1.1 ") == 1
    assert refused(listening, chunked + b"zz\r\n") == b"HTTP/1.1 400 Bad Request"


def test_the_app_hears_of_a_broken_body_at_once() -> None:
    """A waiting app gets http.disconnect while the peer keeps the connection open."""
    with Listening(limits={"idle_timeout_seconds": 60}) as running:
        peer = running.connect()
        peer.say(
            b"POST /b HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        assert peer.answer()[0] == 100
        peer.say(b"zz\r\n")
        assert running.err_line() == "app heard disconnect"
        assert peer.answer()[0] == 400


def test_a_long_body_is_the_apps_to_judge(listening: Listening) -> None:
    """The endpoint decides the limit of a body: the listener passes 1 MiB on."""
    assert listening.connect().run("/a", body=b"x" * (1 << 20)).startswith(f"/a {1 << 20} ")
