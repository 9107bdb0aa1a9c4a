"""Upgrade offers, and other versions of HTTP (security X1, I9)."""

from collections.abc import Iterator

import pytest

from tests.support.listeners import Listening

pytestmark = pytest.mark.slow

OFFERS = [
    b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
    b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n",
    b"upgrade: TLS/1.2, foo/2\r\nupgrade: h2c\r\nconnection: keep-alive\r\nconnection: upgrade\r\n",
    b"upgrade: \r\nconnection: upgrade\r\n",
]
FRAMINGS = [
    (b"content-length: 5\r\n", b"12345"),
    (b"transfer-encoding: chunked\r\n", b"2\r\n12\r\n3;a=b\r\n345\r\n0\r\nx: y\r\n\r\n"),
]
PLAIN = b"POST /next HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def listening() -> Iterator[Listening]:
    """Yield one process for all tests."""
    with Listening() as running:
        yield running


@pytest.mark.parametrize("path", [b"/a", b"/once/a"])
@pytest.mark.parametrize(("framing", "body"), FRAMINGS)
@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_changes_nothing(
    listening: Listening, offer: bytes, framing: bytes, body: bytes, path: bytes
) -> None:
    """The body is read, the connection stays, and the next request works (RFC 9110 7.8; X1)."""
    head = b"POST %b HTTP/1.1\r\nhost: a\r\n%b%b\r\n" % (path, offer, framing)
    in_one = listening.connect().say((head + body) * 3 + PLAIN)
    in_bytes = listening.connect()
    for byte in head + body + PLAIN:
        in_bytes.say(byte.to_bytes())
    for peer, times in ((in_one, 3), (in_bytes, 1)):
        for _ in range(times):
            status, said = peer.answer()
            assert (status, said.split()[:2]) == (200, [path.decode(), "5"])
        assert peer.answer()[1].startswith("/next 2 ")
        assert peer.run("/after").startswith("/after 0 ")


def test_an_offer_in_slices_is_read_once(listening: Listening) -> None:
    """Requests larger than one read each get their response and their body."""
    body = b"x" * 5000
    head = b"POST /a HTTP/1.1\r\nhost: a\r\n" + OFFERS[0] + b"content-length: 5000\r\n\r\n"
    peer = listening.connect().say((head + body) * 10)
    assert [peer.answer()[1].split()[:2] for _ in range(10)] == [["/a", "5000"]] * 10


def test_an_offer_with_expect_is_continued(listening: Listening) -> None:
    """An upgrade offer with `Expect: 100-continue` gets 100."""
    head = b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n"
    peer = listening.connect().say(head + OFFERS[0] + b"\r\n")
    assert peer.answer()[0] == 100
    assert peer.say(b"ok").answer()[1].startswith("/a 2 ")


def test_an_offer_is_bounded_like_any_head(listening: Listening) -> None:
    """With an offer, too, headers are counted and a long target is refused."""
    many = b"".join(b"x%d: y\r\n" % number for number in range(64))
    start = b"POST /a HTTP/1.1\r\nhost: a\r\n" + OFFERS[0]
    assert listening.connect().say(start + many + b"\r\n").answer()[0] == 431
    target = b"GET /" + b"a" * 2048 + b" HTTP/1.1\r\nhost: a\r\n"
    assert listening.connect().say(target + OFFERS[0] + b"\r\n").answer()[0] == 414


def test_two_hosts_are_refused_with_an_offer_too(listening: Listening) -> None:
    """The offer does not bypass the check of the head."""
    start = b"POST /a HTTP/1.1\r\nhost: a\r\nhost: b\r\n"
    assert listening.connect().say(start + OFFERS[0] + b"\r\n").answer()[0] == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 400),
        (b"GET /a HTTP/2.0\r\nhost: a\r\n\r\n", 505),
        (b"POST /a HTTP/2.0\r\nhost: a\r\ncontent-length: 1\r\n\r\nx", 505),
        (b"GET /a HTTP/0.9\r\nhost: a\r\n\r\n", 505),
        (b"GET /a HTTP/3.0\r\nhost: a\r\n\r\n", 400),
        (b"GET /a HTTP/1.9\r\nhost: a\r\n\r\n", 400),
        (b"GET /a\r\n\r\n", 505),
        (b"\xef\xbb\xbfGET /a HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", 400),
    ],
)
def test_another_version_is_refused(listening: Listening, data: bytes, status: int) -> None:
    """HTTP/2 prior knowledge, or its name in a request line: one response, then the end."""
    peer = listening.connect().say(data)
    assert peer.answer()[0] == status
    assert peer.rest() == b""


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /a HTTP/1.1\r\n", 400),
        (b"GET /a HTTP/1.1\r\nhost: a\r\nhost: a\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a\r\nx: y\r\nhost: b\r\n", 400),
        (b"GET /a HTTP/1.0\r\nhost: a\r\nhost: b\r\n", 400),
        (b"GET /a HTTP/1.1\r\nhost:\r\n", 200),
        (b"GET /a HTTP/1.0\r\n", 200),
        (b"GET /a HTTP/1.0\r\nhost: a\r\n", 200),
        (b"GET http://b/a HTTP/1.1\r\nhost: a\r\n", 200),
    ],
)
def test_a_request_has_one_host(listening: Listening, head: bytes, status: int) -> None:
    """None or two are 400, except in HTTP/1.0 (RFC 9112 3.2; I9)."""
    assert listening.connect().say(head + b"\r\n").answer()[0] == status


@pytest.mark.parametrize(
    ("version", "codings", "status"),
    [
        (b"1.0", [b"chunked"], 400),
        (b"1.0", [b"gzip, chunked"], 400),
        (b"1.1", [b"gzip, chunked"], 501),
        (b"1.1", [b"gzip", b"chunked"], 501),
        (b"1.1", [b"identity, chunked"], 501),
        (b"1.1", [b"chunked, gzip"], 400),
        (b"1.1", [b"chunked", b"chunked"], 400),
        (b"1.1", [b"gzip"], 400),
        (b"1.1", [b"identity"], 400),
        (b"1.1", [b"xchunked"], 400),
        (b"1.1", [b"chunked;q=1"], 400),
        (b"1.1", [b""], 400),
        (b"1.1", [b"Chunked"], 200),
    ],
)
def test_a_body_is_read_in_one_coding(
    listening: Listening, version: bytes, codings: list[bytes], status: int
) -> None:
    """Only `chunked` is accepted, and only in HTTP/1.1 (RFC 9112 6.1; I9)."""
    lines = b"".join(b"transfer-encoding: %b\r\n" % coding for coding in codings)
    head = b"POST /a HTTP/%b\r\nhost: a\r\n%b\r\n" % (version, lines)
    peer = listening.connect().say(head + b"1\r\nx\r\n0\r\n\r\n")
    assert peer.answer()[0] == status
    if status != 200:
        assert peer.rest() == b""


def test_old_clients_are_not_asked_to_go_on(listening: Listening) -> None:
    """HTTP/1.0 has no 100 (RFC 9110 10.1.1)."""
    head = b"POST /a HTTP/1.0\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
    peer = listening.connect().say(head)
    assert peer.say(b"ok").rest().startswith(b"HTTP/1.1 200 OK\r\n")
