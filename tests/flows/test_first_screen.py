"""What a client asks in the second after it signed in, in its order (wire.md 8.2, 8.3)."""

from dataclasses import dataclass, field

import pytest

from tests.support import pb
from tests.support.answers import JSON_TYPE, PROTOBUF_TYPE
from tests.support.client import Body, WireClient

pytestmark = pytest.mark.one_engine

NO_LIST = "d41d8cd98f00b204e9800998ecf8427e"
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclass(frozen=True)
class Step:
    """One request of a client, with the headers that it names itself."""

    method: str
    path: str
    body: Body = b""
    answered: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)


def protobuf(path: str, body: bytes = b"", content_type: str = PROTOBUF) -> Step:
    """A protobuf request, under the type that the client names."""
    headers = {"content-type": content_type} if content_type else {}
    return Step("POST", path, body, PROTOBUF_TYPE, headers)


def json_step(path: str, body: Body = b"", content_type: str = JSON) -> Step:
    """Return the step of a JSON request."""
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
# A desktop client: protobuf under the type of JSON, JSON as plain text or without a type.
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
# A client of the web surface next to the app's: JSON forms of protobuf endpoints, two profiles.
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
    """Each request is HTTP 200 and code 1 in its form, on a first and on a second visit."""
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
