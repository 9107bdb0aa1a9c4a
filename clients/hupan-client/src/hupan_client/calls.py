"""The requests of the contract, one function for each line of its table; nothing is sent here.

A function has the name of its line, takes what the request needs and returns a `Call`: what to
send, and how to read the answer. The endpoint decides about JSON or protobuf (wire.md 1.3).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from hupan_client import messages
from hupan_client.protobuf import NotProtobuf, decode_message, encode_text

Result = TypeVar("Result")
Data = TypeVar("Data", bound=Struct)
Form: TypeAlias = Literal["json", "protobuf"]
JsonValue: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One request, and how its answer is read.

    Attributes:
        sends_token: whether the token goes along, if there is one.
        is_login: whether the answer has the token of a new session.
        ends_session: whether a success ends the session of the token.
        form: the form of the body and of the answer.
        read: reads the `data` of a success (JSON), or the whole answer (protobuf).
        body: may hold a password or a code, so `repr` leaves it out.
    """

    method: Literal["GET", "POST"]
    path: str
    read: Callable[[bytes], Result] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Form = "json"
    surface: Literal["app", "web"] = "app"
    sends_token: bool = True
    is_login: bool = False
    ends_session: bool = False


# Reading of answers


def _read_nothing(_data: bytes) -> None:
    """Read the answer of an endpoint that returns only success."""


def _reader(data_type: type[Result]) -> Callable[[bytes], Result]:
    return msgspec.json.Decoder(data_type).decode


def _in_wrapper(key: str, data_type: type[Result]) -> Callable[[bytes], Result]:
    """Read the one value of `{key: value}`."""
    decode = msgspec.json.Decoder(data_type).decode
    decode_wrapper = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def read(data: bytes) -> Result:
        wrapper = decode_wrapper(data)
        if key not in wrapper:
            msg = f"the key {key} is missing"
            raise msgspec.ValidationError(msg)
        return decode(wrapper[key])

    return read


class _MedalList(Struct, frozen=True):
    medals: Annotated[tuple[messages.Medal, ...], 2] = ()


class _DeviceList(Struct, frozen=True):
    devices: Annotated[tuple[messages.Device, ...], 2] = ()


class _Wrapped(Struct, frozen=True):
    data: Annotated[bytes | None, 2] = None


def _read_message(message_type: type[Data]) -> Callable[[bytes], Data]:
    return lambda answer: decode_message(message_type, answer)


def _read_data(message_type: type[Data]) -> Callable[[bytes], Data]:
    """Read the message in field 2, where most answers have their data."""

    def read(answer: bytes) -> Data:
        data = decode_message(_Wrapped, answer).data
        if data is None:
            raise NotProtobuf("the data is missing")
        return decode_message(message_type, data)

    return read


def _json(**values: JsonValue) -> bytes:
    """Return a JSON body; a value that is None is left out."""
    return msgspec.json.encode({key: value for key, value in values.items() if value is not None})


_read_token = _reader(messages.LoginToken)
_read_captcha = _reader(messages.Captcha)
_read_slide = _reader(messages.SlideCaptcha)
_read_own_info = _read_data(messages.OwnInfo)
_read_user = _read_data(messages.User)
_read_personal_data = _in_wrapper("data", messages.PersonalData)
_read_homepage = _in_wrapper("user", messages.HomepageUser)
_read_web_user = _in_wrapper("user", messages.WebUser)
_read_coin_record = _reader(messages.CoinRecordPage)
_read_invite_progress = _reader(messages.InviteProgress)
_read_categories = _in_wrapper("categories", tuple[str, ...])
_read_groups = _in_wrapper("groupList", tuple[messages.ListedGroup, ...])
_read_bots = _in_wrapper("botList", tuple[messages.ListedBot, ...])
_read_adverts = _reader(messages.AdvertConfig)
_read_group = _in_wrapper("group", messages.PublicGroup)
_read_bot = _in_wrapper("bot", messages.PublicBot)
_read_ignored_modules = _in_wrapper("ignore", messages.IgnoredModules)
_read_notification = _in_wrapper("notification", messages.NotificationSetting)
_read_conversations = _read_message(messages.Conversations)
_read_contacts = _read_message(messages.Contacts)
_read_friend_requests = _read_message(messages.FriendRequests)
_read_sticky = _in_wrapper("sticky", tuple[object, ...])
_read_beta = _reader(messages.BetaInfo)
_read_distribution = _reader(messages.Distribution)
_read_upload_sizes = _reader(messages.UploadSizes)
_read_status = _in_wrapper("status", int)
_read_hits = _in_wrapper("list", tuple[messages.SearchHits, ...])
_read_products = _reader(messages.ProductPage)
_read_product = _in_wrapper("product", messages.Product)
_read_id = _in_wrapper("id", int)
_read_task_info = _reader(messages.TaskInfo)
_read_vip_products = _reader(messages.VipProducts)
_read_vip_benefits = _in_wrapper("list", tuple[messages.VipBenefit, ...])
_read_upload_token = _reader(messages.UploadToken)


