"""The JSON form of a protobuf endpoint (wire.md 1.3, the one extension)."""

import json

import httpx
import pytest

from tests.support import pb
from tests.support.answers import JSON_TYPE, PROTOBUF_TYPE
from tests.support.client import WireClient

pytestmark = pytest.mark.one_engine

PATH = "/v1/user/get-user"
JSON_TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
]


def ask(wire: WireClient, body: bytes, content_type: str | None) -> httpx.Response:
    """Send a body with a content type."""
    headers = {} if content_type is None else {"content-type": content_type}
    return wire.request("POST", PATH, body, token="any", headers=headers)


def body_for(user_id: str) -> bytes:
    """Return the JSON form of a request."""
    return json.dumps({"id": user_id}).encode()


def result_code(reply: httpx.Response) -> int:
    """Return the code of a JSON response, in the message's status or next to the msg."""
    assert reply.headers["content-type"] == JSON_TYPE
    value = reply.json()
    status = value.get("status", value)
    code = status["code"]
    assert type(code) is int
    assert isinstance(status["msg"], str)
    return code


@pytest.mark.parametrize("content_type", JSON_TYPES)
@pytest.mark.parametrize("blanks", [b"", b" ", b"\r\n\t  "])
def test_json_is_answered_with_json(wire: WireClient, content_type: str, blanks: bytes) -> None:
    """A body that starts with a brace and is application/json is the JSON form (wire.md 1.3)."""
    account = wire.account(nickname="湖畔", medals=["勋章"], vipDays=3)
    reply = ask(wire, blanks + body_for(account.id), content_type)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == JSON_TYPE
    value = reply.json()
    assert value["status"]["code"] == 1
    assert value["status"]["msg"] == "success"
    assert int(value["status"]["number"]) == int(reply.headers["x-request-id"])
    data = value["data"]
    assert (data["id"], data["name"]) == (account.id, "湖畔")
    assert data["is_vip"] == 1
    assert [medal["name"] for medal in data["medal"]] == ["勋章"]
    assert data["register_time"] == wire.get_user(account.id).pb_data.text(7)


@pytest.mark.parametrize(
    "content_type", [None, "application/octet-stream", "application/x-protobuf", "text/plain"]
)
def test_brace_under_another_type_is_no_json(wire: WireClient, content_type: str | None) -> None:
    """With any other type a brace is invalid protobuf (wire.md 1.3)."""
    reply = ask(wire, body_for(wire.account().id), content_type)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == PROTOBUF_TYPE
    message = pb.decode(reply.content)
    assert message.message(1).signed(2) > 1
    assert not message.has(2)


def test_protobuf_under_the_json_type_stays_protobuf(wire: WireClient) -> None:
    """Protobuf sent as application/json gets protobuf (wire.md 1.3)."""
    account = wire.account()
    reply = ask(wire, pb.text(2, account.id), "application/json")
    assert reply.headers["content-type"] == PROTOBUF_TYPE
    assert pb.decode(reply.content).message(2).text(1) == account.id


def test_refusals_are_json_too(wire: WireClient) -> None:
    """An unknown id and a missing one are refused in JSON, without data (wire.md 1.3, 1.6)."""
    unknown = ask(wire, body_for("999999999999999"), "application/json")
    assert result_code(unknown) == 4402
    missing = ask(wire, b"{}", "application/json")
    assert result_code(missing) == 1100
    assert "data" not in unknown.json()
    assert "data" not in missing.json()


def test_unknown_keys_are_ignored(wire: WireClient) -> None:
    """Unknown keys are ignored in the JSON form as well (wire.md 1.4)."""
    account = wire.account()
    body = json.dumps({"x": {"y": [1]}, "id": account.id, "number": 2}).encode()
    assert ask(wire, body, "application/json").json()["data"]["id"] == account.id


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"id"',
        b'{"id": NaN}',
        b'{"id": 5}',
        b'{"id": null}',
        b'{"id": ["a"]}',
        b'{"id": "\\ud800"}',
        b'{"id": "\xff"}',
        b'{"id": "a"} {"id": "b"}',
        b'{"id": ' + b"[" * 10_000,
        b'{"a":' * 3_000,
        b'{"@type": "type.googleapis.com/google.protobuf.Any", "value": {}}',
    ],
)
def test_broken_json_is_refused(wire: WireClient, body: bytes) -> None:
    """An invalid JSON form is refused without a server error (wire.md 2)."""
    reply = ask(wire, body, "application/json")
    assert reply.status_code == 200
    assert reply.headers["x-result"] == "refused"
    assert wire.request("GET", "/healthz").status_code == 200
