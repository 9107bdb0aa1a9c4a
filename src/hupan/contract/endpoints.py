"""The table of endpoints (wire.md 4), shared by the server, clients, documentation and tests.

A line says everything about an endpoint that is not code. A request or response type that is a
msgspec Struct travels as JSON, a protobuf Message as protobuf (wire.md 1.3).
"""

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Required, TypeAlias, TypedDict, TypeVar, Unpack

from google.protobuf.message import Message
from msgspec import Struct

from hupan.contract import notes
from hupan.contract.messages.codes import (
    Captcha,
    EmailCodeRequest,
    SlideCaptcha,
    SmsCodeRequest,
)
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
    BotInfo,
    BotInfoRequest,
    BotList,
    CategoriesRequest,
    CategoryList,
    GroupInfo,
    GroupInfoRequest,
    GroupList,
    GroupsRequest,
)
from hupan.contract.messages.invitations import InvitationCode, InviteProgress
from hupan.contract.messages.lists import BetaInfo, FriendRequestList, StickyList
from hupan.contract.messages.login import CodeLogin, EmailLogin, LoginToken
from hupan.contract.messages.misc import Distribution, GrayStatus, UploadSizes
from hupan.contract.messages.profiles import (
    Homepage,
    HomepageRequest,
    PersonalDataEdit,
    PersonalDataResponse,
    RemarkEdit,
    WebInfo,
)
from hupan.contract.messages.shop import TaskInfo, VipBenefits, VipProducts
from hupan.contract.notes import Note, Source
from hupan.contract.pb.hupan_pb2 import (
    Clients,
    Contacts,
    Conversations,
    EditAvatar,
    Edited,
    EditNickname,
    FriendRequests,
    GetUser,
    ListContacts,
    ListConversations,
    Medals,
    OwnInfo,
    User,
)

SUCCESS_CODE = 1
SUCCESS_MESSAGE = "success"

Surface: TypeAlias = Literal["app", "web"]
Method: TypeAlias = Literal["GET", "POST"]
RequestLimit: TypeAlias = Literal[
    "captchas", "profile_views", "invitation_codes", "sent_codes", "upstream", "introspection"
]
"""What is limited by address and account in addition to failed attempts at secrets (E4, E5).

`profile_views` are all requests whose response reveals whether an account has an id;
`invitation_codes` those that reveal whether a code leads to one. `upstream` are requests that are
handed on to a message server, `introspection` those of servers about tokens; no endpoint has these.
"""


class Public:
    """No token is needed."""


class OptionalSession:
    """Any non-empty token passes; only a valid one identifies the viewer (wire.md 4, `t`)."""


class RequiredSession:
    """The token of a live session is needed (wire.md 4, `T`)."""


class RequiredVip:
    """The token of a live session is needed, and VIP in force (wire.md 4, `T, VIP`)."""


class AllowLoggedOut:
    """The token of a live or logged-out session: logging out twice succeeds (T5)."""


PUBLIC = Public()
OPTIONAL_SESSION = OptionalSession()
SESSION = RequiredSession()
VIP = RequiredVip()
ALLOW_LOGGED_OUT = AllowLoggedOut()

Access = TypeVar("Access", Public, OptionalSession, RequiredSession, RequiredVip, AllowLoggedOut)
Request = TypeVar("Request", bound=Struct | Message)
Response = TypeVar("Response", bound=Struct | Message)


class IgnoredBody(Struct):
    """The request of an endpoint without a documented body: anything is accepted (wire.md 1.4)."""


class AddressedHost(IgnoredBody):
    """The host that the client addressed, from its header; body and query are ignored."""

    host: str = ""


