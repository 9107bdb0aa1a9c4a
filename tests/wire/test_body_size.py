"""The maximum size of a request, and false claims about it (wire.md 1.5, security I1, I2)."""

import socket

import pytest

from tests.support import pb
from tests.support.answers import assert_refused
from tests.support.client import WireClient
from tests.support.raw_http import ask, exchange, head, post_parts

pytestmark = pytest.mark.one_engine

JSON_LIMIT = 64 * 1024
PROTOBUF_LIMIT = 16 * 1024
JSON_PATHS = [
    "user/captcha",
    "user/verification-login",
    "user/email-login",
    "user/logout",
    "verification/get-verification-code",
    "verification/get-email-verification-code",
]


def json_of_size(wire: WireClient, size: int) -> bytes:
    """Return a sign-in that succeeds, padded to a size by an unknown key."""
    phone = wire.fresh_phone()
    start = f'{{"mobile":"{phone}","captcha":"{wire.sms_code(phone)}","fill":"'.encode()
    return start + b"x" * (size - len(start) - 2) + b'"}'


def protobuf_of_size(wire: WireClient, size: int) -> bytes:
    """Return a get-user request padded to a size by an unknown field."""
    start = pb.text(2, wire.account().id)
    filled = start + pb.delimited(9, b"x" * (size - len(start) - 3))  # tag and two bytes of length
    assert len(filled) == size
    return filled


def test_json_up_to_the_limit(wire: WireClient) -> None:
    """A body of exactly 64 KiB is accepted (wire.md 1.5)."""
    assert wire.post("user/verification-login", json_of_size(wire, JSON_LIMIT)).text("token")


@pytest.mark.parametrize("path", JSON_PATHS)
def test_json_past_the_limit(wire: WireClient, path: str) -> None:
    """One byte more is HTTP 413 on every endpoint (wire.md 1.5)."""
    body = b" " * (JSON_LIMIT + 1 - 2) + b"{}"
    assert len(body) == JSON_LIMIT + 1
    assert wire.request("POST", f"/v1/{path}", body, token="any").status_code == 413
    assert wire.request("POST", f"/v1/{path}", [body[:99], body[99:]]).status_code == 413


def test_sign_in_past_the_limit_does_nothing(wire: WireClient) -> None:
    """A body that is too large has no effect (security I1)."""
    body = json_of_size(wire, JSON_LIMIT + 1)
    phone, code = body.split(b'"')[3].decode(), body.split(b'"')[7].decode()
    assert wire.request("POST", "/v1/user/verification-login", body).status_code == 413
    assert wire.sign_in(phone, code).code == 1


def test_protobuf_up_to_the_limit(wire: WireClient) -> None:
    """A protobuf body of exactly 16 KiB is accepted (security I1)."""
    answer = wire.post("user/get-user", protobuf_of_size(wire, PROTOBUF_LIMIT), token="any")
    assert answer.code == 1


@pytest.mark.parametrize("size", [PROTOBUF_LIMIT + 1, JSON_LIMIT + 1])
def test_protobuf_past_the_limit(wire: WireClient, size: int) -> None:
    """A larger protobuf body is HTTP 413 (security I1)."""
    body = protobuf_of_size(wire, size) if size < JSON_LIMIT else b"\x12" * size
    assert wire.request("POST", "/v1/user/get-user", body, token="any").status_code == 413
    pieces = [body[:1000], body[1000:]]
    assert wire.request("POST", "/v1/user/get-user", pieces, token="any").status_code == 413


def test_endless_chunks_are_cut_off(wire: WireClient) -> None:
    """Chunks are counted as they arrive; 413 comes before their end (I1)."""
    start = head("POST /v1/user/email-login HTTP/1.1", "transfer-encoding: chunked")
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    status, _, _ = exchange(wire.server, start, *[chunk] * 17)
    assert status == 413


def test_claim_of_a_large_body(wire: WireClient) -> None:
    """A body above the limit is 413 before its claimed end (security I1)."""
    start = head("POST /v1/user/email-login HTTP/1.1", f"content-length: {50_000_000}")
    status, _, _ = exchange(wire.server, start, b" " * (JSON_LIMIT + 100))
    assert status == 413


def test_claim_of_a_small_body(wire: WireClient) -> None:
    """Bytes after the claimed length are not part of the body (security I1)."""
    phone = wire.fresh_phone()
    body = f'{{"mobile":"{phone}","captcha":"{wire.sms_code(phone)}"}}'.encode()
    start = head("POST /v1/user/verification-login HTTP/1.1", "content-length: 5")
    assert_refused(ask(wire.server, start + body))


@pytest.mark.parametrize("claim", ["-1", "x", "1e3", "0x10", "99999999999999999999999", "5, 6"])
def test_claim_that_is_no_length(wire: WireClient, claim: str) -> None:
    """An invalid Content-Length is refused before the endpoint (security I1)."""
    start = head("POST /v1/user/captcha HTTP/1.1", f"content-length: {claim}")
    status, _, _ = exchange(wire.server, start, b"{}")
    assert status in {0, 400, 413}


def test_length_and_chunks_together(wire: WireClient) -> None:
    """Content-Length with a chunked body does not smuggle in a second request (security I9)."""
    smuggled = b"0\r\n\r\nGET /v1/user/info HTTP/1.1\r\nhost: a\r\n\r\n"
    start = (
        b"POST /v1/user/captcha HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
        + f"content-length: {len(smuggled)}\r\n\r\n".encode()
    )
    status, _, _ = exchange(wire.server, start + smuggled)
    assert status in {0, 400, 413}


def test_half_a_body_delays_no_one_else(wire: WireClient) -> None:
    """A client that stalls in its body does not delay others (security I2)."""
    start = head("POST /v1/user/email-login HTTP/1.1", "content-length: 1000")
    address = ("127.0.0.1", wire.server.port)
    with socket.create_connection(address) as silent:
        silent.sendall(start + b'{"email"')
        assert wire.post("user/captcha").code == 1
    assert wire.post("user/captcha").code == 1


@pytest.mark.parametrize(
    ("start", "headers"),
    [
        ("POST /v1/user/captcha HTTP/1.1", ["x-fill: " + "x" * 20_000]),
        ("POST /v1/user/captcha HTTP/1.1", [f"x-fill-{at}: x" for at in range(100)]),
        ("POST /v1/user/captcha?" + "x" * 3000 + " HTTP/1.1", []),
    ],
    ids=["16 KiB of headers", "64 headers", "2 KiB of URL"],
)
def test_large_heads_are_not_served(wire: WireClient, start: str, headers: list[str]) -> None:
    """Headers above 16 KiB, more than 64 and a URL above 2 KiB are refused (security I2)."""
    status, _, _ = exchange(wire.server, head(start, *headers, "content-length: 0"))
    assert status == 0 or status >= 400


def test_usual_heads_are_served(wire: WireClient) -> None:
    """Heads within the limits are served (security I2)."""
    headers = [f"x-fill-{at}: {'x' * 200}" for at in range(50)]
    path = "/v1/user/captcha?" + "x" * 1500
    assert ask(wire.server, *post_parts(path, *headers)).code == 1
