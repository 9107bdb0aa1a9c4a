"""Records shared by all layers, with typed ids; times are Unix seconds, coins are hundredths.

Records are msgspec Structs because one is built from each row that is read, and a Struct is built
three times as fast as a frozen dataclass. The order of the fields is the order of the columns.
"""

from enum import IntEnum
from typing import Annotated, Literal, NewType, TypeAlias

from msgspec import Meta, Struct

from hupan.localized import LocalizedError, LocalizedText

AccountId = NewType("AccountId", int)
NO_ACCOUNT = AccountId(0)
"""The id of no account."""
GroupId = NewType("GroupId", int)
BotId = NewType("BotId", int)
Channel: TypeAlias = Literal["sms", "email"]
AccountFilter: TypeAlias = Literal["any", "banned", "vip", "cancelled"]

PERMANENT_BAN_END = 2**53 - 1
"""End of a ban without an end; the largest number that the wire allows (wire.md 1.10)."""


class Overtaken(Exception):
    """A newer build of the group index was started; this one is abandoned.

    The name is a `reason` of the operator log, so it is public.
    """


class StoreUnavailable(LocalizedError):
    """The database failed to read or write; the change was rolled back.

    Attributes:
        is_busy: nothing is broken, but too many changes are pending.
    """

    def __init__(self, reason: str | LocalizedText = "", *, is_busy: bool = False) -> None:
        zh = "繁忙，请稍后重试" if is_busy else "无法完成读写"
        text = LocalizedText(zh, reason) if isinstance(reason, str) else reason
        super().__init__(text.zh, text.en)
        self.is_busy = is_busy


class AccountStatus:
    """Ban and VIP status of an account."""

    __slots__ = ()
    vip_until: int
    banned_until: int

    def is_banned(self, now: float) -> bool:
        return self.banned_until > now

    def is_vip(self, now: float) -> bool:
        return self.vip_until > now


class Account(Struct, AccountStatus, frozen=True):
    """A row of the table `accounts`.

    Attributes:
        name_id: number of changes of the nickname.
        avatar_id: number of changes of the avatar.
        phone: the bound number, "" for none.
        email: the bound address as it was entered, "" for none.
        vip_until: end of VIP, 0 if there never was any.
        banned_until: end of the ban, 0 for none, `PERMANENT_BAN_END` for a permanent one.
        online_days: days on which the account was active.
        days_in_a_row: consecutive active days up to `last_seen_day`.
        last_seen_day: last active day, as days since 1970-01-01 in the server's time zone.
        country: country of the last sign-in, "" for unknown.
    """

    id: AccountId
    name: str
    name_id: int
    avatar_url: str
    avatar_id: int
    phone: str
    email: str
    coin_cents: int
    vip_until: int
    banned_until: int
    ban_reason: str
    invitation_code: str
    registered_at: int
    online_days: int
    days_in_a_row: int
    last_seen_day: int
    last_active_at: int
    country: str


class PublicAccount(Struct, AccountStatus, frozen=True):
    """What others may see of an account; the attributes are those of `Account`.

    Attributes:
        has_medals: 1 if the account has medals, else 0.
    """

    id: AccountId
    name: str
    name_id: int
    avatar_url: str
    avatar_id: int
    vip_until: int
    banned_until: int
    registered_at: int
    online_days: int
    days_in_a_row: int
    last_seen_day: int
    last_active_at: int
    country: str
    has_medals: int


class FoundAccount(Struct, frozen=True):
    """An account that a search found."""

    id: AccountId
    name: str
    avatar_url: str


class Session(Struct, frozen=True):
    """A device's sign-in, unique by account and device id unless that is "" (wire.md 5)."""

    account_id: AccountId
    token_hash: bytes
    device_id: str
    platform: str
    signed_in_at: int
    last_used_at: int


class Caller(Struct, frozen=True):
    """The caller's session and account."""

    session: Session
    account: Account


class Viewer(Struct, frozen=True):
    """The columns of a session and its account that decide whether the viewer may view others.

    Attributes:
        has_remarks: 1 if the account has remarks about others, else 0.
    """

    id: AccountId
    signed_in_at: int
    last_used_at: int
    banned_until: int
    last_seen_day: int
    has_remarks: int


class PersonalData(Struct, frozen=True):
    """Personal data of an account; "" and 0 mean unset.

    Attributes:
        gender: 1 male, 2 female, 3 other (wire.md 3).
        birthday: Unix time of its start.
        location_code: six digits of an administrative division.
        updated_at: when it was last saved, 0 for never.
    """

    introduction: str = ""
    gender: int = 0
    birthday: int = 0
    province: str = ""
    city: str = ""
    district: str = ""
    location_code: str = ""
    updated_at: int = 0


class PrivacyChoice(Struct, frozen=True):
    """What an account lets others see (security D4); None follows the server's setting.

    Attributes:
        address: province, city and district.
        last_active: when it was last active.
        country: the country of its last sign-in.
        search: the account itself, to users that search for its id or nickname.
    """

    birthday: bool | None = None
    address: bool | None = None
    last_active: bool | None = None
    country: bool | None = None
    search: bool | None = None


class Remark(Struct, frozen=True):
    """An account's private note about another account.

    Attributes:
        others: JSON text of [{"key", "value"}], "" for none.
    """

    name: str = ""
    phone: str = ""
    others: str = ""


NO_PERSONAL_DATA = PersonalData()
DEFAULT_PRIVACY_CHOICE = PrivacyChoice()
NO_REMARK = Remark()


