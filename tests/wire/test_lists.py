"""Lists that are empty without a message server, and unserved paths (wire.md 8.2)."""

import json

import httpx
import pytest

from tests.support import pb
from tests.support.answers import JSON_TYPE, PROTOBUF_TYPE
from tests.support.client import WireClient

CONVERSATIONS = "/v1/conversation/list"
CONTACTS = "/v1/friend/address-book-list"
REQUESTS = "/v1/friend/request-list"
NO_BYTES = "d41d8cd98f00b204e9800998ecf8427e"
# 4 md5, as in wire.md 8.2: the hexadecimal md5 of nothing.
CONVERSATIONS_TAIL = b"\x22\x20" + NO_BYTES.encode()
CONTACTS_TAIL = (
    bytes.fromhex("120a 0a06e794a8e688b7 1801")
    + bytes.fromhex("1216 0a12e68891e58aa0e585a5e79a84e7bea4e8818a 1802")
    + bytes.fromhex("120d 0a09e69cbae599a8e4baba 1803")
    + b"\x1a\x20"
    + NO_BYTES.encode()
)
LIST = b'{"code":1,"data":{"list":[]},"msg":"success"}'
OTHER_MD5 = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def token(wire: WireClient) -> str:
    """Return a member's token."""
    return wire.account().token


def ask(
    wire: WireClient, token: str, path: str, body: bytes = b"", content_type: str = ""
) -> httpx.Response:
    """Send a body with a content type, or without one."""
    headers = {"content-type": content_type} if content_type else {}
    return wire.request("POST", path, body, token=token, headers=headers)


def success(reply: httpx.Response) -> bytes:
    """Return the status of a protobuf success, with the id in the response's header."""
    status = b"\x08" + pb.varint(int(reply.headers["x-request-id"])) + b"\x10\x01\x1a\x07success"
    return b"\x0a" + pb.varint(len(status)) + status


@pytest.mark.parametrize(
    ("path", "tail"),
    [(CONVERSATIONS, CONVERSATIONS_TAIL), (CONTACTS, CONTACTS_TAIL), (REQUESTS, b"")],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        pb.text(2, ""),
        pb.text(2, OTHER_MD5),
        pb.text(2, NO_BYTES),
        pb.text(2, "x" * 64),
        pb.number(2, 5),
        pb.text(1, "a") + pb.number(9, 2**63),
    ],
)
def test_protobuf_lists(wire: WireClient, token: str, path: str, tail: bytes, body: bytes) -> None:
    """The list is empty for every client, byte for byte (wire.md 8.2)."""
    for content_type in ("", "application/x-protobuf", "application/json"):
        reply = ask(wire, token, path, body, content_type)
        assert (reply.status_code, reply.headers["content-type"]) == (200, PROTOBUF_TYPE)
        assert reply.content == success(reply) + tail


CONVERSATIONS_JSON = '{"status":%s,"data":[],"total":0,"md5":"' + NO_BYTES + '"}'
CONTACTS_JSON = (
    '{"status":%s,"data":[{"list_name":"用户","data":[],"chat_type":1},'
    '{"list_name":"我加入的群聊","data":[],"chat_type":2},'
    '{"list_name":"机器人","data":[],"chat_type":3}],"md5":"' + NO_BYTES + '"}'
)


@pytest.mark.parametrize(
    ("path", "golden"), [(CONVERSATIONS, CONVERSATIONS_JSON), (CONTACTS, CONTACTS_JSON)]
)
@pytest.mark.parametrize("body", [b"{}", b' {"md5":""}', b'{"md5":"' + NO_BYTES.encode() + b'"}'])
def test_json_form(wire: WireClient, token: str, path: str, golden: str, body: bytes) -> None:
    """The JSON form has the names of the messages (wire.md 1.3)."""
    reply = ask(wire, token, path, body, "application/json")
    assert reply.headers["content-type"] == JSON_TYPE
    number = reply.headers["x-request-id"]
    status = f'{{"number":{number},"code":1,"msg":"success"}}'
    assert reply.content.decode() == golden % status


@pytest.mark.one_engine
@pytest.mark.parametrize("path", [CONVERSATIONS, CONTACTS])
@pytest.mark.parametrize(
    "body", [b'{"md5":5}', b'{"md5":["a"]}', b"{", b'{"md5":"\xff"}', b'{"a":' * 3_000]
)
def test_broken_json_is_refused(wire: WireClient, token: str, path: str, body: bytes) -> None:
    """An invalid JSON form is 1100 with only the status (wire.md 1.6, 2)."""
    reply = ask(wire, token, path, body, "application/json")
    value = reply.json()
    assert (reply.status_code, set(value), value["status"]["code"]) == (200, {"status"}, 1100)


