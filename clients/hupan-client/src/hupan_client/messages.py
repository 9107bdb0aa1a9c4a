"""What the server answers, as immutable objects.

The number in a type is that of a protobuf field (wire.md 3). Times are unix seconds unless they are
text, 0 for never. Keys that are not named here are ignored.
"""

from decimal import Decimal
from enum import IntEnum
from typing import Annotated

from msgspec import Struct, field


class VipStatus(IntEnum):
    """Whether an account has VIP, or had it once."""

    NONE = 0
    ACTIVE = 1
    EXPIRED = 2


class LoginToken(Struct, frozen=True):
    """The token of a new session; `repr` hides it."""

    token: str

    def __repr__(self) -> str:
        return "LoginToken(token=<hidden>)"


class UploadToken(Struct, frozen=True):
    """What permits uploads of pictures for ten minutes; `repr` hides it."""

    token: str

    def __repr__(self) -> str:
        return "UploadToken(token=<hidden>)"


class UploadedPicture(Struct, frozen=True, rename={"size": "fsize"}):
    """A picture that the server has redrawn and stored.

    Attributes:
        key: the name that the client gave it.
        hash: the hash of what was sent, as the upload host of the public service computes it.
        size: bytes that were sent.
    """

    key: str
    hash: str
    size: int


class Captcha(Struct, frozen=True):
    """A captcha image and its id.

    Attributes:
        b64s: a whole data URL, `data:image/png;base64,…`.
        id: opaque; valid for one answer, right or wrong.
    """

    b64s: str
    id: str


class PixelSize(Struct, frozen=True):
    """The size of an image in pixels."""

    width: int
    height: int


class SlideCaptcha(Struct, frozen=True):
    """A slide captcha: a picture with a gap, and the tile that fits it.

    Attributes:
        id: opaque; valid for one answer, right or wrong.
        master_image: a whole data URL.
        tile_image: a whole data URL, transparent around the tile.
        tile_y: pixels between the upper edges of picture and tile.
    """

    id: str
    type: str
    master_image: str
    master_size: PixelSize
    tile_image: str
    tile_size: PixelSize
    tile_y: int


class OwnInfo(Struct, frozen=True):
    """The caller's own account.

    Attributes:
        avatar_id: how often the avatar was changed.
        coin: at most two decimals.
        is_vip: 1 or 0.
    """

    id: Annotated[str, 1] = ""
    name: Annotated[str, 2] = ""
    avatar_url: Annotated[str, 4] = ""
    avatar_id: Annotated[int, 5] = 0
    phone: Annotated[str, 6] = ""
    email: Annotated[str, 7] = ""
    coin: Annotated[float, 8] = 0.0
    is_vip: Annotated[int, 9] = 0
    vip_expired_time: Annotated[int, 10] = 0
    vip_status: Annotated[int, 11] = 0
    invitation_code: Annotated[str, 12] = ""


class Medal(Struct, frozen=True):
    """A medal of an account."""

    id: Annotated[int, 1] = 0
    name: Annotated[str, 2] = ""
    sort: Annotated[int, 5] = 0


class RemarkInfo(Struct, frozen=True):
    """The caller's remark about an account.

    Attributes:
        extra_remark: JSON text of `[{"key", "value"}]`, "" for none.
    """

    remark_name: Annotated[str, 1] = ""
    phone_number: Annotated[str, 2] = ""
    extra_remark: Annotated[str, 3] = ""


class ProfileInfo(Struct, frozen=True):
    """What an account shows of its personal data.

    Attributes:
        last_active_time: `YYYY-MM-DD hh:mm:ss`, "" when it is not shown.
        gender: 1 male, 2 female, 3 other, 0 unset.
    """

    last_active_time: Annotated[str, 1] = ""
    introduction: Annotated[str, 2] = ""
    gender: Annotated[int, 3] = 0
    birthday_timestamp: Annotated[int, 4] = 0
    city: Annotated[str, 5] = ""
    district: Annotated[str, 6] = ""
    address: Annotated[str, 7] = ""


class User(Struct, frozen=True):
    """The public account of a user.

    Attributes:
        name_id: how often the nickname was changed.
        avatar_id: how often the avatar was changed.
        register_time: `YYYY-MM-DD hh:mm:ss` in the server's time zone.
        remark_info: None without the token of a live session.
        ip_geo: country of the last login, "" when it is not shown.
    """

    id: Annotated[str, 1] = ""
    name: Annotated[str, 2] = ""
    name_id: Annotated[int, 3] = 0
    avatar_url: Annotated[str, 4] = ""
    avatar_id: Annotated[int, 5] = 0
    medal: Annotated[tuple[Medal, ...], 6] = ()
    register_time: Annotated[str, 7] = ""
    do_not_disturb: Annotated[bool, 8] = False
    ban_id: Annotated[int, 9] = 0
    ban_time: Annotated[int, 10] = 0
    online_day: Annotated[int, 11] = 0
    continuous_online_day: Annotated[int, 12] = 0
    is_vip: Annotated[int, 13] = 0
    vip_expired_time: Annotated[int, 14] = 0
    vip_status: Annotated[int, 15] = 0
    is_blocked: Annotated[bool, 16] = False
    top: Annotated[bool, 17] = False
    remark_info: Annotated[RemarkInfo | None, 18] = None
    profile_info: Annotated[ProfileInfo | None, 19] = None
    ip_geo: Annotated[str, 20] = ""
    ban_reason: Annotated[str, 21] = ""


