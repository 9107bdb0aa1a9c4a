"""Each endpoint of the server, as a stranger who reads its pages would call it."""

from dataclasses import dataclass

import httpx

from tests.support import pb
from tests.support.answers import Answer, read_answer
from tests.support.client import Body, WireClient

_DEVICE: dict[str, object] = {"deviceId": "elsewhere"}
_NOTICE: dict[str, object] = {**_DEVICE, "registrationId": "r"}
_PAGE: dict[str, object] = {"size": 20, "page": 1}
_PHONE: dict[str, object] = {"phone": "13911112222", "captcha": "100000"}
_EMAIL: dict[str, object] = {"email": "a@example.com", "captcha": "100000"}
_SOLVED: dict[str, object] = {"code": "ABCD", "id": "unknown"}
_WEB_RECORD = "/web/v1/user/gold-coin-increase-decrease-record"


@dataclass(frozen=True)
class Call:
    """A request that is right in form.

    Attributes:
        path: as it is sent; what begins with `/web` is the web surface.
        body: JSON, or protobuf bytes.
    """

    method: str
    path: str
    body: Body = b""

    @property
    def key(self) -> str:
        """Method and path, without the query."""
        return f"{self.method} {self.path.partition('?')[0]}"

    def reply(self, wire: WireClient, token: str | None, **headers: str) -> httpx.Response:
        """Send it."""
        return wire.request(self.method, self.path, self.body, token=token, headers=headers)

    def answer(self, wire: WireClient, token: str | None) -> Answer:
        """Send it and read the answer."""
        reply = self.reply(wire, token)
        return read_answer(reply.status_code, reply.headers, reply.content)


def _post(path: str, body: Body = b"") -> Call:
    return Call("POST", f"/v1/{path}", body)


CALLS = (
    _post("user/captcha"),
    _post("captcha/get"),
    _post("verification/get-verification-code", {"mobile": "13911112222", **_SOLVED}),
    _post("verification/get-email-verification-code", {"email": "a@example.com", **_SOLVED}),
    _post("user/verification-login", {"mobile": "13911112222", "captcha": "100000"}),
    _post("user/email-login", {"email": "a@example.com", "password": "no such one"}),
    _post("user/forget-password", {**_EMAIL, "password": "the lake at seven"}),
    _post("user/get-user", pb.text(2, "1")),
    Call("GET", "/v1/user/info"),
    _post("user/medal"),
    _post("user/edit-nickname", pb.text(3, "n")),
    _post("user/edit-avatar", pb.text(2, "https://a.example/a.png")),
    Call("GET", "/v1/user/clients"),
    _post("user/logout"),
    _post("user/recommend-category-list", {"appChannel": "default"}),
    _post("user/recommend-list", {"category": "", "keyword": "", **_PAGE}),
    _post("user/recommend"),
    _post("user/module-ignore-info", _DEVICE),
    _post("user/module-ignore", {**_DEVICE, "ignore": ",10"}),
    _post("user/notification-status", _NOTICE),
    _post("user/notification-info", {**_NOTICE, "isOpen": 1, "type": 2}),
    _post("user/gold-coin-increase-decrease-record", _PAGE),
    _post("user/bing-phone", _PHONE),
    _post("user/change-phone-check", _PHONE),
    _post("user/bing-email", _EMAIL),
    _post("user/change-email-check", _EMAIL),
    _post("user/save-user-data", {"gender": 1}),
    _post("user/get-user-data"),
    _post("user/get-user-show-adv"),
    _post("user/save-user-remarks", {"friendId": "1", "name": "n", "phone": "", "others": ""}),
    _post("user/cancel-user", _PHONE),
    _post("user/device-offline", _DEVICE),
    _post("user/invite/invite-progress"),
    _post("user/invite/change-user-invite-code", {"code": "ABC12345"}),
    _post("conversation/list", pb.text(2, "0")),
    _post("friend/address-book-list", pb.text(2, "0")),
    _post("friend/request-list"),
    _post("sticky/list"),
    _post("conversation/dismiss-notification"),
    _post("conversation/remove"),
    _post("conversation/sort-change"),
    _post("beta/info"),
    Call("GET", "/v1/misc/configure-distribution"),
    Call("GET", "/v1/misc/setting"),
    Call("GET", "/v1/misc/gray-status"),
    _post("coin/task/my-task-info"),
    _post("vip/vip-product-list"),
    Call("GET", "/v1/vip/vip-benefits-list"),
    Call("POST", "/web/v1/group/group-info", {"groupId": "100000001"}),
    Call("POST", "/web/v1/bot/bot-info", {"botId": "10000001"}),
    Call("GET", "/web/v1/user/homepage?userId=1"),
    Call("GET", "/web/v1/user/info"),
    Call("GET", f"{_WEB_RECORD}?size=20&page=1"),
)
