"""What exists: frozen records with typed ids. Times are unix seconds, coins hundredths.

Records are msgspec Structs because one is built from each row that is read, and a Struct is built
three times as fast as a frozen dataclass. The order of the fields is the order of the columns.
"""

from typing import Literal, NewType, TypeAlias

from msgspec import Struct

AccountId = NewType("AccountId", int)
Channel: TypeAlias = Literal["sms", "email"]

NEVER_ENDS = 2**53 - 1
"""End of a ban without an end; the largest number that the wire allows (wire.md 1.10)."""


class StoreUnavailable(Exception):  # noqa: N818 - it names a state of the machine
    """The machine failed to read or to keep something; nothing of the change was kept."""


class Account(Struct, frozen=True):
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

    def is_banned(self, now: float) -> bool:
        """Whether a ban is in force."""
        return self.banned_until > now

    def is_vip(self, now: float) -> bool:
        """Whether VIP is in force."""
        return self.vip_until > now


class Session(Struct, frozen=True):
    """One device's sign-in; it belongs to (account, device id), see wire.md 5."""

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


class Medal(Struct, frozen=True):
    """A medal that accounts may wear; shown in the order of `sort`."""

    id: int
    name: str
    sort: int


class Limit(Struct, frozen=True):
    """At most so many events of a subject in a window that opens with the first of them.

    Attributes:
        name: how the count is kept and shown.
        most: events that pass.
        window_seconds: length of the window.
        lock_seconds: when not 0, the limit counts events in a row: success forgets them, and once
            the last of them has passed, nothing does for this long.
    """

    name: str
    most: int
    window_seconds: int
    lock_seconds: int = 0
