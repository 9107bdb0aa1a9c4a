"""The requests of a client in the first second after its sign-in, in order (wire.md 8.1 to 8.4)."""

from dataclasses import dataclass, field

import pytest

from tests.support import pb
from tests.support.answers import JSON_TYPE, PROTOBUF_TYPE
from tests.support.client import Body, WireClient
from tests.support.pictures import decode, picture, policy_of, send_form, token_of
from tests.support.sockets import INVALID, SocketClient, acknowledgement

pytestmark = pytest.mark.one_engine

NO_LIST = "d41d8cd98f00b204e9800998ecf8427e"
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclass(frozen=True)
class Step:
    """One request of a client, with its own headers."""

    method: str
    path: str
    body: Body = b""
    answered: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)


def protobuf(path: str, body: bytes = b"", content_type: str = PROTOBUF) -> Step:
    """Return a protobuf request with the client's content type."""
    headers = {"content-type": content_type} if content_type else {}
    return Step("POST", path, body, PROTOBUF_TYPE, headers)


def json_step(path: str, body: Body = b"", content_type: str = JSON) -> Step:
    """Return a JSON request."""
    headers = {"content-type": content_type} if content_type else {}
    return Step("POST", path, body, JSON_TYPE, headers)


# A mobile client: everything in protobuf, its shop and tasks in JSON.
MOBILE = (
    Step("GET", "/v1/misc/setting"),
    Step("GET", "/v1/misc/gray-status"),
    Step("GET", "/v1/user/info", answered=PROTOBUF_TYPE),
    Step("GET", "/v1/misc/configure-distribution"),
    protobuf("/v1/conversation/list"),
    json_step("/v1/sticky/list"),
    protobuf("/v1/friend/address-book-list", pb.text(2, "")),
    protobuf("/v1/friend/request-list"),
    json_step("/v1/user/module-ignore-info", {"deviceId": "d"}),
    json_step(
        "/v1/user/notification-info",
        {"deviceId": "d", "registrationId": "r", "isOpen": 1, "type": 2},
    ),
    json_step("/v1/user/get-user-show-adv"),
    json_step("/v1/beta/info"),
    json_step("/v1/coin/task/my-task-info"),
    json_step("/v1/vip/vip-product-list"),
    Step("GET", "/v1/vip/vip-benefits-list"),
    json_step("/v1/coin/shop/product-recommend", {"size": 20, "page": 1}),
    json_step("/v1/user/invite/invite-progress"),
    json_step("/v1/conversation/dismiss-notification", {"chatId": "1"}),
    protobuf("/v1/conversation/list", pb.text(2, NO_LIST)),
    protobuf("/v1/friend/address-book-list", pb.text(2, NO_LIST)),
)
# A desktop client: protobuf sent as JSON, JSON as plain text or without a type.
DESKTOP = (
    Step("GET", "/v1/user/info", answered=PROTOBUF_TYPE),
    protobuf("/v1/conversation/list", pb.text(2, ""), JSON),
    protobuf("/v1/friend/address-book-list", pb.text(2, ""), JSON),
    json_step("/v1/friend/request-list", {"size": 20, "page": 1}, "text/plain"),
    json_step("/v1/sticky/list", b"{}", ""),
    json_step("/v1/search/home-search", {"word": "湖"}, "text/plain"),
    json_step("/v1/conversation/remove", {"chatId": "1"}, ""),
    json_step("/v1/conversation/sort-change", {"chatId": "1", "sort": 1}, ""),
)
# A client of the web surface and the app's: JSON forms of protobuf endpoints, two profiles.
BROWSER = (
    json_step("/v1/conversation/list", {"md5": ""}),
    json_step("/v1/friend/address-book-list", {"md5": NO_LIST}),
    json_step("/v1/friend/request-list", {"size": 20, "page": 1}),
    Step("GET", "/web/v1/user/info"),
    json_step("/web/v1/group/group-info", {"groupId": "123456789"}),
    json_step("/web/v1/bot/bot-info", {"botId": "12345678"}),
)