class Medal(Struct, frozen=True):
    """A medal; shown in the order of `sort`."""

    id: int
    name: str
    sort: int
    description: str
    image_url: str


class CoinType(IntEnum):
    """Why coins were credited or debited; the numbers are the wire's (wire.md 4)."""

    REWARD = 2
    POST = 3
    FIRST_EDIT = 4
    """The first change of the avatar or of the nickname."""
    REDEEM = 6
    AD = 7
    RAFFLE = 8
    INVITE = 9


class CoinEntry(Struct, frozen=True):
    """An entry of an account's append-only coin journal.

    Attributes:
        number: 1 for the account's first, then consecutive.
        key: idempotency key, unique within the account.
        actor: cause of the change.
        counter_account: the other side of the entry.
        counter_cents: change of the other side: `-change_cents`.
    """

    account_id: AccountId
    number: int
    key: str
    typ: CoinType
    reason: str
    remark: str
    actor: str
    before_cents: int
    change_cents: int
    after_cents: int
    counter_account: str
    counter_cents: int
    created_at: int


class Product(Struct, frozen=True):
    """A product of the coin shop.

    Attributes:
        type: 1 is VIP for `cycle` days.
        image_urls: the JSON text of a list.
        price: whole coins.
        price_vip: for accounts with VIP.
        withdrawn_at: when it was taken off sale, 0 while it is on sale.
    """

    id: int
    name: str
    type: int
    cycle: int
    info: str
    description: str
    image_urls: str
    price: int
    price_vip: int
    stock: int
    sold: int
    withdrawn_at: int
    created_at: int
    updated_at: int


class Group(Struct, frozen=True):
    """A group that is listed in discovery.

    Attributes:
        id: nine digits (wire.md 5).
        ban_id: 0 when the group is not banned.
        headcount: number of members; the list is ordered by it.
        category: "" for none.
        is_featured: 1 if featured, else 0.
    """

    id: GroupId
    ban_id: int
    name: str
    introduction: str
    avatar_url: str
    headcount: int
    created_at: int
    category: str
    is_featured: int


class Bot(Struct, frozen=True):
    """A recommended bot; flags are 1 or 0.

    Attributes:
        id: eight digits (wire.md 5).
        headcount: number of users; the list is ordered by it.
        may_add: whether it can be added.
        applies: whether adding it needs an approval.
        always_agrees: whether it approves every application.
    """

    id: BotId
    name: str
    introduction: str
    avatar_url: str
    headcount: int
    may_add: int
    applies: int
    always_agrees: int


class IgnoredModules(Struct, frozen=True):
    """The parts of the client that an account hides on a device.

    Attributes:
        number: 1, 2, 3 … among those of the account; 0 when nothing was ever set.
        modules: `,30,20,10`, "" for none.
    """

    number: int
    device_id: str
    modules: str
    updated_at: int


class NotificationSetting(Struct, frozen=True):
    """The notification setting of an account on a device.

    Attributes:
        number: 1, 2, 3 … among those of the account; 0 when nothing was ever set.
        registration_id: id of the app at the push service.
        is_open: 1 if notifications are on, else 0.
        type: as the client sent it.
    """

    number: int
    device_id: str
    registration_id: str
    is_open: int
    type: int
    created_at: int
    updated_at: int


VipText = Annotated[str, Meta(max_length=1000)]
VipNumber = Annotated[int, Meta(ge=0, le=2**53 - 1)]
VipPrice = Annotated[float, Meta(ge=0, le=1_000_000_000)]


class VipOffer(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """VIP that the operator sells outside the coin shop."""

    id: VipNumber
    name: VipText
    description: VipText = ""
    price: VipPrice = 0
    price_original: VipPrice = 0
    day: VipNumber = 0
    product_id: VipText = ""


class Benefit(Struct, frozen=True, forbid_unknown_fields=True):
    """A benefit of VIP, in the operator's words."""

    id: VipNumber
    name: VipText
    description: VipText = ""
    target: VipText = ""
    sort: VipNumber = 0


class VipPage(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The content of the file that `vip_page_file` names."""

    products: Annotated[tuple[VipOffer, ...], Meta(max_length=100)] = ()
    benefits: Annotated[tuple[Benefit, ...], Meta(max_length=100)] = ()
    qr_code_url: VipText = ""


class Limit(Struct, frozen=True):
    """A maximum number of events of a subject in a window that opens with the first event.

    Attributes:
        name: key of the counter, also for display.
        max_events: events allowed per window.
        window_seconds: length of the window.
        lock_seconds: if not 0, the limit counts consecutive events: success resets them, and after
            the last allowed one everything is refused for this long.
    """

    name: str
    max_events: int
    window_seconds: int
    lock_seconds: int = 0


Headers: TypeAlias = list[tuple[bytes, bytes]]
"""Names in lower case."""


class RequestContext(Struct, frozen=True):
    """One request of a known endpoint.

    Attributes:
        request_id: its id, also in the log line and in `x-request-id` (wire.md 1.8).
        token: the token that the client sent, "" for none.
        english: whether the client prefers messages in English (wire.md 2).
        headers: as received, names in lower case.
        peer: the address of the socket's peer, "" for none; `ClientResolver` finds the client's.
    """

    request_id: int
    token: str
    english: bool
    headers: Headers
    peer: str


class StoredPicture(Struct, frozen=True):
    """A picture as it is stored.

    Attributes:
        name: the name of its file.
        start: its first bytes; all of a small one.
    """

    name: str
    size: int
    modified_at: int
    start: bytes
