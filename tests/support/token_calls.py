"""A valid request to every endpoint that needs a token."""

from dataclasses import dataclass, field

import httpx

from tests.support import pb
from tests.support.client import Body, WireClient

DEVICE: dict[str, object] = {"deviceId": "d"}
NOTICE: dict[str, object] = {**DEVICE, "registrationId": "r"}
PAGE: dict[str, object] = {"size": 20, "page": 1}
PHONE: dict[str, object] = {"phone": "13911112222", "captcha": "123456"}
EMAIL: dict[str, object] = {"email": "a@example.com", "captcha": "123456"}
REMARKS: dict[str, object] = {"friendId": "1000001", "name": "n", "phone": "", "others": ""}
WISH: dict[str, object] = {"category": "精选", "keyword": "", **PAGE}


@dataclass(frozen=True)
class Call:
    """A request that is valid except for its token."""

    path: str
    body: Body = b""
    form: str = "json"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return a name for the test's report."""
        return f"{self.method} {self.headers.get('host', '')}{self.path}"

    def send(self, wire: WireClient, token: str | None, **headers: str) -> httpx.Response:
        """Send the request with a token or without one."""
        named = {**self.headers, **headers}
        return wire.request(self.method, self.path, self.body, token=token, headers=named)


WEB = {"host": "chat-web-go.example"}
WEB_RECORD = "v1/user/gold-coin-increase-decrease-record?size=20&page=1"
CALLS = [
    Call("/v1/user/info", form="protobuf", method="GET"),
    Call("/v1/user/medal", form="protobuf"),
    Call("/v1/user/edit-nickname", pb.text(3, "n"), form="protobuf"),
    Call("/v1/user/edit-avatar", pb.text(2, "https://a.example/a.png"), form="protobuf"),
    Call("/v1/user/clients", form="protobuf", method="GET"),
    Call("/v1/misc/qiniu-token", method="GET"),
    Call("/v1/user/recommend-category-list", {"appChannel": "default"}),
    Call("/v1/user/recommend-list", WISH),
    Call("/v1/user/recommend"),
    Call("/v1/user/module-ignore-info", DEVICE),
    Call("/v1/user/module-ignore", {**DEVICE, "ignore": ",10"}),
    Call("/v1/user/notification-status", NOTICE),
    Call("/v1/user/notification-info", {**NOTICE, "isOpen": 1, "type": 2}),
    Call("/v1/user/gold-coin-increase-decrease-record", PAGE),
    Call("/v1/user/bing-phone", PHONE),
    Call("/v1/user/change-phone-check", PHONE),
    Call("/v1/user/bing-email", EMAIL),
    Call("/v1/user/change-email-check", EMAIL),
    Call("/v1/user/save-user-data", {"gender": 1}),
    Call("/v1/user/get-user-data"),
    Call("/v1/user/get-user-show-adv"),
    Call("/v1/user/save-user-remarks", REMARKS),
    Call("/v1/user/cancel-user", PHONE),
    Call("/v1/user/device-offline", {"deviceId": "elsewhere"}),
    Call("/v1/user/invite/invite-progress"),
    Call("/v1/user/invite/change-user-invite-code", {"code": "ABC123"}),
    Call("/v1/conversation/list", pb.text(2, "0"), form="protobuf"),
    Call("/v1/friend/address-book-list", pb.text(2, "0"), form="protobuf"),
    Call("/v1/friend/request-list", form="protobuf"),
    Call("/v1/sticky/list"),
    Call("/v1/conversation/dismiss-notification"),
    Call("/v1/conversation/remove"),
    Call("/v1/conversation/sort-change"),
    Call("/v1/beta/info"),
    Call("/v1/misc/configure-distribution", method="GET"),
    Call("/v1/search/home-search", {"word": "n"}),
    Call("/v1/coin/shop/product-recommend", PAGE),
    Call("/v1/coin/shop/product-detail", {"id": 1}),
    Call("/v1/coin/shop/order-create", {"productId": 1, "price": 1}),
    Call("/v1/coin/task/my-task-info"),
    Call("/v1/vip/vip-product-list"),
    Call("/v1/vip/vip-benefits-list", method="GET"),
    Call("/web/v1/user/info", method="GET"),
    Call(f"/web/{WEB_RECORD}", method="GET"),
    Call("/v1/user/info", method="GET", headers=WEB),
    Call(f"/{WEB_RECORD}", method="GET", headers=WEB),
]