# Captchas and codes


def create_captcha() -> Call[messages.Captcha]:
    return Call("POST", "/v1/user/captcha", _read_captcha, sends_token=False)


def create_slide_captcha() -> Call[messages.SlideCaptcha]:
    return Call("POST", "/v1/captcha/get", _read_slide, sends_token=False)


def send_sms_code(
    mobile: str, captcha_id: str, answer: str | None = None, *, x: float | None = None
) -> Call[None]:
    body = _json(mobile=mobile, id=captcha_id, code=answer, captcha_type=_kind(x), x=x)
    path = "/v1/verification/get-verification-code"
    return Call("POST", path, _read_nothing, body, sends_token=False)


def send_email_code(
    email: str,
    captcha_id: str,
    answer: str | None = None,
    *,
    x: float | None = None,
    typ: Literal["forget_password", ""] = "",
) -> Call[None]:
    body = _json(
        email=email, id=captcha_id, code=answer, typ=typ or None, captcha_type=_kind(x), x=x
    )
    path = "/v1/verification/get-email-verification-code"
    return Call("POST", path, _read_nothing, body, sends_token=False)


def _kind(x: float | None) -> str | None:
    return None if x is None else "slide"


# Sessions


def code_login(
    mobile: str, code: str, *, device_id: str | None = None, platform: str | None = None
) -> Call[messages.LoginToken]:
    body = _json(mobile=mobile, captcha=code, deviceId=device_id, platform=platform)
    path = "/v1/user/verification-login"
    return Call("POST", path, _read_token, body, sends_token=False, is_login=True)


def email_login(
    email: str, password: str, *, device_id: str | None = None, platform: str | None = None
) -> Call[messages.LoginToken]:
    body = _json(email=email, password=password, deviceId=device_id, platform=platform)
    path = "/v1/user/email-login"
    return Call("POST", path, _read_token, body, sends_token=False, is_login=True)


def logout() -> Call[None]:
    return Call("POST", "/v1/user/logout", _read_nothing, ends_session=True)


# Profiles


def get_own_info() -> Call[messages.OwnInfo]:
    return Call("GET", "/v1/user/info", _read_own_info, form="protobuf")


def get_user(user_id: str) -> Call[messages.User]:
    return Call("POST", "/v1/user/get-user", _read_user, encode_text(2, user_id), form="protobuf")


def edit_nickname(name: str) -> Call[None]:
    body = encode_text(3, name)
    return Call("POST", "/v1/user/edit-nickname", _read_nothing, body, form="protobuf")


def edit_avatar(url: str) -> Call[None]:
    body = encode_text(2, url)
    return Call("POST", "/v1/user/edit-avatar", _read_nothing, body, form="protobuf")


def save_personal_data(
    *,
    introduction: str | None = None,
    gender: int | None = None,
    birthday: int | None = None,
    province: str | None = None,
    city: str | None = None,
    district: str | None = None,
    location_code: str | None = None,
) -> Call[None]:
    body = _json(
        introduction=introduction,
        gender=gender,
        birthday=birthday,
        province=province,
        city=city,
        district=district,
        locationCode=location_code,
    )
    return Call("POST", "/v1/user/save-user-data", _read_nothing, body)


def get_personal_data() -> Call[messages.PersonalData]:
    return Call("POST", "/v1/user/get-user-data", _read_personal_data)


def save_remark(
    friend_id: str, *, name: str = "", phone: str = "", others: Mapping[str, str] | None = None
) -> Call[None]:
    pairs = [{"key": key, "value": value} for key, value in (others or {}).items()]
    text = msgspec.json.encode(pairs).decode() if pairs else ""
    body = _json(friendId=friend_id, name=name, phone=phone, others=text)
    return Call("POST", "/v1/user/save-user-remarks", _read_nothing, body)


