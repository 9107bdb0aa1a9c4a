"""A change of coins that somebody wants, and what it may say."""

from msgspec import Struct
from msgspec.structs import replace

from hupan.domain.refusals import InvalidField
from hupan.domain.text import composed, is_clean
from hupan.model import AccountId, CoinEntry, CoinType
from hupan.store.coin_refusals import RefusedCoins

MOST_CENTS = 10**15 - 1
"""The highest balance: 15 digits, the most that a double on the wire keeps exactly (D5)."""

MOST_REASON_CHARACTERS = 64
MOST_REMARK_CHARACTERS = 256
MOST_KEY_CHARACTERS = 128
MOST_ACTOR_CHARACTERS = 64

COUNTER_ACCOUNTS: dict[CoinType, str] = {
    CoinType.REWARD: "rewards",
    CoinType.POST: "posts",
    CoinType.FIRST_EDIT: "first-edits",
    CoinType.REDEEM: "redemptions",
    CoinType.AD: "ads",
    CoinType.RAFFLE: "raffle",
    CoinType.INVITE: "invitations",
}


class CoinChange(Struct, frozen=True, kw_only=True):
    """A change that somebody wants.

    Attributes:
        change_cents: hundredths of a coin, above 0 to give and below 0 to take; never 0.
        typ: what it is for, as the wire numbers it.
        reason: what the owner of the account reads.
        remark: more of it, "" for none.
        key: names this change among all of the account's: the same key never acts twice.
        actor: who caused it: "server", or an operator by name.
    """

    account: AccountId
    change_cents: int
    typ: CoinType
    reason: str
    remark: str = ""
    key: str
    actor: str = "server"


def content(change: CoinChange | CoinEntry | RefusedCoins) -> tuple[int, int, str, str, str]:
    """What must be alike for a key to be the same request."""
    return change.change_cents, change.typ, change.reason, change.remark, change.actor


def checked(change: CoinChange) -> CoinChange:
    """The change with its texts in their normal form.

    Raises:
        InvalidField: a part of it cannot be.
    """
    if not 0 < abs(change.change_cents) <= MOST_CENTS:
        raise InvalidField("change_cents")
    return replace(
        change,
        reason=_text(change.reason, "reason", MOST_REASON_CHARACTERS),
        remark=change.remark and _text(change.remark, "remark", MOST_REMARK_CHARACTERS),
        key=_text(change.key, "key", MOST_KEY_CHARACTERS),
        actor=_text(change.actor, "actor", MOST_ACTOR_CHARACTERS),
    )


def _text(text: str, field: str, most_characters: int) -> str:
    normal = composed(text, field, most_characters=most_characters)
    if not 0 < len(normal) <= most_characters or not is_clean(normal):
        raise InvalidField(field)
    return normal
