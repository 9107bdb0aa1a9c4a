"""Undoing a change of a phone number or an address, for operators (security A2).

Whatever is done is told to all that is, or was, bound (security A2). An operator starts a reset of
a password and never sees nor sets one, nor a token (security Z6). docs/decisions/0031.
"""

from msgspec import Struct

from hupan.addresses import ContactAddress
from hupan.clock import Clock
from hupan.domain.codes import Codes
from hupan.domain.contacts import (
    CONTACT_BOUND_NOTICES,
    CONTACT_CHANGED_NOTICES,
    TAKEN_ERRORS,
    bound_contact,
    bound_contacts,
    change_contact,
    contact_from_stored,
    invalidate_codes,
    replace_contact,
)
from hupan.domain.outbox import NoticeQueue, OutboxWriter
from hupan.errors import TooLateToUndo, UnknownUser
from hupan.model import Account, AccountId, Channel
from hupan.rules import ContactRules, SessionPolicy
from hupan.store.accounts import find_password_hash, lock_account, set_password_hash
from hupan.store.contacts import (
    ContactChange,
    find_contact_change,
    list_contact_changes,
    purge_contact_changes,
    set_changes_undone,
)
from hupan.store.database import Database, Transaction
from hupan.store.sessions import (
    SessionSummary,
    delete_sessions,
    list_session_summaries,
    log_out_all,
    log_out_number,
)

PURGE_BATCH_SIZE = 500
"""Rows that one change deletes."""


class ContactUndo:
    """Gives an account back what was bound before somebody changed it."""

    def __init__(
        self, database: Database, clock: Clock, notices: NoticeQueue, rules: ContactRules
    ) -> None:
        self._database = database
        self._clock = clock
        self._notices = notices
        self._undo_seconds = rules.undo_seconds

    async def list_changes(self, account: AccountId) -> list[ContactChange]:
        """The changes of an account that are still kept, newest first."""
        return await list_contact_changes(self._database, account)

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
            found = await lock_account(tx, account)
            if found is None:
                raise UnknownUser
            await self._restore(tx, found, await self._get_undoable(tx, account, number))

        await self._database.run_transaction(change)
        self._notices.flush()

    async def purge_expired(self) -> None:
        """Forgets changes, and the numbers in them, that can no longer be undone."""
        until = int(self._clock.now()) - self._undo_seconds
        while await self._database.run_transaction(
            lambda tx: purge_contact_changes(tx, until, PURGE_BATCH_SIZE)
        ):
            pass

    async def _get_undoable(
        self, tx: Transaction, account: AccountId, number: int
    ) -> ContactChange:
        change = await find_contact_change(tx, account, number)
        oldest = self._clock.now() - self._undo_seconds
        if change is None or change.undone_at or change.changed_at <= oldest:
            raise TooLateToUndo
        return change

    async def _restore(self, tx: Transaction, account: Account, change: ContactChange) -> None:
        now, channel = int(self._clock.now()), change.channel
        old = contact_from_stored(channel, change.old_address) if change.old_address else None
        if not await replace_contact(tx, account, channel, old):
            raise TAKEN_ERRORS[channel]
        await set_changes_undone(tx, account.id, change, now)
        await delete_sessions(tx, account.id)
        await set_password_hash(tx, account.id, "")
        recipients = [*bound_contacts(account), *filter(None, [old])]
        for target in recipients:
            await invalidate_codes(tx, target)
        await self._notices.enqueue(tx, recipients, CONTACT_CHANGED_NOTICES[channel], now=now)


PASSWORD_REMOVED_NOTICE = "notice-password-removed"
PASSWORD_RESET_NOTICE = "notice-password-reset"
SIGNED_OUT_NOTICE = "notice-signed-out"


class LastContact(Exception):
    """The account would have nothing left to sign in with (security A6)."""


class NothingToResetBy(Exception):
    """No address is bound that a code could go to."""


class PasswordResetStart(Struct, frozen=True):
    """What was done about a password.

    Attributes:
        removed: whether there was one that opens nothing any more.
        sent: whether a code to set a new one is on its way.
    """

    removed: bool
    sent: bool


