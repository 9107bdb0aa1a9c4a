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


def told(path: str, body: Body = b"", content_type: str = JSON) -> Step:
    """A JSON request."""
    headers = {"content-type": content_type} if content_type else {}
    return Step("POST", path, body, JSON_TYPE, headers)


# A mobile client: everything in protobuf, its shop and tasks in JSON.
MOBILE = (
    Step("GET", "/v1/misc/setting"),
    Step("GET", "/v1/misc/gray-status"),
    Step("GET", "/v1/user/info", answered=PROTOBUF_TYPE),
    Step("GET", "/v1/misc/configure-distribution"),
    protobuf("/v1/conversation/list"),
    told("/v1/sticky/list"),
    protobuf("/v1/friend/address-book-list", pb.text(2, "")),
    protobuf("/v1/friend/request-list"),
    told("/v1/user/module-ignore-info", {"deviceId": "d"}),
    told(
        "/v1/user/notification-info",
        {"deviceId": "d", "registrationId": "r", "isOpen": 1, "type": 2},
    ),
    told("/v1/user/get-user-show-adv"),
    told("/v1/beta/info"),
    told("/v1/coin/task/my-task-info"),
    told("/v1/vip/vip-product-list"),
    Step("GET", "/v1/vip/vip-benefits-list"),
    told("/v1/coin/shop/product-recommend", {"size": 20, "page": 1}),
    told("/v1/user/invite/invite-progress"),
    told("/v1/conversation/dismiss-notification", {"chatId": "1"}),
    protobuf("/v1/conversation/list", pb.text(2, NO_LIST)),
    protobuf("/v1/friend/address-book-list", pb.text(2, NO_LIST)),
)
# A desktop client: protobuf under the type of JSON, JSON as plain text or without a type.
DESKTOP = (
    Step("GET", "/v1/user/info", answered=PROTOBUF_TYPE),
    protobuf("/v1/conversation/list", pb.text(2, ""), JSON),
    protobuf("/v1/friend/address-book-list", pb.text(2, ""), JSON),
    told("/v1/friend/request-list", {"size": 20, "page": 1}, "text/plain"),
    told("/v1/sticky/list", b"{}", ""),
    told("/v1/search/home-search", {"word": "湖"}, "text/plain"),
    told("/v1/conversation/remove", {"chatId": "1"}, ""),
    told("/v1/conversation/sort-change", {"chatId": "1", "sort": 1}, ""),
)
# A client of the web surface beside the app's: JSON forms of protobuf endpoints, two profiles.
BROWSER = (
    told("/v1/conversation/list", {"md5": ""}),
    told("/v1/friend/address-book-list", {"md5": NO_LIST}),
    told("/v1/friend/request-list", {"size": 20, "page": 1}),
    Step("GET", "/web/v1/user/info"),
    told("/web/v1/group/group-info", {"groupId": "123456789"}),
    told("/web/v1/bot/bot-info", {"botId": "12345678"}),
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
