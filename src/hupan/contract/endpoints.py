"""The table of endpoints (wire.md 4), shared by the server, clients, documentation and tests.

A request or response type that is a msgspec Struct travels as JSON, a protobuf Message as protobuf
(wire.md 1.3), so no column names the codec.
"""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from google.protobuf.message import Message
from msgspec import Struct

from hupan.contract.messages.codes import Captcha, EmailCodeRequest, SmsCodeRequest
from hupan.contract.messages.coins import CoinRecordPage, CoinRecordRequest
from hupan.contract.messages.contacts import EmailProof, PasswordResetRequest, PhoneProof
from hupan.contract.messages.deletion import AccountCancellation
from hupan.contract.messages.devices import (
    DeviceLogout,
    IgnoredModulesEdit,
    IgnoredModulesInfo,
    IgnoredModulesRequest,
    NotificationEdit,
    NotificationRequest,
    NotificationStatus,
)
from hupan.contract.messages.discovery import (
    AdvertConfig,
    BotList,
    CategoriesRequest,
    CategoryList,
    GroupList,
    GroupsRequest,
)
from hupan.contract.messages.invitations import InvitationCode, InviteProgress
from hupan.contract.messages.login import CodeLogin, EmailLogin, LoginToken
from hupan.contract.messages.profiles import (
    Homepage,
    HomepageRequest,
    PersonalDataEdit,
    PersonalDataResponse,
    RemarkEdit,
    WebInfo,
)
from hupan.contract.pb.hupan_pb2 import (
    Clients,
    EditAvatar,
    Edited,
    EditNickname,
    GetUser,
    Medals,
    OwnInfo,
    User,
)

Surface: TypeAlias = Literal["app", "web"]
Method: TypeAlias = Literal["GET", "POST"]


class Public:
    """Anybody may call."""


class OptionalSession:
    """A token that is not empty is asked for; only a valid one says who calls (wire.md 4, `t`)."""


class RequiredSession:
    """The token of a live session is needed (wire.md 4, `T`)."""


class RequiredVip:
    """The token of a live session is needed, and VIP in force (wire.md 4, `T, VIP`)."""


class AllowLoggedOut:
    """The token of a live session, or one that signed out: doing so twice succeeds (T5)."""


PUBLIC = Public()
OPTIONAL_SESSION = OptionalSession()
SESSION = RequiredSession()
VIP = RequiredVip()
ALLOW_LOGGED_OUT = AllowLoggedOut()

Access = TypeVar("Access", Public, OptionalSession, RequiredSession, RequiredVip, AllowLoggedOut)
Request = TypeVar("Request", bound=Struct | Message)
Response = TypeVar("Response", bound=Struct | Message)


class IgnoredBody(Struct):
    """The request of an endpoint without a documented body: anything is taken (wire.md 1.4)."""


class NoData(Struct):
    """The response of an endpoint that has nothing to say but success: no `data` key."""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Access, Request, Response]):
    """One line of the table.

    Attributes:
        surface: which of the two servers the client believes it talks to (wire.md 1.1).
        method: the only HTTP method that is routed.
        path: the whole path, always static.
        access: who may call.
        request: what the body is read as.
        response: what `data` (JSON) or the whole answer (protobuf) is written from.
    """

    surface: Surface
    method: Method
    path: str
    access: Access
    request: type[Request]
    response: type[Response]

    @property
    def key(self) -> tuple[Surface, str, str]:
        """What the dispatcher looks up: (surface, method, path)."""
        return self.surface, self.method, self.path


@dataclass(frozen=True, slots=True)
class EndpointBuilder:
    """Writes the lines of one surface: `app.post("/v1/…", PUBLIC, EmailLogin, LoginToken)`."""

    surface: Surface

    def post(
        self, path: str, access: Access, request: type[Request], response: type[Response]
    ) -> Endpoint[Access, Request, Response]:
        """A line for a POST."""
        return Endpoint(self.surface, "POST", path, access, request, response)

    def get(
        self, path: str, access: Access, request: type[Request], response: type[Response]
    ) -> Endpoint[Access, Request, Response]:
        """A line for a GET."""
        return Endpoint(self.surface, "GET", path, access, request, response)