@pytest.mark.parametrize("steps", [MOBILE, DESKTOP, BROWSER], ids=["mobile", "desktop", "browser"])
def test_no_first_screen_is_an_error(wire: WireClient, steps: tuple[Step, ...]) -> None:
    """Each response is HTTP 200 and code 1, on the first and on the second visit."""
    phone = wire.fresh_phone()
    token = wire.account(phone=phone, vipDays=3).token
    for visit in (token, wire.signed_in(phone, deviceId="second", platform="windows")):
        for step in steps:
            reply = wire.request(
                step.method, step.path, step.body, token=visit, headers=step.headers
            )
            named = f"{step.method} {step.path}"
            assert (reply.status_code, reply.headers["content-type"]) == (200, step.answered), named
            assert reply.headers["x-result"] == "ok", named
            if step.answered == PROTOBUF_TYPE:
                assert pb.decode(reply.content).message(1).signed(2) == 1, named
            else:
                value = reply.json()
                assert value.get("status", value)["code"] == 1, named


def ask(wire: WireClient, step: Step, token: str) -> None:
    """Send one request, which must succeed."""
    reply = wire.request(step.method, step.path, step.body, token=token, headers=step.headers)
    assert (reply.status_code, reply.headers["x-result"]) == (200, "ok"), (step, reply.text)


def test_an_evening_with_a_client(wire: WireClient) -> None:
    """Sign-in by code, socket, lists, a draft, an avatar upload and sign-out work (8.1-8.4).

    The socket stays open meanwhile, as in a client, and is closed at once when the session ends.
    """
    phone = wire.fresh_phone()
    wire.account(phone=phone, vipDays=3)  # one of the first lists needs VIP
    login = wire.sign_in(phone, wire.sms_code(phone), deviceId="d", platform="windows")
    token = login.text("token")
    me = wire.own_info(token).pb_data
    user_id = me.text(1)
    first = wire.http.get(me.text(4).removeprefix(wire.server.url))
    assert decode(first.content).format == "PNG"  # everyone can see the picture

    with SocketClient(wire.server.port) as socket, SocketClient(wire.server.port) as other:
        socket.send("heartbeat", seq="0")  # before the login, as one client does
        assert socket.receive() == acknowledgement("0")
        socket.send("login", {"userId": user_id, "token": "nonsense", "platform": "x"})
        assert socket.receive() == INVALID
        data = {"userId": user_id, "token": token, "platform": "windows", "deviceId": "d"}
        socket.send("login", data)
        socket.beat()
        for step in (*MOBILE, *DESKTOP, *BROWSER):
            ask(wire, step, token)
        socket.beat()

        phone_token = wire.signed_in(phone, deviceId="phone", platform="android")
        other.log_in(phone_token, userId=phone_token)  # one client sends its token as userId
        other.send("inputInfo", {"chatId": "7058262", "input": "晚上好", "deviceId": "phone"})
        assert "晚上好".encode() in socket.receive()

        upload_token = token_of(wire, token)
        bucket = str(policy_of(upload_token)["scope"]).split(":")[0]
        query = f"/v4/query?ak={upload_token.split(':')[0]}&bucket={bucket}"
        hosts = wire.request("GET", query, headers={"host": "api.qiniu.com"}).json()
        parts = [("file", picture("WEBP")), ("token", upload_token.encode()), ("key", b"me.webp")]
        upload_host = {"host": hosts["hosts"][0]["up"]["domains"][0]}
        sent = send_form(wire, parts, path="/", headers=upload_host)
        assert sent.json()["key"] == "me.webp"
        address = pb.text(2, "https://chat-img.jwznb.com/me.webp")
        assert wire.post("user/edit-avatar", address, token=token).code == 1
        shown = wire.get_user(user_id, phone_token).pb_data.text(4)
        path = f"{shown.removeprefix(wire.server.url)}?imageView2/2/w/120/h/120"
        assert decode(wire.http.get(path, headers={"referer": "http://a"}).content).format == "WEBP"

        assert wire.post("user/logout", {"deviceId": "d"}, token=token).code == 1
        assert socket.closed() == 4001
        other.beat()
