"""Account recovery by operators: undo of contact changes, contact and password reset (A2, A6).

Every action is reported to all contacts that are, or were, bound (security A2). An operator starts
a password reset, but never sees or sets a password or a token (security Z6, decision 0031).
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
from hupan.domain.sessions import SessionPolicy
from hupan.errors import TooLateToUndo, UnknownUser
from hupan.model import Account, AccountId, Channel
from hupan.rules import ContactRules
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
"""Rows deleted per transaction."""


class ContactUndo:
    """Restores contacts as they were before a change."""

    def __init__(
        self, database: Database, clock: Clock, notices: NoticeQueue, rules: ContactRules
    ) -> None:
        self._database = database
        self._clock = clock
        self._notices = notices
        self._undo_seconds = rules.undo_seconds

    async def list_changes(self, account: AccountId) -> list[ContactChange]:
        """Return the stored changes of an account, newest first."""
        return await list_contact_changes(self._database, account)

    async def undo(self, account: AccountId, number: int) -> None:
        """Restore the contact before a change; this also undoes later changes of the channel.

        All sessions end: the change itself spared the one that made it. The password is removed,
        because it may have been reset through the address that is undone.

        Raises:
            UnknownUser: there is no such account.
            TooLateToUndo: there is no such change, it was undone, or is too old.
            PhoneTaken, EmailTaken: the old contact belongs to another account now.
        """

        async def change(tx: Transaction) -> None:
            found = await lock_account(tx, account)
            if found is None:
                raise UnknownUser
            await self._restore(tx, found, await self._get_undoable(tx, account, number))

        await self._database.run_transaction(change)
        self._notices.flush()

    async def purge_expired(self) -> None:
        """Delete changes, and the contacts in them, that can no longer be undone."""
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
        await delete_sessions(tx, account.id, "contact-changed", now)
        await set_password_hash(tx, account.id, "")
        recipients = [*bound_contacts(account), *filter(None, [old])]
        for target in recipients:
            await invalidate_codes(tx, target)
        await self._notices.enqueue(tx, recipients, CONTACT_CHANGED_NOTICES[channel], now=now)


PASSWORD_REMOVED_NOTICE = "notice-password-removed"  # noqa: S105 - a kind of notice
PASSWORD_RESET_NOTICE = "notice-password-reset"  # noqa: S105 - a kind of notice
SIGNED_OUT_NOTICE = "notice-signed-out"


class LastContact(Exception):
    """The account would have no contact left to sign in with (security A6)."""


class NothingToResetBy(Exception):
    """No address is bound that a code could be sent to."""


class PasswordResetStart(Struct, frozen=True):
    """The result of starting a password reset.

    Attributes:
        removed: whether an old password was removed.
        sent: whether a code to set a new one was enqueued.
    """

    removed: bool
    sent: bool


class AccountRecovery:
    """Sets contacts, starts password resets and ends sessions for operators."""

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
        """Bind, replace or remove a contact.

        All sessions end, because the lost contact may be in other hands. The change can be undone
        like one made by the owner. Setting exactly what is bound changes nothing.

        Raises:
            UnknownUser: there is no such account.
            PhoneTaken, EmailTaken: it belongs to another account.
            LastContact: the account would have no contact to sign in with.
        """

        async def change(tx: Transaction) -> None:
            account = await self._lock_account(tx, account_id)
            if bound_contact(account, channel) != target:
                await self._set_contact(tx, account, channel, target)

        await self._database.run_transaction(change)
        self._notices.flush()

    async def start_reset(self, account_id: AccountId, *, remove: bool) -> PasswordResetStart:
        """Send a code to the bound address with which the owner sets a new password.

        Args:
            account_id: the account.
            remove: remove the old password and end all sessions.

        Raises:
            UnknownUser: there is no such account.
            NothingToResetBy: no address is bound, and the password is to be kept.
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
        """Return the live sessions of an account, newest first."""
        signed_in_after, used_after = self._policy.cutoffs(int(self._clock.now()))
        return await list_session_summaries(
            self._database, account, signed_in_after=signed_in_after, used_after=used_after
        )

    async def sign_out(self, account_id: AccountId, number: int | None) -> int:
        """End one session by its number, or all; return how many ended.

        Raises:
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> int:
            account = await self._lock_account(tx, account_id)
            now = int(self._clock.now())
            if number is None:
                ended = await log_out_all(tx, account.id, "operator", now)
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
        await delete_sessions(tx, account.id, "contact-changed", now)
        notice = CONTACT_CHANGED_NOTICES if old else CONTACT_BOUND_NOTICES
        await self._notices.enqueue(tx, bound_contacts(account), notice[channel], now=now)
        if target is not None:
            await self._notices.enqueue(tx, [target], CONTACT_BOUND_NOTICES[channel], now=now)

    async def _remove_password(self, tx: Transaction, account: Account, now: int) -> bool:
        had_one = bool(await find_password_hash(tx, account.id))
        await set_password_hash(tx, account.id, "")
        await delete_sessions(tx, account.id, "password-changed", now)
        for target in bound_contacts(account):
            await invalidate_codes(tx, target)
        await self._notices.enqueue(tx, bound_contacts(account), PASSWORD_REMOVED_NOTICE, now=now)
        return had_one

    async def _send_reset(
        self, tx: Transaction, account: Account, address: ContactAddress, now: int
    ) -> None:
        # Only the address gets the code; all other contacts get a notice.
        code = await self._codes.issue(tx, address, "reset", account.id, now)
        expires_at = now + self._codes.lifetime_seconds
        await self._outbox.enqueue_code(tx, address, "reset", code, now=now, expires_at=expires_at)
        others = [target for target in bound_contacts(account) if target != address]
        await self._notices.enqueue(tx, others, PASSWORD_RESET_NOTICE, now=now)