class NoData(Struct):
    """The response of an endpoint that returns nothing but success: no `data` key."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """The audit event of an endpoint that authenticates or changes credentials (security L2).

    Attributes:
        name: the event's name in docs/events.md.
        target: the fields of the request that may name the contact; the first that is set counts.
        device: the field that names a device, "" for the caller's own.
    """

    name: str
    target: tuple[str, ...] = ()
    device: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Access, Request, Response]):
    """One line of the table.

    Attributes:
        surface: the server that the client addresses, of two (wire.md 1.1).
        method: the only HTTP method that is routed.
        path: the whole path, always static.
        access: who may call.
        request: the type of the body, or of the query of a GET.
        response: the type of `data` (JSON) or of the whole response (protobuf).
        source: where the endpoint comes from.
        notes: known deviations and decisions.
        event: the audit event, None for an endpoint that leaves none.
        secrets: the fields of the request whose type is a secret (messages/fields.py).
        limit: what is counted in addition to failed attempts at secrets.
        json_data: the type of `data` for a client that sends JSON to a protobuf endpoint, where
            that client reads another form than wire.md 1.3; its defaults are the response.
        upstream: whether a message server answers instead where there is one (wire.md 8.5).
    """

    surface: Surface
    method: Method
    path: str
    access: Access
    request: type[Request]
    response: type[Response]
    source: Source = field(kw_only=True)
    notes: tuple[Note, ...] = field(default=(), kw_only=True)
    event: AuditEvent | None = field(default=None, kw_only=True)
    secrets: tuple[str, ...] = field(default=(), kw_only=True)
    limit: RequestLimit | None = field(default=None, kw_only=True)
    json_data: type[Struct] | None = field(default=None, kw_only=True)
    upstream: bool = field(default=False, kw_only=True)

    @property
    def key(self) -> tuple[Surface, str, str]:
        """The key of routing: (surface, method, path)."""
        return self.surface, self.method, self.path


class _Details(TypedDict, total=False):
    """The keyword arguments of an `Endpoint`."""

    source: Required[Source]
    notes: tuple[Note, ...]
    event: AuditEvent
    secrets: tuple[str, ...]
    limit: RequestLimit
    json_data: type[Struct]
    upstream: bool


@dataclass(frozen=True, slots=True)
class EndpointBuilder:
    """Makes the endpoints of one surface: `app.post("/v1/…", PUBLIC, EmailLogin, LoginToken)`."""

    surface: Surface

    def post(
        self,
        path: str,
        access: Access,
        request: type[Request],
        response: type[Response],
        **details: Unpack[_Details],
    ) -> Endpoint[Access, Request, Response]:
        """Make an endpoint with method POST."""
        return Endpoint(self.surface, "POST", path, access, request, response, **details)

    def get(
        self,
        path: str,
        access: Access,
        request: type[Request],
        response: type[Response],
        **details: Unpack[_Details],
    ) -> Endpoint[Access, Request, Response]:
        """Make an endpoint with method GET."""
        return Endpoint(self.surface, "GET", path, access, request, response, **details)


app = EndpointBuilder("app")
web = EndpointBuilder("web")

create_captcha = app.post(
    "/v1/user/captcha",
    PUBLIC,
    IgnoredBody,
    Captcha,
    limit="captchas",
    source="R",
    notes=notes.CREATE_CAPTCHA,
)
create_slide_captcha = app.post(
    "/v1/captcha/get",
    PUBLIC,
    IgnoredBody,
    SlideCaptcha,
    limit="captchas",
    source="R",
    notes=notes.CREATE_SLIDE_CAPTCHA,
)
send_sms_code = app.post(
    "/v1/verification/get-verification-code",
    PUBLIC,
    SmsCodeRequest,
    NoData,
    event=AuditEvent("code-by-sms", target=("mobile",)),
    secrets=("code", "x"),
    limit="sent_codes",
    source="C",
    notes=notes.SEND_SMS_CODE,
)
send_email_code = app.post(
    "/v1/verification/get-email-verification-code",
    PUBLIC,
    EmailCodeRequest,
    NoData,
    event=AuditEvent("code-by-email", target=("email",)),
    secrets=("code", "x"),
    limit="sent_codes",
    source="C",
    notes=notes.SEND_EMAIL_CODE,
)
code_login = app.post(
    "/v1/user/verification-login",
    PUBLIC,
    CodeLogin,
    LoginToken,
    event=AuditEvent("sign-in-by-code", target=("mobile",), device="device_id"),
    secrets=("captcha",),
    source="R",
    notes=notes.CODE_LOGIN,
)
email_login = app.post(
    "/v1/user/email-login",
    PUBLIC,
    EmailLogin,
    LoginToken,
    event=AuditEvent("sign-in-by-password", target=("email",), device="device_id"),
    secrets=("password",),
    source="R",
    notes=notes.EMAIL_LOGIN,
)
get_own_info = app.get(
    "/v1/user/info", SESSION, IgnoredBody, OwnInfo, source="R", notes=notes.GET_OWN_INFO
)
get_user = app.post(
    "/v1/user/get-user",
    OPTIONAL_SESSION,
    GetUser,
    User,
    limit="profile_views",
    source="R",
    notes=notes.GET_USER,
)
edit_nickname = app.post(
    "/v1/user/edit-nickname", SESSION, EditNickname, Edited, source="R", notes=notes.EDIT_NICKNAME
)
edit_avatar = app.post(
    "/v1/user/edit-avatar", SESSION, EditAvatar, Edited, source="R", notes=notes.EDIT_AVATAR
)
save_personal_data = app.post(
    "/v1/user/save-user-data",
    SESSION,
    PersonalDataEdit,
    NoData,
    source="R",
    notes=notes.SAVE_PERSONAL_DATA,
)
get_personal_data = app.post(
    "/v1/user/get-user-data",
    SESSION,
    IgnoredBody,
    PersonalDataResponse,
    source="R",
    notes=notes.GET_PERSONAL_DATA,
)
save_remark = app.post(
    "/v1/user/save-user-remarks",
    SESSION,
    RemarkEdit,
    NoData,
    limit="profile_views",
    source="C",
    notes=notes.SAVE_REMARK,
)
bind_phone = app.post(
    "/v1/user/bing-phone",
    SESSION,
    PhoneProof,
    NoData,
    event=AuditEvent("phone-bind", target=("phone",)),
    secrets=("captcha",),
    source="R",
    notes=notes.BIND_CONTACT,
)
bind_email = app.post(
    "/v1/user/bing-email",
    SESSION,
    EmailProof,
    NoData,
    event=AuditEvent("email-bind", target=("email",)),
    secrets=("captcha",),
    source="R",
    notes=notes.BIND_CONTACT,
)
change_phone = app.post(
    "/v1/user/change-phone-check",
    SESSION,
    PhoneProof,
    NoData,
    event=AuditEvent("phone-change", target=("phone",)),
    secrets=("captcha",),
    source="R",
    notes=notes.CHANGE_CONTACT,
)
change_email = app.post(
    "/v1/user/change-email-check",
    SESSION,
    EmailProof,
    NoData,
    event=AuditEvent("email-change", target=("email",)),
    secrets=("captcha",),
    source="R",
    notes=notes.CHANGE_CONTACT,
)
reset_password = app.post(
    "/v1/user/forget-password",
    PUBLIC,
    PasswordResetRequest,
    NoData,
    event=AuditEvent("password-reset", target=("email",)),
    secrets=("captcha", "password"),
    source="R",
    notes=notes.RESET_PASSWORD,
)
logout = app.post(
    "/v1/user/logout",
    ALLOW_LOGGED_OUT,
    IgnoredBody,
    NoData,
    event=AuditEvent("sign-out"),
    source="R",
    notes=notes.LOGOUT,
)
list_coin_record = app.post(
    "/v1/user/gold-coin-increase-decrease-record",
    SESSION,
    CoinRecordRequest,
    CoinRecordPage,
    source="R",
    notes=notes.LIST_COIN_RECORD,
)
web_list_coin_record = web.get(
    "/v1/user/gold-coin-increase-decrease-record",
    SESSION,
    CoinRecordRequest,
    CoinRecordPage,
    source="C",
)
list_own_medals = app.post("/v1/user/medal", SESSION, IgnoredBody, Medals, source="R")
get_invite_progress = app.post(
    "/v1/user/invite/invite-progress",
    SESSION,
    IgnoredBody,
    InviteProgress,
    source="C",
    notes=notes.GET_INVITE_PROGRESS,
)
change_invitation_code = app.post(
    "/v1/user/invite/change-user-invite-code",
    SESSION,
    InvitationCode,
    NoData,
    limit="invitation_codes",
    source="C",
    notes=notes.CHANGE_INVITATION_CODE,
)
list_categories = app.post(
    "/v1/user/recommend-category-list", SESSION, CategoriesRequest, CategoryList, source="R"
)
list_groups = app.post(
    "/v1/user/recommend-list",
    SESSION,
    GroupsRequest,
    GroupList,
    source="R",
    notes=notes.LIST_GROUPS,
)
list_bots = app.post(
    "/v1/user/recommend", SESSION, IgnoredBody, BotList, source="R", notes=notes.LIST_BOTS
)
list_devices = app.get(
    "/v1/user/clients", SESSION, IgnoredBody, Clients, source="C", notes=notes.LIST_DEVICES
)
logout_device = app.post(
    "/v1/user/device-offline",
    SESSION,
    DeviceLogout,
    NoData,
    event=AuditEvent("device-offline", device="device_id"),
    source="C",
    notes=notes.LOGOUT_DEVICE,
)
cancel_account = app.post(
    "/v1/user/cancel-user",
    SESSION,
    AccountCancellation,
    NoData,
    event=AuditEvent("cancel", target=("phone", "email")),
    secrets=("captcha",),
    source="C",
    notes=notes.CANCEL_ACCOUNT,
)
get_ignored_modules = app.post(
    "/v1/user/module-ignore-info",
    VIP,
    IgnoredModulesRequest,
    IgnoredModulesInfo,
    source="R",
    notes=notes.GET_IGNORED_MODULES,
)
set_ignored_modules = app.post(
    "/v1/user/module-ignore",
    VIP,
    IgnoredModulesEdit,
    NoData,
    source="R",
    notes=notes.SET_IGNORED_MODULES,
)
get_notification = app.post(
    "/v1/user/notification-status",
    SESSION,
    NotificationRequest,
    NotificationStatus,
    source="R",
    notes=notes.GET_NOTIFICATION,
)
set_notification = app.post(
    "/v1/user/notification-info",
    SESSION,
    NotificationEdit,
    NoData,
    source="R",
    notes=notes.SET_NOTIFICATION,
)
get_adverts = app.post(
    "/v1/user/get-user-show-adv",
    SESSION,
    IgnoredBody,
    AdvertConfig,
    source="R",
    notes=notes.GET_ADVERTS,
)
web_get_homepage = web.get(
    "/v1/user/homepage",
    PUBLIC,
    HomepageRequest,
    Homepage,
    limit="profile_views",
    source="C",
    notes=notes.WEB_GET_HOMEPAGE,
)
web_get_own_info = web.get(
    "/v1/user/info", SESSION, IgnoredBody, WebInfo, source="C", notes=notes.WEB_GET_OWN_INFO
)
list_conversations = app.post(
    "/v1/conversation/list",
    SESSION,
    ListConversations,
    Conversations,
    upstream=True,
    source="C",
    notes=notes.EMPTY_LIST,
)
list_contacts = app.post(
    "/v1/friend/address-book-list",
    SESSION,
    ListContacts,
    Contacts,
    upstream=True,
    source="C",
    notes=notes.LIST_CONTACTS,
)
list_friend_requests = app.post(
    "/v1/friend/request-list",
    SESSION,
    IgnoredBody,
    FriendRequests,
    json_data=FriendRequestList,
    upstream=True,
    source="C",
    notes=notes.LIST_FRIEND_REQUESTS,
)
list_sticky = app.post(
    "/v1/sticky/list",
    SESSION,
    IgnoredBody,
    StickyList,
    upstream=True,
    source="C",
    notes=notes.EMPTY_LIST,
)
dismiss_notification = app.post(
    "/v1/conversation/dismiss-notification",
    SESSION,
    IgnoredBody,
    NoData,
    upstream=True,
    source="C",
    notes=notes.CHANGE_CONVERSATIONS,
)
remove_conversation = app.post(
    "/v1/conversation/remove",
    SESSION,
    IgnoredBody,
    NoData,
    upstream=True,
    source="C",
    notes=notes.CHANGE_CONVERSATIONS,
)
sort_conversations = app.post(
    "/v1/conversation/sort-change",
    SESSION,
    IgnoredBody,
    NoData,
    upstream=True,
    source="C",
    notes=notes.CHANGE_CONVERSATIONS,
)
get_beta_info = app.post(
    "/v1/beta/info",
    SESSION,
    IgnoredBody,
    BetaInfo,
    upstream=True,
    source="C",
    notes=notes.GET_BETA_INFO,
)
get_distribution = app.get(
    "/v1/misc/configure-distribution",
    SESSION,
    AddressedHost,
    Distribution,
    source="C",
    notes=notes.GET_DISTRIBUTION,
)
get_upload_sizes = app.get(
    "/v1/misc/setting",
    PUBLIC,
    IgnoredBody,
    UploadSizes,
    source="C",
    notes=notes.GET_UPLOAD_SIZES,
)
get_gray_status = app.get("/v1/misc/gray-status", PUBLIC, IgnoredBody, GrayStatus, source="C")
get_task_info = app.post(
    "/v1/coin/task/my-task-info",
    SESSION,
    IgnoredBody,
    TaskInfo,
    source="C",
    notes=notes.GET_TASK_INFO,
)
list_vip_products = app.post(
    "/v1/vip/vip-product-list",
    SESSION,
    IgnoredBody,
    VipProducts,
    source="C",
    notes=notes.LIST_VIP,
)
list_vip_benefits = app.get(
    "/v1/vip/vip-benefits-list",
    SESSION,
    IgnoredBody,
    VipBenefits,
    source="C",
    notes=notes.LIST_VIP,
)
web_get_group = web.post(
    "/v1/group/group-info",
    PUBLIC,
    GroupInfoRequest,
    GroupInfo,
    limit="profile_views",
    source="C",
    notes=notes.WEB_GET_LISTED,
)
web_get_bot = web.post(
    "/v1/bot/bot-info",
    PUBLIC,
    BotInfoRequest,
    BotInfo,
    limit="profile_views",
    source="C",
    notes=notes.WEB_GET_LISTED,
)

ENDPOINTS: tuple[Endpoint[Any, Any, Any], ...] = tuple(
    line for line in globals().values() if isinstance(line, Endpoint)
)