class Device(Struct, frozen=True):
    """A device of the caller that is logged in or connected."""

    user_id: Annotated[str, 1] = ""
    platform: Annotated[str, 3] = ""
    device_id: Annotated[str, 4] = ""
    login_timestamp: Annotated[int, 5] = 0


class Conversations(Struct, frozen=True):
    """The list of conversations: empty unless there is a message server.

    Attributes:
        conversations: each the bytes of its message, whose form is the message server's.
    """

    conversations: Annotated[tuple[bytes, ...], 2] = ()
    total: Annotated[int, 3] = 0
    md5: Annotated[str, 4] = ""


class ContactGroup(Struct, frozen=True):
    """One group of contacts.

    Attributes:
        contacts: each the bytes of its message, whose form is the message server's.
        chat_type: 1 users, 2 groups, 3 bots.
    """

    list_name: Annotated[str, 1] = ""
    contacts: Annotated[tuple[bytes, ...], 2] = ()
    chat_type: Annotated[int, 3] = 0


class Contacts(Struct, frozen=True):
    """The address book: three groups, each empty unless there is a message server."""

    groups: Annotated[tuple[ContactGroup, ...], 2] = ()
    md5: Annotated[str, 3] = ""


class FriendRequests(Struct, frozen=True):
    """The requests to become friends: none unless there is a message server.

    Attributes:
        requests: each the bytes of its message, whose form is the message server's.
    """

    requests: Annotated[tuple[bytes, ...], 2] = ()
    total: Annotated[int, 3] = 0
    pending: Annotated[int, 4] = 0


class PersonalData(Struct, frozen=True, rename="camel"):
    """All personal data of the caller.

    Attributes:
        gender: 1 male, 2 female, 3 other, 0 unset.
        birthday: unix seconds, negative before 1970, 0 unset.
        location_code: six digits of an administrative division.
    """

    id: int
    user_id: str
    last_login_time: int
    introduction: str
    gender: int
    birthday: int
    province: str
    city: str
    district: str
    location_code: str
    update_time: int = field(name="update_time")


class HomepageMedal(Struct, frozen=True, rename="camel"):
    """A medal with all its details."""

    id: int
    name: str
    desc: str
    image_url: str
    sort: int


class HomepageUser(Struct, frozen=True, rename="camel"):
    """A public profile; an unknown user has "" and 0."""

    user_id: str = ""
    nickname: str = ""
    avatar_url: str = ""
    register_time: int = 0
    register_time_text: str = ""
    on_line_day: int = 0
    continuous_on_line_day: int = 0
    medals: tuple[HomepageMedal, ...] = ()
    is_vip: int = 0


class WebUser(Struct, frozen=True, rename="camel"):
    """The caller's own account on the web surface; here `avatar_id` is a string."""

    user_id: str
    nickname: str
    phone: str
    avatar_id: str
    avatar_url: str
    gold_coin_amount: Decimal


class CoinRecordEntry(Struct, frozen=True, rename="camel"):
    """One change of coins.

    Attributes:
        id: 1 for the account's first, then ascending without a gap.
        typ: 2 reward, 3 post, 4 first avatar or name change, 6 redeem, 7 ad, 8 raffle, 9 invite.
        change_amount: negative for a deduction.
    """

    id: int
    user_id: str
    typ: int
    before_amount: Decimal
    after_amount: Decimal
    change_amount: Decimal
    reason: str
    remark: str
    create_time: int


class CoinRecordPage(Struct, frozen=True, rename={"entries": "goldCoinRecord"}):
    """One page, newest first, and the total number of entries."""

    entries: tuple[CoinRecordEntry, ...]
    total: int


class InviteProgress(Struct, frozen=True, rename="camel"):
    """How many accounts registered today and in total, and the targets."""

    current_number_day: int
    current_number_total: int
    target_number_day: int
    target_number_total: int


class ListedGroup(Struct, frozen=True, rename="camel"):
    """A group of discovery.

    Attributes:
        ban_id: 0 when the group is not banned.
    """

    chat_id: str
    ban_id: int
    nickname: str
    introduction: str
    avatar_url: str
    headcount: int
    create_time: int


