"""Records shared by all layers, with typed ids; times are Unix seconds, coins are hundredths.

Records are msgspec Structs because one is built from each row that is read, and a Struct is built
three times as fast as a frozen dataclass. The order of the fields is the order of the columns.
"""

from enum import IntEnum
from typing import Literal, NewType, TypeAlias

from msgspec import Struct

from hupan.localized import LocalizedError, LocalizedText

AccountId = NewType("AccountId", int)
NO_ACCOUNT = AccountId(0)
"""The id of no account."""
GroupId = NewType("GroupId", int)
BotId = NewType("BotId", int)
Channel: TypeAlias = Literal["sms", "email"]

PERMANENT_BAN_END = 2**53 - 1
"""End of a ban without an end; the largest number that the wire allows (wire.md 1.10)."""


class SupersededBuild(Exception):
    """Somebody began a newer edition of the list of groups; the one in the making is given up."""


class StoreUnavailable(LocalizedError):
    """The machine failed to read or to keep something; nothing of the change was kept.

    Attributes:
        is_busy: nothing is broken, but more changes wait than can be kept soon.
    """

    def __init__(self, reason: str | LocalizedText = "", *, is_busy: bool = False) -> None:
        text = LocalizedText(reason, reason) if isinstance(reason, str) else reason
        super().__init__(text.zh, text.en)
        self.is_busy = is_busy


class AccountStatus:
    """What an account's two times tell."""

    __slots__ = ()
    vip_until: int
    banned_until: int

    def is_banned(self, now: float) -> bool:
        """Whether a ban is in force."""
        return self.banned_until > now

    def is_vip(self, now: float) -> bool:
        """Whether VIP is in force."""
        return self.vip_until > now


class Account(Struct, AccountStatus, frozen=True):
    """An account as it stands in the table `accounts`.

    Attributes:
        name_id: how often the nickname was changed.
        avatar_id: how often the avatar was changed.
        phone: the bound number, "" when there is none.
        email: the bound address as it was written, "" when there is none.
        vip_until: when VIP ends, 0 when there never was any.
        banned_until: when the ban ends, 0 when there is none, `NEVER_ENDS` for good.
        online_days: days on which the account was seen.
        days_in_a_row: length of the run of such days that `last_seen_day` ends.
        last_seen_day: the last day seen, as days since 1970-01-01 in the server's zone.
        country: country of the last sign-in, "" when it is not known.
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
    """What of an account others may be shown; the attributes are those of `Account`.

    Attributes:
        has_medals: whether there are any to be listed, 1 or 0.
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


class Session(Struct, frozen=True):
    """One device's sign-in; it belongs to (account, device id) unless that is "", see wire.md 5."""

    account_id: AccountId
    token_hash: bytes
    device_id: str
    platform: str
    signed_in_at: int
    last_used_at: int


class Caller(Struct, frozen=True):
    """Who calls: the session that the token opened, and its account."""

    session: Session
    account: Account


class Viewer(Struct, frozen=True):
    """Who looks at somebody: of the session and its account what tells whether it may.

    Attributes:
        has_remarks: whether it noted anything about anybody, 1 or 0.
    """

    id: AccountId
    signed_in_at: int
    last_used_at: int
    banned_until: int
    last_seen_day: int
    has_remarks: int


class PersonalData(Struct, frozen=True):
    """What an account tells of itself; "" and 0 say that it does not.

    Attributes:
        gender: 1 male, 2 female, 3 other (wire.md 3).
        birthday: unix seconds of its first moment.
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
    """

    birthday: bool | None = None
    address: bool | None = None
    last_active: bool | None = None
    country: bool | None = None


class Remark(Struct, frozen=True):
    """What an account noted about another one.

    Attributes:
        others: JSON text of [{"key", "value"}], "" when there is none.
    """

    name: str = ""
    phone: str = ""
    others: str = ""


NO_PERSONAL_DATA = PersonalData()
DEFAULT_PRIVACY_CHOICE = PrivacyChoice()
NO_REMARK = Remark()


class Medal(Struct, frozen=True):
    """A medal that accounts may wear; shown in the order of `sort`."""

    id: int
    name: str
    sort: int
    description: str
    image_url: str


class CoinType(IntEnum):
    """What coins were given or taken for; the numbers are the wire's (wire.md 4)."""

    REWARD = 2
    POST = 3
    FIRST_EDIT = 4
    """The first change of the avatar or of the nickname."""
    REDEEM = 6
    AD = 7
    RAFFLE = 8
    INVITE = 9


class CoinEntry(Struct, frozen=True):
    """One line of an account's journal of coins, never changed once written.

    Attributes:
        number: 1 for the account's first, then ascending without a gap.
        key: names the change among all of the account's.
        actor: who caused it.
        counter_account: where the coins came from or went to.
        counter_cents: what that side gained: `-change_cents`.
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


class Group(Struct, frozen=True):
    """A group that is listed in discovery.

    Attributes:
        id: nine digits (wire.md 5).
        ban_id: 0 when the group is not banned.
        headcount: its members; the list is in the order of it.
        category: the one it stands in, "" for none.
        is_featured: 1 when it is also among the featured ones, else 0.
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
    """A bot that is recommended; flags are 1 or 0.

    Attributes:
        id: eight digits (wire.md 5).
        headcount: who uses it; the list is in the order of it.
        may_add: whether it can be added.
        applies: whether adding it is an application.
        always_agrees: whether it agrees to each.
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
    """The parts of the client that an account hides on one device.

    Attributes:
        number: 1, 2, 3 … among those of the account; 0 when nothing was ever set.
        modules: `,30,20,10`, "" for none.
    """

    number: int
    device_id: str
    modules: str
    updated_at: int


class NotificationSetting(Struct, frozen=True):
    """How an account is notified on one device.

    Attributes:
        number: 1, 2, 3 … among those of the account; 0 when nothing was ever set.
        registration_id: what a push service calls the app there.
        is_open: 1 when it is notified, else 0.
        type: as the client gave it.
    """

    number: int
    device_id: str
    registration_id: str
    is_open: int
    type: int
    created_at: int
    updated_at: int


class Limit(Struct, frozen=True):
    """At most so many events of a subject in a window that opens with the first of them.

    Attributes:
        name: how the count is kept and shown.
        max_events: events that pass.
        window_seconds: length of the window.
        lock_seconds: when not 0, the limit counts events in a row: success forgets them, and once
            the last of them has passed, nothing does for this long.
    """

    name: str
    max_events: int
    window_seconds: int
    lock_seconds: int = 0
