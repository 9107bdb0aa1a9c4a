"""Rules for every endpoint: types, ids, result classes (wire.md 1, security D3)."""

import pytest

from tests.support import pb
from tests.support.answers import read_answer
from tests.support.client import WireClient
from tests.support.raw_http import ask, post_parts

pytestmark = pytest.mark.one_engine

JSON_ENDPOINTS = [
    "user/captcha",
    "verification/get-verification-code",
    "verification/get-email-verification-code",
    "user/verification-login",
    "user/email-login",
    "user/logout",
]
CONTENT_TYPES = [
    None,
    "",
    "text/plain",
    "text/plain;charset=UTF-8",
    "application/json",
    "application/json; charset=utf-8",
    "application/x-protobuf",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "not a type",
]


def typed(content_type: str | None) -> dict[str, str]:
    """Return the header, or none."""
    return {} if content_type is None else {"content-type": content_type}


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_json_is_read_under_every_type(wire: WireClient, content_type: str | None) -> None:
    """A JSON endpoint parses JSON with every Content-Type and without one (wire.md 1.3)."""
    phone = wire.fresh_phone()
    body = {"mobile": phone, "captcha": wire.sms_code(phone), "deviceId": "d", "platform": "web"}
    answer = wire.post("user/verification-login", body, headers=typed(content_type))
    assert answer.form == "json"
    assert answer.text("token")


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_protobuf_is_read_under_every_type(wire: WireClient, content_type: str | None) -> None:
    """A protobuf endpoint parses protobuf with every Content-Type and without one (wire.md 1.3)."""
    account = wire.account(nickname="湖")
    answer = wire.post(
        "user/get-user", pb.text(2, account.id), token="any", headers=typed(content_type)
    )
    assert answer.form == "protobuf"
    assert answer.pb_data.text(2) == "湖"


@pytest.mark.parametrize("path", JSON_ENDPOINTS)
def test_json_endpoints_refuse_in_json(wire: WireClient, path: str) -> None:
    """A refusal is HTTP 200 and JSON, with code and msg and without data (wire.md 1.5, 1.6)."""
    answer = wire.post(path, b"{}" if path != "user/logout" else b"")
    assert answer.form == "json"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"a": 1, "b": [{}]}', b"   ", b"not JSON", b"\x12\x01a", b"\xff\xfe"]
)
@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-protobuf"])
def test_undocumented_body_is_ignored(
    wire: WireClient, body: bytes, content_type: str | None
) -> None:
    """An endpoint without a documented body accepts any (wire.md 1.4)."""
    assert wire.post("user/captcha", body, headers=typed(content_type)).text("id")
    account = wire.account()
    reply = wire.request(
        "GET", "/v1/user/info", body, token=account.token, headers=typed(content_type)
    )
    answer = read_answer(reply.status_code, reply.headers, reply.content)
    assert answer.pb_data.text(1) == account.id


def test_no_content_length(wire: WireClient) -> None:
    """A POST without Content-Length has no body (wire.md 1.4)."""
    head = b"POST /v1/user/captcha HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    assert ask(wire.server, head).text("id")


def test_raw_request_without_type(wire: WireClient) -> None:
    """A request with the minimum of headers is served (wire.md 1.3)."""
    phone = wire.fresh_phone()
    body = f'{{"mobile":"{phone}","captcha":"{wire.sms_code(phone)}"}}'.encode()
    answer = ask(wire.server, *post_parts("/v1/user/verification-login", body=body))
    assert answer.text("token")


def test_chunked_body(wire: WireClient) -> None:
    """A chunked body is accepted like any other (security I1)."""
    phone = wire.fresh_phone()
    body = f'{{"mobile":"{phone}","captcha":"{wire.sms_code(phone)}"}}'.encode()
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    assert wire.post("user/verification-login", pieces).text("token")


def test_request_ids_are_unique(wire: WireClient) -> None:
    """status.number and x-request-id are one id that no two requests share (wire.md 1.8)."""
    answers = [wire.post("user/captcha") for _ in range(20)]
    answers += [wire.get_user("1") for _ in range(20)]
    answers += [wire.own_info(None) for _ in range(20)]
    assert len({answer.request_id for answer in answers}) == len(answers)


@pytest.mark.parametrize("path", ["user/captcha", "user/get-user"])
def test_unasked_answers_are_not_compressed(wire: WireClient, path: str) -> None:
    """Without Accept-Encoding nothing is compressed (wire.md 1.10)."""
    body = pb.text(2, wire.account().id) if path == "user/get-user" else b""
    answer = ask(wire.server, *post_parts(f"/v1/{path}", "token: any", body=body))
    assert answer.code == 1
    assert "content-encoding" not in answer.headers


def test_asked_compression_can_be_undone(wire: WireClient) -> None:
    """With Accept-Encoding: gzip the response is the same once decompressed (wire.md 1.10)."""
    answer = wire.post("user/captcha", headers={"accept-encoding": "gzip"})
    assert answer.text("b64s").startswith("data:image/png;base64,")