def list_own_medals() -> Call[tuple[messages.Medal, ...]]:
    return Call(
        "POST",
        "/v1/user/medal",
        lambda answer: decode_message(_MedalList, answer).medals,
        form="protobuf",
    )


def web_get_homepage(user_id: str) -> Call[messages.HomepageUser]:
    query = {"userId": user_id}
    path = "/v1/user/homepage"
    return Call("GET", path, _read_homepage, query=query, surface="web", sends_token=False)


def web_get_own_info() -> Call[messages.WebUser]:
    return Call("GET", "/v1/user/info", _read_web_user, surface="web")


# Contacts, password, deletion


def bind_phone(phone: str, code: str) -> Call[None]:
    body = _json(phone=phone, captcha=code)
    return Call("POST", "/v1/user/bing-phone", _read_nothing, body)


def bind_email(email: str, code: str) -> Call[None]:
    body = _json(email=email, captcha=code)
    return Call("POST", "/v1/user/bing-email", _read_nothing, body)


def change_phone(phone: str, code: str) -> Call[None]:
    body = _json(phone=phone, captcha=code)
    return Call("POST", "/v1/user/change-phone-check", _read_nothing, body)


def change_email(email: str, code: str) -> Call[None]:
    body = _json(email=email, captcha=code)
    return Call("POST", "/v1/user/change-email-check", _read_nothing, body)


def reset_password(email: str, code: str, password: str) -> Call[None]:
    body = _json(email=email, captcha=code, password=password)
    return Call("POST", "/v1/user/forget-password", _read_nothing, body, sends_token=False)


def cancel_account(code: str, *, phone: str | None = None, email: str | None = None) -> Call[None]:
    body = _json(captcha=code, phone=phone, email=email)
    return Call("POST", "/v1/user/cancel-user", _read_nothing, body, ends_session=True)


# Coins, invitations


def list_coin_record(page: int = 1, size: int = 20) -> Call[messages.CoinRecordPage]:
    path = "/v1/user/gold-coin-increase-decrease-record"
    return Call("POST", path, _read_coin_record, _json(size=size, page=page))


def web_list_coin_record(page: int = 1, size: int = 20) -> Call[messages.CoinRecordPage]:
    path = "/v1/user/gold-coin-increase-decrease-record"
    query = {"size": str(size), "page": str(page)}
    return Call("GET", path, _read_coin_record, query=query, surface="web")


def get_invite_progress() -> Call[messages.InviteProgress]:
    return Call("POST", "/v1/user/invite/invite-progress", _read_invite_progress)


def change_invitation_code(code: str) -> Call[None]:
    path = "/v1/user/invite/change-user-invite-code"
    return Call("POST", path, _read_nothing, _json(code=code))


# Discovery


def list_categories(app_channel: str = "default") -> Call[tuple[str, ...]]:
    body = _json(appChannel=app_channel)
    return Call("POST", "/v1/user/recommend-category-list", _read_categories, body)


def list_groups(
    page: int = 1, size: int = 20, *, category: str = "", keyword: str = ""
) -> Call[tuple[messages.ListedGroup, ...]]:
    body = _json(category=category, keyword=keyword, size=size, page=page)
    return Call("POST", "/v1/user/recommend-list", _read_groups, body)


def list_bots() -> Call[tuple[messages.ListedBot, ...]]:
    return Call("POST", "/v1/user/recommend", _read_bots)


def get_adverts() -> Call[messages.AdvertConfig]:
    return Call("POST", "/v1/user/get-user-show-adv", _read_adverts)


def web_get_group(group_id: str) -> Call[messages.PublicGroup]:
    body = _json(groupId=group_id)
    path = "/v1/group/group-info"
    return Call("POST", path, _read_group, body, surface="web", sends_token=False)


def web_get_bot(bot_id: str) -> Call[messages.PublicBot]:
    body = _json(botId=bot_id)
    path = "/v1/bot/bot-info"
    return Call("POST", path, _read_bot, body, surface="web", sends_token=False)


def home_search(word: str) -> Call[tuple[messages.SearchHits, ...]]:
    return Call("POST", "/v1/search/home-search", _read_hits, _json(word=word))


# Devices and their settings


