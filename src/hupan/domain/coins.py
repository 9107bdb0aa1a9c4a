"""A change of coins that somebody wants, and what it may say.

An entry carries both of its sides: what the account gained or gave, and the same amount with the
opposite sign for the counter account that its type names. So no row is shared by all accounts.

The same change may be sent many times with one key; it happens once, and each time gets the first
answer. That the balance refused it is an answer too, and is remembered for seven days.
"""

from msgspec import Struct
from msgspec.structs import replace

from hupan.clock import Clock
from hupan.domain.text import is_clean, normalize_nfc
from hupan.errors import (
    AppError,
    CoinKeyReused,
    InvalidField,
    NotEnoughCoins,
    TooManyCoins,
    UnknownUser,
)
from hupan.model import AccountId, CoinEntry, CoinType
from hupan.ratelimit.stored import unwrap
from hupan.store.coins import (
    CoinInconsistency,
    CoinRefusal,
    change_balance,
    count_coin_entries,
    find_coin_entry,
    find_coin_inconsistencies,
    find_coin_refusal,
    insert_coin_entry,
    insert_coin_refusal,
    list_coin_entries,
    lock_balance,
)
from hupan.store.database import Database, Transaction

MAX_BALANCE_CENTS = 10**15 - 1
"""The highest balance: 15 digits, the most that a double on the wire keeps exactly (D5)."""

MAX_COIN_REASON_CHARACTERS = 64
MAX_COIN_REMARK_CHARACTERS = 256
MAX_COIN_KEY_CHARACTERS = 128
MAX_COIN_ACTOR_CHARACTERS = 64

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


def request_content(change: CoinChange | CoinEntry | CoinRefusal) -> tuple[int, int, str, str, str]:
    """What must be alike for a key to be the same request."""
    return change.change_cents, change.typ, change.reason, change.remark, change.actor


def validate_change(change: CoinChange) -> CoinChange:
    """The change with its texts in their normal form.

    Raises:
        InvalidField: a part of it cannot be.
    """
    if not 0 < abs(change.change_cents) <= MAX_BALANCE_CENTS:
        raise InvalidField("change_cents")
    return replace(
        change,
        reason=_normalize_field(change.reason, "reason", MAX_COIN_REASON_CHARACTERS),
        remark=change.remark
        and _normalize_field(change.remark, "remark", MAX_COIN_REMARK_CHARACTERS),
        key=_normalize_field(change.key, "key", MAX_COIN_KEY_CHARACTERS),
        actor=_normalize_field(change.actor, "actor", MAX_COIN_ACTOR_CHARACTERS),
    )


def _normalize_field(text: str, field: str, max_characters: int) -> str:
    normal = normalize_nfc(text, field, max_characters=max_characters)
    if not 0 < len(normal) <= max_characters or not is_clean(normal):
        raise InvalidField(field)
    return normal


_REFUSAL_ERRORS: dict[str, type[AppError]] = {
    "not-enough": NotEnoughCoins,
    "too-many": TooManyCoins,
}


async def find_recorded_result(tx: Transaction, change: CoinChange) -> CoinEntry | AppError | None:
    """What the key was answered the first time; None when it is new."""
    entry = await find_coin_entry(tx, change.account, change.key)
    if entry is not None:
        return entry if request_content(entry) == request_content(change) else CoinKeyReused()
    refused = await find_coin_refusal(tx, change.account, change.key)
    if refused is not None:
        return (
            _REFUSAL_ERRORS[refused.cause]()
            if request_content(refused) == request_content(change)
            else CoinKeyReused()
        )
    return None


async def record_refusal(tx: Transaction, change: CoinChange, now: int) -> AppError:
    """Says which bound a change would pass, and keeps that as the answer to its key."""
    cause = "not-enough" if change.change_cents < 0 else "too-many"
    refused = CoinRefusal(change.account, change.key, cause, now, *request_content(change))
    await insert_coin_refusal(tx, refused)
    return _REFUSAL_ERRORS[cause]()


LAST_ACCOUNT_ID = AccountId(2**63 - 1)
MAX_COIN_FAULTS = 100


class CoinPage(Struct, frozen=True):
    """Some entries of an account, newest first, and how many it has in all."""

    entries: list[CoinEntry]
    total: int


class Coins:
    """Gives and takes coins, and lists what was given and taken."""

    def __init__(self, engine: Database, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def change(self, change: CoinChange) -> CoinEntry:
        """Makes a change of its own.

        Raises:
            InvalidField: a part of it cannot be; named as the attribute.
            UnknownUser: there is no such account.
            NotEnoughCoins: the balance would fall below zero.
            TooManyCoins: the balance would pass `MOST_CENTS`.
            CoinKeyReused: the key named another change before.
        """
        return unwrap(await self._engine.run_transaction(lambda tx: self.post(tx, change)))

    async def post(self, tx: Transaction, change: CoinChange) -> CoinEntry | AppError:
        """Makes a change as part of somebody's change, which may go on after a refusal.

        Whoever posts to several accounts in one change does so in the order of their ids, or two
        such changes may wait for each other.

        Returns:
            The entry, the same one whenever the key comes again; or one of the refusals of
            `change`, which is remembered unless the whole change is undone.

        Raises:
            InvalidField: a part of it cannot be.
        """
        change = validate_change(change)
        if not await lock_balance(tx, change.account):
            return UnknownUser()
        recorded = await find_recorded_result(tx, change)
        if recorded is not None:
            return recorded
        now = int(self._clock.now())
        after = await change_balance(tx, change.account, change.change_cents, MAX_BALANCE_CENTS)
        if after is None:
            return await record_refusal(tx, change, now)
        return await _write_entry(tx, change, after, now)

    async def list_page(self, account: AccountId, *, size: int, page: int) -> CoinPage:
        """One page of an account's entries; the first holds the newest.

        Numbers have no gaps, so page and total are found in the index however many there are.
        """
        total = await count_coin_entries(self._engine, account)
        newest = total - (page - 1) * size
        if newest <= 0:
            return CoinPage([], total)
        entries = await list_coin_entries(
            self._engine, account, after_number=newest - size, last_number=newest
        )
        return CoinPage(entries, total)

    async def list_faults(self, account: AccountId | None = None) -> list[CoinInconsistency]:
        """Where the journal of one account, or of all, breaks the invariants of J3; normally [].

        Each entry begins where the one before ended and adds up, its two sides sum to 0, none
        leaves less than 0, and the balance is what the newest left. Tells some hundred at most.
        """
        first, last = (AccountId(0), LAST_ACCOUNT_ID) if account is None else (account, account)
        return await find_coin_inconsistencies(self._engine, first, last, MAX_COIN_FAULTS)


async def _write_entry(
    tx: Transaction, change: CoinChange, after_cents: int, now: int
) -> CoinEntry:
    """Writes the entry of a balance that was moved in the same change."""
    entry = CoinEntry(
        account_id=change.account,
        number=await count_coin_entries(tx, change.account) + 1,
        key=change.key,
        typ=change.typ,
        reason=change.reason,
        remark=change.remark,
        actor=change.actor,
        before_cents=after_cents - change.change_cents,
        change_cents=change.change_cents,
        after_cents=after_cents,
        counter_account=COUNTER_ACCOUNTS[change.typ],
        counter_cents=-change.change_cents,
        created_at=now,
    )
    await insert_coin_entry(tx, entry)
    return entry