class AccountRecovery:
    """Changes what an account is signed in with, by an operator's hand."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        codes: Codes,
        outbox: OutboxWriter,
        notices: NoticeQueue,
        policy: SessionPolicy,
    ) -> None:
        self._database = database
        self._clock = clock
        self._codes = codes
        self._outbox = outbox
        self._notices = notices
        self._policy = policy

    async def set_contact(
        self, account_id: AccountId, channel: Channel, target: ContactAddress | None
    ) -> None:
        """Binds a number or an address in the place of the one that is bound, or takes it away.

        All sessions end: somebody else may hold what was lost. It can be undone like a change that
        the owner made. What is bound already, to the letter, changes nothing.

        Raises:
            UnknownUser: there is no such account.
            PhoneTaken, EmailTaken: it belongs to another account.
            LastContact: it would leave nothing to sign in with.
        """

        async def change(tx: Transaction) -> None:
            account = await self._lock_account(tx, account_id)
            if bound_contact(account, channel) != target:
                await self._set_contact(tx, account, channel, target)

        await self._database.run_transaction(change)
        self._notices.flush()

    async def start_reset(self, account_id: AccountId, *, remove: bool) -> PasswordResetStart:
        """Sends the code that sets a new password to the address that is bound.

        Args:
            account_id: whose password it is.
            remove: whether the old one shall open nothing any more; then all sessions end, too.

        Raises:
            UnknownUser: there is no such account.
            NothingToResetBy: no address is bound, and the password shall stay.
        """

        async def change(tx: Transaction) -> PasswordResetStart:
            account = await self._lock_account(tx, account_id)
            address = bound_contact(account, "email")
            if address is None and not remove:
                raise NothingToResetBy
            now = int(self._clock.now())
            removed = remove and await self._remove_password(tx, account, now)
            if address is not None:
                await self._send_reset(tx, account, address, now)
            return PasswordResetStart(removed=removed, sent=address is not None)

        done = await self._database.run_transaction(change)
        self._notices.flush()
        return done

    async def list_sessions(self, account: AccountId) -> list[SessionSummary]:
        """The live sessions of an account, the newest first."""
        signed_in_after, used_after = self._policy.cutoffs(int(self._clock.now()))
        return await list_session_summaries(
            self._database, account, signed_in_after=signed_in_after, used_after=used_after
        )

    async def sign_out(self, account_id: AccountId, number: int | None) -> int:
        """Ends one session by its number, or all; gives how many ended.

        Raises:
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> int:
            account = await self._lock_account(tx, account_id)
            now = int(self._clock.now())
            if number is None:
                ended = await log_out_all(tx, account.id, now)
            else:
                ended = await log_out_number(tx, account.id, number, now)
            if ended:
                await self._notices.enqueue(tx, bound_contacts(account), SIGNED_OUT_NOTICE, now=now)
            return ended

        ended = await self._database.run_transaction(change)
        self._notices.flush()
        return ended

    async def _lock_account(self, tx: Transaction, account_id: AccountId) -> Account:
        account = await lock_account(tx, account_id)
        if account is None:
            raise UnknownUser
        return account

    async def _set_contact(
        self, tx: Transaction, account: Account, channel: Channel, target: ContactAddress | None
    ) -> None:
        now, old = int(self._clock.now()), bound_contact(account, channel)
        if target is None and bound_contacts(account) == [old]:
            raise LastContact
        if not await change_contact(tx, account, channel, target, is_verified=True, now=now):
            raise TAKEN_ERRORS[channel]
        await delete_sessions(tx, account.id)
        notice = CONTACT_CHANGED_NOTICES if old else CONTACT_BOUND_NOTICES
        await self._notices.enqueue(tx, bound_contacts(account), notice[channel], now=now)
        if target is not None:
            await self._notices.enqueue(tx, [target], CONTACT_BOUND_NOTICES[channel], now=now)

    async def _remove_password(self, tx: Transaction, account: Account, now: int) -> bool:
        had_one = bool(await find_password_hash(tx, account.id))
        await set_password_hash(tx, account.id, "")
        await delete_sessions(tx, account.id)
        for target in bound_contacts(account):
            await invalidate_codes(tx, target)
        await self._notices.enqueue(tx, bound_contacts(account), PASSWORD_REMOVED_NOTICE, now=now)
        return had_one

    async def _send_reset(
        self, tx: Transaction, account: Account, address: ContactAddress, now: int
    ) -> None:
        """The code goes to the address alone; whatever else is bound is told."""
        code = await self._codes.issue(tx, address, "reset", account.id, now)
        expires_at = now + self._codes.lifetime_seconds
        await self._outbox.enqueue_code(tx, address, "reset", code, now=now, expires_at=expires_at)
        others = [target for target in bound_contacts(account) if target != address]
        await self._notices.enqueue(tx, others, PASSWORD_RESET_NOTICE, now=now)