def list_devices() -> Call[tuple[messages.Device, ...]]:
    return Call(
        "GET",
        "/v1/user/clients",
        lambda answer: decode_message(_DeviceList, answer).devices,
        form="protobuf",
    )


def logout_device(device_id: str) -> Call[None]:
    body = _json(deviceId=device_id)
    return Call("POST", "/v1/user/device-offline", _read_nothing, body)


def get_ignored_modules(device_id: str) -> Call[messages.IgnoredModules]:
    body = _json(deviceId=device_id)
    return Call("POST", "/v1/user/module-ignore-info", _read_ignored_modules, body)


def set_ignored_modules(device_id: str, ignore: str) -> Call[None]:
    body = _json(deviceId=device_id, ignore=ignore)
    return Call("POST", "/v1/user/module-ignore", _read_nothing, body)


def get_notification(device_id: str, registration_id: str) -> Call[messages.NotificationSetting]:
    body = _json(deviceId=device_id, registrationId=registration_id)
    return Call("POST", "/v1/user/notification-status", _read_notification, body)


def set_notification(
    device_id: str,
    registration_id: str,
    *,
    is_open: bool,
    type: int = 0,  # noqa: A002 - the wire's name
) -> Call[None]:
    body = _json(deviceId=device_id, registrationId=registration_id, isOpen=int(is_open), type=type)
    return Call("POST", "/v1/user/notification-info", _read_nothing, body)


# Lists that a message server fills


def list_conversations(md5: str = "") -> Call[messages.Conversations]:
    path = "/v1/conversation/list"
    return Call("POST", path, _read_conversations, encode_text(2, md5), form="protobuf")


def list_contacts(md5: str = "") -> Call[messages.Contacts]:
    path = "/v1/friend/address-book-list"
    return Call("POST", path, _read_contacts, encode_text(2, md5), form="protobuf")


def list_friend_requests() -> Call[messages.FriendRequests]:
    return Call("POST", "/v1/friend/request-list", _read_friend_requests, form="protobuf")


def list_sticky() -> Call[tuple[object, ...]]:
    return Call("POST", "/v1/sticky/list", _read_sticky)


def dismiss_notification(chat_id: str = "") -> Call[None]:
    return _change_conversation("dismiss-notification", chat_id)


def remove_conversation(chat_id: str = "") -> Call[None]:
    return _change_conversation("remove", chat_id)


def sort_conversations(chat_id: str = "") -> Call[None]:
    return _change_conversation("sort-change", chat_id)


def _change_conversation(change: str, chat_id: str) -> Call[None]:
    body = _json(chatId=chat_id or None)
    return Call("POST", f"/v1/conversation/{change}", _read_nothing, body)


def get_beta_info() -> Call[messages.BetaInfo]:
    return Call("POST", "/v1/beta/info", _read_beta)


# The server


def get_distribution() -> Call[messages.Distribution]:
    return Call("GET", "/v1/misc/configure-distribution", _read_distribution)


def get_upload_sizes() -> Call[messages.UploadSizes]:
    return Call("GET", "/v1/misc/setting", _read_upload_sizes, sends_token=False)


def get_gray_status() -> Call[int]:
    return Call("GET", "/v1/misc/gray-status", _read_status, sends_token=False)


def get_upload_token() -> Call[messages.UploadToken]:
    return Call("GET", "/v1/misc/qiniu-token", _read_upload_token)


# Shop, tasks, VIP


def list_products(page: int = 1, size: int = 20) -> Call[messages.ProductPage]:
    body = _json(size=size, page=page)
    return Call("POST", "/v1/coin/shop/product-recommend", _read_products, body)


def get_product(product_id: int) -> Call[messages.Product]:
    return Call("POST", "/v1/coin/shop/product-detail", _read_product, _json(id=product_id))


def create_order(product_id: int, price: int) -> Call[int]:
    body = _json(productId=product_id, price=price)
    return Call("POST", "/v1/coin/shop/order-create", _read_id, body)


def get_task_info() -> Call[messages.TaskInfo]:
    return Call("POST", "/v1/coin/task/my-task-info", _read_task_info)


def list_vip_products() -> Call[messages.VipProducts]:
    return Call("POST", "/v1/vip/vip-product-list", _read_vip_products)


def list_vip_benefits() -> Call[tuple[messages.VipBenefit, ...]]:
    return Call("GET", "/v1/vip/vip-benefits-list", _read_vip_benefits)
