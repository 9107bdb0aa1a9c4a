"""Coins: each balance change is an immutable, idempotent journal entry (security J3, L8, R09).

An entry has two sides: the account's amount, and the same amount with the opposite sign for the
counter account of its type. So no row is shared by all accounts.

A request may be repeated with the same key: it takes effect once, and each repetition returns the
first result. A refusal because of the balance is a result too, remembered for seven days.
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
from hupan.store.integrity import walk_account_ids

MAX_BALANCE_CENTS = 10**15 - 1
"""15 digits, the largest balance that a double on the wire represents exactly (D5)."""

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
    """A request to change a balance.

    Attributes:
        change_cents: hundredths of a coin, positive to grant and negative to deduct; never 0.
        typ: what it is for, as numbered on the wire.
        reason: shown to the owner of the account.
        remark: further details, "" for none.
        key: idempotency key, unique per account.
        actor: "server", or the name of the operator.
    """

    account: AccountId
    change_cents: int
    typ: CoinType
    reason: str
    remark: str = ""
    key: str
    actor: str = "server"


def request_content(change: CoinChange | CoinEntry | CoinRefusal) -> tuple[int, int, str, str, str]:
    """Return the fields that a repeated request must have in common."""
    return change.change_cents, change.typ, change.reason, change.remark, change.actor


def validate_change(change: CoinChange) -> CoinChange:
    """Return the request with its texts normalized.

    Raises:
        InvalidField: a field is invalid.
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
    """Return the first result of a key; None if the key is new."""
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
    """Record which bound a request would exceed as the result of its key, and return the error."""
    cause = "not-enough" if change.change_cents < 0 else "too-many"
    refused = CoinRefusal(change.account, change.key, cause, now, *request_content(change))
    await insert_coin_refusal(tx, refused)
    return _REFUSAL_ERRORS[cause]()


MAX_COIN_FAULTS = 100


class CoinPage(Struct, frozen=True):
    """A page of an account's entries, newest first, and the total number of entries."""

    entries: list[CoinEntry]
    total: int


class Coins:
    """Changes balances and lists journal entries."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def change(self, change: CoinChange) -> CoinEntry:
        """Change a balance in a separate transaction.

        Raises:
            InvalidField: a field is invalid; named as the attribute.
            UnknownUser: there is no such account.
            NotEnoughCoins: the balance would be negative.
            TooManyCoins: the balance would exceed `MAX_BALANCE_CENTS`.
            CoinKeyReused: the key belongs to a different request.
        """
        return unwrap(await self._database.run_transaction(lambda tx: self.post(tx, change)))

    async def post(self, tx: Transaction, change: CoinChange) -> CoinEntry | AppError:
        """Change a balance in the current transaction, which may continue after a refusal.

        To avoid deadlocks, a transaction that posts to several accounts must do so in the order of
        their ids.

        Returns:
            The entry, the same one for each repetition; or one of the errors of `change`, which is
            recorded unless the transaction is rolled back.

        Raises:
            InvalidField: a field is invalid.
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
        """Return a page of an account's entries; page 1 has the newest.

        Numbers have no gaps, so page and total come from the index, however many entries exist.
        """
        total = await count_coin_entries(self._database, account)
        newest = total - (page - 1) * size
        if newest <= 0:
            return CoinPage([], total)
        entries = await list_coin_entries(
            self._database, account, after_number=newest - size, last_number=newest
        )
        return CoinPage(entries, total)

    async def list_faults(self, account: AccountId | None = None) -> list[CoinInconsistency]:
        """Return where the journal of one account, or of all, violates security J3; normally [].

        Each entry begins where the previous one ended and adds up, its two sides sum to 0, no
        balance is negative, and the current balance is that of the newest entry. Returns at most
        100 faults.
        """
        if account is not None:
            ids = range(account, account + 1)
            return _by_account(
                await find_coin_inconsistencies(self._database, ids, MAX_COIN_FAULTS)
            )
        found: list[CoinInconsistency] = []
        async for ids in walk_account_ids(self._database):
            max_rows = MAX_COIN_FAULTS - len(found)
            found += _by_account(await find_coin_inconsistencies(self._database, ids, max_rows))
            if len(found) >= MAX_COIN_FAULTS:
                break
        return found


def _by_account(faults: list[CoinInconsistency]) -> list[CoinInconsistency]:
    return sorted(faults, key=lambda fault: (fault.account_id, fault.number))


async def _write_entry(
    tx: Transaction, change: CoinChange, after_cents: int, now: int
) -> CoinEntry:
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
