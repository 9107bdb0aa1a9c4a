"""Undoing a change of a phone number or an address, for operators (security A2)."""

from hupan.clock import Clock
from hupan.domain.bindings import all_bound, kill_codes, rebind, target_of
from hupan.domain.contacts import CHANGED_NOTICE, TAKEN
from hupan.domain.notices import Notices
from hupan.domain.refusals import TooLateToUndo, UnknownUser
from hupan.domain.settings import ContactRules
from hupan.model import Account, AccountId
from hupan.store.accounts import hold_account, set_password_hash
from hupan.store.contacts import (
    ContactChange,
    find_change,
    list_changes,
    note_undone,
    purge_changes,
)
from hupan.store.engine import Engine, Transaction
from hupan.store.sessions import end_sessions

MOST_AT_ONCE = 500
"""Rows that one change deletes."""


class ContactUndo:
    """Gives an account back what was bound before somebody changed it."""

    def __init__(self, engine: Engine, clock: Clock, notices: Notices, rules: ContactRules) -> None:
        self._engine = engine
        self._clock = clock
        self._notices = notices
        self._undo_seconds = rules.undo_seconds

    async def changes(self, account: AccountId) -> list[ContactChange]:
        """The changes of an account that are still kept, newest first."""
        return await list_changes(self._engine, account)

    async def undo(self, account: AccountId, number: int) -> None:
        """Restores what was bound before a change, and so undoes later ones of the same channel.

        Every session ends: the change itself ended all but the one that made it. The password
        is forgotten, for it may have been reset through the address that is undone.

        Raises:
            UnknownUser: there is no such account.
            TooLateToUndo: there is no such change, it was undone, or is too old.
            PhoneTaken, EmailTaken: what was bound belongs to another account by now.
        """

        async def change(tx: Transaction) -> None:
            found = await hold_account(tx, account)
            if found is None:
                raise UnknownUser
            await self._restore(tx, found, await self._undoable(tx, account, number))

        await self._engine.change(change)
        self._notices.send()

    async def forget_expired(self) -> None:
        """Forgets changes, and the numbers in them, that can no longer be undone."""
        until = int(self._clock.now()) - self._undo_seconds
        while await self._engine.change(lambda tx: purge_changes(tx, until, MOST_AT_ONCE)):
            pass

    async def _undoable(self, tx: Transaction, account: AccountId, number: int) -> ContactChange:
        change = await find_change(tx, account, number)
        oldest = self._clock.now() - self._undo_seconds
        if change is None or change.undone_at or change.changed_at <= oldest:
            raise TooLateToUndo
        return change

    async def _restore(self, tx: Transaction, account: Account, change: ContactChange) -> None:
        now, channel = int(self._clock.now()), change.channel
        old = target_of(channel, change.old_address) if change.old_address else None
        if not await rebind(tx, account, channel, old):
            raise TAKEN[channel]
        await note_undone(tx, account.id, change, now)
        await end_sessions(tx, account.id)
        await set_password_hash(tx, account.id, "")
        told = [*all_bound(account), *filter(None, [old])]
        for target in told:
            await kill_codes(tx, target)
        await self._notices.put(tx, told, CHANGED_NOTICE[channel], now=now)
