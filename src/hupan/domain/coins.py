"""Coins: every change of a balance is an entry of the journal (security J3, L8, R09).

An entry carries both of its sides: what the account gained or gave, and the same amount with the
opposite sign for the counter account that its type names. So no row is shared by all accounts.

The same change may be sent many times with one key; it happens once, and each time gets the first
answer. That the balance refused it is an answer too, and is remembered for seven days.
"""

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.coin_answers import find_answer, refuse
from hupan.domain.coin_change import COUNTER_ACCOUNTS, MOST_CENTS, CoinChange, checked
from hupan.domain.outcome import granted
from hupan.domain.refusals import Refusal, UnknownUser
from hupan.model import AccountId, CoinEntry
from hupan.store.coin_audit import CoinFault, list_coin_faults
from hupan.store.coins import count_entries, hold_balance, insert_entry, list_entries, move_coins
from hupan.store.engine import Engine, Transaction

LAST_ACCOUNT = AccountId(2**63 - 1)
MOST_FAULTS = 100


class CoinPage(Struct, frozen=True):
    """Some entries of an account, newest first, and how many it has in all."""

    entries: list[CoinEntry]
    total: int


class Coins:
    """Gives and takes coins, and lists what was given and taken."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
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
        return granted(await self._engine.change(lambda tx: self.post(tx, change)))

    async def post(self, tx: Transaction, change: CoinChange) -> CoinEntry | Refusal:
        """Makes a change as part of somebody's change, which may go on after a refusal.

        Whoever posts to several accounts in one change does so in the order of their ids, or two
        such changes may wait for each other.

        Returns:
            The entry, the same one whenever the key comes again; or one of the refusals of
            `change`, which is remembered unless the whole change is undone.

        Raises:
            InvalidField: a part of it cannot be.
        """
        change = checked(change)
        if not await hold_balance(tx, change.account):
            return UnknownUser()
        first = await find_answer(tx, change)
        if first is not None:
            return first
        now = int(self._clock.now())
        after = await move_coins(tx, change.account, change.change_cents, MOST_CENTS)
        if after is None:
            return await refuse(tx, change, now)
        return await _enter(tx, change, after, now)

    async def page(self, account: AccountId, *, size: int, page: int) -> CoinPage:
        """One page of an account's entries; the first holds the newest.

        Numbers have no gaps, so page and total are found in the index however many there are.
        """
        total = await count_entries(self._engine, account)
        newest = total - (page - 1) * size
        if newest <= 0:
            return CoinPage([], total)
        entries = await list_entries(self._engine, account, above=newest - size, up_to=newest)
        return CoinPage(entries, total)

    async def faults(self, account: AccountId | None = None) -> list[CoinFault]:
        """Where the journal of one account, or of all, breaks the invariants of J3; normally [].

        Each entry begins where the one before ended and adds up, its two sides sum to 0, none
        leaves less than 0, and the balance is what the newest left. Tells some hundred at most.
        """
        first, last = (AccountId(0), LAST_ACCOUNT) if account is None else (account, account)
        return await list_coin_faults(self._engine, first, last, MOST_FAULTS)


async def _enter(tx: Transaction, change: CoinChange, after_cents: int, now: int) -> CoinEntry:
    """Writes the entry of a balance that was moved in the same change."""
    entry = CoinEntry(
        account_id=change.account,
        number=await count_entries(tx, change.account) + 1,
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
    await insert_entry(tx, entry)
    return entry