@pytest.mark.one_engine
@pytest.mark.parametrize("path", [CONVERSATIONS, CONTACTS])
@pytest.mark.parametrize(
    "body", ["120100", "1203e6b996", f"1241{'41' * 65}", "1205", "12 02 fffe", "16 61", "12", "ff"]
)
def test_broken_protobuf_is_refused(wire: WireClient, token: str, path: str, body: str) -> None:
    """An invalid message is 1100 in protobuf, with only the status (security I6)."""
    reply = ask(wire, token, path, bytes.fromhex(body))
    message = pb.decode(reply.content)
    assert (reply.headers["content-type"], set(message.kinds())) == (PROTOBUF_TYPE, {1})
    assert message.message(1).signed(2) == 1100


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain"])
@pytest.mark.parametrize("body", [b'{"size":20,"page":1}', b"{}", b' {"size":"x"}', b"{"])
def test_friend_requests_of_a_json_client(
    wire: WireClient, token: str, content_type: str, body: bytes
) -> None:
    """A client that sends JSON reads data.list, with any content type (wire.md 8.2)."""
    reply = ask(wire, token, REQUESTS, body, content_type)
    assert (reply.status_code, reply.headers["content-type"]) == (200, JSON_TYPE)
    assert reply.content == LIST


@pytest.mark.one_engine
def test_a_json_client_is_refused_in_json(wire: WireClient) -> None:
    """An invalid token is refused in JSON (wire.md 1.7)."""
    reply = ask(wire, "not a token", REQUESTS, b'{"size":20,"page":1}')
    assert reply.json() == {"code": -101, "msg": "未登录"}


NOTHING = b'{"code":1,"msg":"success"}'


@pytest.mark.parametrize(
    ("path", "golden"),
    [
        ("/v1/sticky/list", b'{"code":1,"data":{"sticky":[]},"msg":"success"}'),
        ("/v1/conversation/dismiss-notification", NOTHING),
        ("/v1/conversation/remove", NOTHING),
        ("/v1/conversation/sort-change", NOTHING),
        ("/v1/beta/info", b'{"code":1,"data":{"beta":"noapply","info":""},"msg":"success"}'),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}", b'{"chatId":"7"}', b"nonsense", b"\xff" * 60_000])
def test_json_lists(wire: WireClient, token: str, path: str, golden: bytes, body: bytes) -> None:
    """Without a documented body any is accepted (wire.md 1.4, 8.2)."""
    reply = ask(wire, token, path, body)
    assert (reply.status_code, reply.headers["content-type"]) == (200, JSON_TYPE)
    assert reply.content == golden


OUTSIDE_MESSAGE = "本服务器只提供账号功能，没有此接口"


@pytest.mark.one_engine
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/msg/list-message",
        "/v1/group/info",
        "/v1/community/ba/list",
        "/v1/sticker/list",
        "/v1/disk/file-list",
        "/v1/live/live-room",
        "/web/v1/msg/anything",
    ],
)
def test_outside_is_404_in_both_forms(wire: WireClient, method: str, path: str) -> None:
    """Paths beyond accounts are HTTP 404, in the request's format (wire.md 8.2)."""
    for content_type in ("application/json", "text/plain", ""):
        headers = {"content-type": content_type} if content_type else {}
        reply = wire.request(method, path, b"{}", headers=headers)
        assert (reply.status_code, reply.headers["content-type"]) == (404, JSON_TYPE)
        assert json.loads(reply.content) == {"code": 1105, "msg": OUTSIDE_MESSAGE}
    for content_type in ("application/x-protobuf", "application/octet-stream; a=b"):
        reply = wire.request(method, path, b"\x12\x01a", headers={"content-type": content_type})
        assert (reply.status_code, reply.headers["content-type"]) == (404, PROTOBUF_TYPE)
        message = pb.decode(reply.content)
        assert set(message.kinds()) == {1}
        status = message.message(1)
        assert (status.signed(2), status.text(3)) == (1105, OUTSIDE_MESSAGE)
        assert status.number(1) == int(reply.headers["x-request-id"])


@pytest.mark.one_engine
@pytest.mark.parametrize("path", ["/v1/msg", "/v1/msg/", "/v1/msgs/list", "/msg/list", "/v2/msg/a"])
def test_near_outside_is_unknown(wire: WireClient, path: str) -> None:
    """Any other path is unknown (wire.md 1.1)."""
    reply = wire.request("POST", path)
    assert (reply.status_code, reply.json()["code"]) == (404, 1104)


def test_every_list_needs_a_token(wire: WireClient) -> None:
    """Without a token the response is -101 in JSON (wire.md 1.7)."""
    for path in (CONVERSATIONS, CONTACTS, REQUESTS, "/v1/sticky/list", "/v1/beta/info"):
        for body in (b"", b"{}"):
            assert wire.request("POST", path, body).json() == {"code": -101, "msg": "未登录"}
