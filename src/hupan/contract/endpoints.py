"""The one table of endpoints (wire.md 4), shared by server, client, documentation and tests."""

from typing import Any

from hupan.contract.messages.adverts import AdvertsShown
from hupan.contract.messages.coins import CoinRecord, CoinRecordWanted
from hupan.contract.messages.contacts import EmailProof, PasswordReset, PhoneProof
from hupan.contract.messages.device_settings import (
    IgnoredModulesEdit,
    IgnoredModulesInfo,
    IgnoredModulesWanted,
    NotificationEdit,
    NotificationStatus,
    NotificationWanted,
)
from hupan.contract.messages.devices import DeviceOffline
from hupan.contract.messages.discovery import (
    BotList,
    Categories,
    CategoriesWanted,
    GroupList,
    GroupsWanted,
)
from hupan.contract.messages.endings import CancelUser
from hupan.contract.messages.invitations import InvitationCode, InviteProgress
from hupan.contract.messages.login import CodeLogin, EmailLogin, LoginToken
from hupan.contract.messages.personal_data import OwnPersonalData, PersonalDataEdit
from hupan.contract.messages.remarks import RemarkWanted
from hupan.contract.messages.verification import Captcha, EmailCodeWanted, SmsCodeWanted
from hupan.contract.messages.web import Homepage, HomepageWanted, WebInfo
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
from hupan.contract.table import (
    ANY_TOKEN,
    MAY_HAVE_LEFT,
    PUBLIC,
    SIGNED_IN,
    VIP,
    Anything,
    Done,
    Endpoint,
    Lines,
)

app = Lines("app")
web = Lines("web")

captcha = app.post("/v1/user/captcha", PUBLIC, Anything, Captcha)
get_sms_code = app.post("/v1/verification/get-verification-code", PUBLIC, SmsCodeWanted, Done)
get_email_code = app.post(
    "/v1/verification/get-email-verification-code", PUBLIC, EmailCodeWanted, Done
)
code_login = app.post("/v1/user/verification-login", PUBLIC, CodeLogin, LoginToken)
email_login = app.post("/v1/user/email-login", PUBLIC, EmailLogin, LoginToken)
own_info = app.get("/v1/user/info", SIGNED_IN, Anything, OwnInfo)
get_user = app.post("/v1/user/get-user", ANY_TOKEN, GetUser, User)
edit_nickname = app.post("/v1/user/edit-nickname", SIGNED_IN, EditNickname, Edited)
edit_avatar = app.post("/v1/user/edit-avatar", SIGNED_IN, EditAvatar, Edited)
save_personal_data = app.post("/v1/user/save-user-data", SIGNED_IN, PersonalDataEdit, Done)
get_personal_data = app.post("/v1/user/get-user-data", SIGNED_IN, Anything, OwnPersonalData)
save_remark = app.post("/v1/user/save-user-remarks", SIGNED_IN, RemarkWanted, Done)
bind_phone = app.post("/v1/user/bing-phone", SIGNED_IN, PhoneProof, Done)
bind_email = app.post("/v1/user/bing-email", SIGNED_IN, EmailProof, Done)
change_phone = app.post("/v1/user/change-phone-check", SIGNED_IN, PhoneProof, Done)
change_email = app.post("/v1/user/change-email-check", SIGNED_IN, EmailProof, Done)
reset_password = app.post("/v1/user/forget-password", PUBLIC, PasswordReset, Done)
logout = app.post("/v1/user/logout", MAY_HAVE_LEFT, Anything, Done)
coin_record = app.post(
    "/v1/user/gold-coin-increase-decrease-record", SIGNED_IN, CoinRecordWanted, CoinRecord
)
web_coin_record = web.get(
    "/v1/user/gold-coin-increase-decrease-record", SIGNED_IN, CoinRecordWanted, CoinRecord
)
own_medals = app.post("/v1/user/medal", SIGNED_IN, Anything, Medals)
invite_progress = app.post("/v1/user/invite/invite-progress", SIGNED_IN, Anything, InviteProgress)
change_invitation_code = app.post(
    "/v1/user/invite/change-user-invite-code", SIGNED_IN, InvitationCode, Done
)
discover_categories = app.post(
    "/v1/user/recommend-category-list", SIGNED_IN, CategoriesWanted, Categories
)
discover_groups = app.post("/v1/user/recommend-list", SIGNED_IN, GroupsWanted, GroupList)
discover_bots = app.post("/v1/user/recommend", SIGNED_IN, Anything, BotList)
clients = app.get("/v1/user/clients", SIGNED_IN, Anything, Clients)
device_offline = app.post("/v1/user/device-offline", SIGNED_IN, DeviceOffline, Done)
cancel_user = app.post("/v1/user/cancel-user", SIGNED_IN, CancelUser, Done)
ignored_modules = app.post(
    "/v1/user/module-ignore-info", VIP, IgnoredModulesWanted, IgnoredModulesInfo
)
ignore_modules = app.post("/v1/user/module-ignore", VIP, IgnoredModulesEdit, Done)
notification_status = app.post(
    "/v1/user/notification-status", SIGNED_IN, NotificationWanted, NotificationStatus
)
set_notification = app.post("/v1/user/notification-info", SIGNED_IN, NotificationEdit, Done)
adverts_shown = app.post("/v1/user/get-user-show-adv", SIGNED_IN, Anything, AdvertsShown)
web_homepage = web.get("/v1/user/homepage", PUBLIC, HomepageWanted, Homepage)
web_info = web.get("/v1/user/info", SIGNED_IN, Anything, WebInfo)

ENDPOINTS: tuple[Endpoint[Any, Any, Any], ...] = tuple(
    line for line in globals().values() if isinstance(line, Endpoint)
)