app = EndpointBuilder("app")
web = EndpointBuilder("web")

create_captcha = app.post("/v1/user/captcha", PUBLIC, IgnoredBody, Captcha)
send_sms_code = app.post("/v1/verification/get-verification-code", PUBLIC, SmsCodeRequest, NoData)
send_email_code = app.post(
    "/v1/verification/get-email-verification-code", PUBLIC, EmailCodeRequest, NoData
)
code_login = app.post("/v1/user/verification-login", PUBLIC, CodeLogin, LoginToken)
email_login = app.post("/v1/user/email-login", PUBLIC, EmailLogin, LoginToken)
get_own_info = app.get("/v1/user/info", SESSION, IgnoredBody, OwnInfo)
get_user = app.post("/v1/user/get-user", OPTIONAL_SESSION, GetUser, User)
edit_nickname = app.post("/v1/user/edit-nickname", SESSION, EditNickname, Edited)
edit_avatar = app.post("/v1/user/edit-avatar", SESSION, EditAvatar, Edited)
save_personal_data = app.post("/v1/user/save-user-data", SESSION, PersonalDataEdit, NoData)
get_personal_data = app.post("/v1/user/get-user-data", SESSION, IgnoredBody, PersonalDataResponse)
save_remark = app.post("/v1/user/save-user-remarks", SESSION, RemarkEdit, NoData)
bind_phone = app.post("/v1/user/bing-phone", SESSION, PhoneProof, NoData)
bind_email = app.post("/v1/user/bing-email", SESSION, EmailProof, NoData)
change_phone = app.post("/v1/user/change-phone-check", SESSION, PhoneProof, NoData)
change_email = app.post("/v1/user/change-email-check", SESSION, EmailProof, NoData)
reset_password = app.post("/v1/user/forget-password", PUBLIC, PasswordResetRequest, NoData)
logout = app.post("/v1/user/logout", ALLOW_LOGGED_OUT, IgnoredBody, NoData)
list_coin_record = app.post(
    "/v1/user/gold-coin-increase-decrease-record", SESSION, CoinRecordRequest, CoinRecordPage
)
web_list_coin_record = web.get(
    "/v1/user/gold-coin-increase-decrease-record", SESSION, CoinRecordRequest, CoinRecordPage
)
list_own_medals = app.post("/v1/user/medal", SESSION, IgnoredBody, Medals)
get_invite_progress = app.post(
    "/v1/user/invite/invite-progress", SESSION, IgnoredBody, InviteProgress
)
change_invitation_code = app.post(
    "/v1/user/invite/change-user-invite-code", SESSION, InvitationCode, NoData
)
list_categories = app.post(
    "/v1/user/recommend-category-list", SESSION, CategoriesRequest, CategoryList
)
list_groups = app.post("/v1/user/recommend-list", SESSION, GroupsRequest, GroupList)
list_bots = app.post("/v1/user/recommend", SESSION, IgnoredBody, BotList)
list_devices = app.get("/v1/user/clients", SESSION, IgnoredBody, Clients)
logout_device = app.post("/v1/user/device-offline", SESSION, DeviceLogout, NoData)
cancel_account = app.post("/v1/user/cancel-user", SESSION, AccountCancellation, NoData)
get_ignored_modules = app.post(
    "/v1/user/module-ignore-info", VIP, IgnoredModulesRequest, IgnoredModulesInfo
)
set_ignored_modules = app.post("/v1/user/module-ignore", VIP, IgnoredModulesEdit, NoData)
get_notification = app.post(
    "/v1/user/notification-status", SESSION, NotificationRequest, NotificationStatus
)
set_notification = app.post("/v1/user/notification-info", SESSION, NotificationEdit, NoData)
get_adverts = app.post("/v1/user/get-user-show-adv", SESSION, IgnoredBody, AdvertConfig)
web_get_homepage = web.get("/v1/user/homepage", PUBLIC, HomepageRequest, Homepage)
web_get_own_info = web.get("/v1/user/info", SESSION, IgnoredBody, WebInfo)

ENDPOINTS: tuple[Endpoint[Any, Any, Any], ...] = tuple(
    line for line in globals().values() if isinstance(line, Endpoint)
)