class ListedBot(Struct, frozen=True, rename="camel"):
    """A bot of discovery; here chat_type and headcount are strings."""

    chat_id: str
    chat_type: str
    headcount: str
    nickname: str
    introduction: str
    introductions: str
    avatar_url: str
    is_add: int
    is_apply: int
    always_agree: int


class AdvertConfig(Struct, frozen=True, rename="camel"):
    """The ids of the app at advertising services, and whether to show advertisements."""

    android_code_id: str
    bottom_height: int
    ios_code_id: str
    is_show: int


class PublicGroup(Struct, frozen=True, rename="camel"):
    """What is public of a group; an unknown one has "" and 0."""

    id: int = 0
    group_id: str = ""
    name: str = ""
    introduction: str = ""
    create_by: str = ""
    create_time: int = 0
    avatar_id: int = 0
    avatar_url: str = ""
    headcount: int = 0
    read_history: int = 0
    category: str = ""
    ban_id: int = 0


class PublicBot(Struct, frozen=True, rename="camel"):
    """What is public of a bot; an unknown one has "" and 0. `repr` hides the token."""

    id: int = 0
    bot_id: str = ""
    nickname: str = ""
    nickname_id: int = 0
    avatar_id: int = 0
    avatar_url: str = ""
    token: str = ""
    link: str = ""
    introduction: str = ""
    create_by: str = ""
    create_time: int = 0
    headcount: int = 0
    private: int = 0

    def __repr__(self) -> str:
        return f"PublicBot(bot_id={self.bot_id!r}, nickname={self.nickname!r}, token=<hidden>, …)"


class IgnoredModules(Struct, frozen=True, rename="camel"):
    """The modules that a device hides.

    Attributes:
        id: 0 for a device without settings.
        ignore: `,30,20,10`, "" for nothing.
    """

    id: int
    user_id: str
    update_time: int
    device_id: str
    ignore: str


class NotificationSetting(Struct, frozen=True, rename="camel"):
    """The notification setting of a device; on by default.

    Attributes:
        id: 0 for a device without settings.
        is_open: 1 or 0.
    """

    id: int
    user_id: str
    device_id: str
    registration_id: str
    is_open: int
    type: int
    del_flag: int
    create_time: int
    update_time: int


class Distribution(Struct, frozen=True, rename="camel"):
    """Where the server and its media are; a URL of media ends where a key begins."""

    audio_url: str
    file_url: str
    image_url: str
    server_url: str
    share_url: str
    video_url: str
    websocket_url: str


class UploadSizes(Struct, frozen=True, rename="camel"):
    """The largest uploads in megabytes, with and without VIP; 0 where none are accepted."""

    file_size_limit_normal: int
    file_size_limit_vip: int = field(name="fileeSizeLimitVip")  # the wire's spelling
    image_size_limit_normal: int
    image_size_limit_vip: int
    video_size_limit_normal: int
    video_size_limit_vip: int


class BetaInfo(Struct, frozen=True):
    """The caller's part in a beta test."""

    beta: str
    info: str


class SearchHit(Struct, frozen=True, rename="camel"):
    """A user, a group or a bot.

    Attributes:
        friend_type: 1 a user, 2 a group, 3 a bot.
    """

    friend_id: str
    friend_type: int
    nickname: str
    name: str
    avatar_url: str
    hit: str


class SearchHits(Struct, frozen=True, rename={"hits": "list"}):
    """The hits of one kind; None for none."""

    title: str
    hits: tuple[SearchHit, ...] | None


class Product(Struct, frozen=True, rename="camel"):
    """A product of the coin shop.

    Attributes:
        type: 1 is VIP for `cycle` days.
        image_urls: the JSON text of a list of URLs.
        price: whole coins.
    """

    id: int
    type: int
    cycle: int
    info: str
    name: str
    image_urls: str
    price: int
    price_vip: int
    stock: int
    sale: int
    description: str
    del_time: int
    create_time: int
    last_update: int


class ProductPage(Struct, frozen=True, rename={"products": "list"}):
    """One page of the products on sale, and the number of all of them."""

    products: tuple[Product, ...]
    total: int


class TaskInfo(Struct, frozen=True, rename="camel"):
    """What the caller did of what earns coins."""

    ads_watch_number: int
    avatar_edit_number: int
    nickname_edit_number: int
    raffle_times: int


class VipProduct(Struct, frozen=True, rename="camel"):
    """VIP for sale outside the coin shop; prices are in the operator's currency."""

    id: int
    name: str
    description: str
    price: Decimal
    price_original: Decimal
    day: int
    product_id: str


class VipProducts(Struct, frozen=True, rename={"products": "list", "qr_code_url": "qrCodeUrl"}):
    """VIP for sale, and a picture of a code to pay with."""

    products: tuple[VipProduct, ...]
    qr_code_url: str


class VipBenefit(Struct, frozen=True):
    """What VIP brings."""

    id: int
    name: str
    description: str
    target: str
    sort: int
