"""Account deletion: cancellation, restore, and erasure after a delay (security A4, A7).

To cancel, the owner needs the account's token and a code sent to a contact while it was bound to
the account (security D1); a contact that was bound without proof will not do. All sessions end in
the same transaction, and from then on the account behaves as if it did not exist. It is erased
after a delay, and only then are its phone number and address free again; a later registration with
them starts from nothing, under a new id. Until then a refused sign-in gets the reason, but only
after a right code or password (E3).
"""

from functools import partial

from hupan.addresses import ContactAddress, ContactParser
from hupan.clock import Clock
from hupan.domain.codes import Codes
from hupan.domain.contacts import StepUps, bound_contacts, invalidate_codes
from hupan.domain.outbox import NoticeQueue
from hupan.errors import (
    AppError,
    InvalidField,
    NotSignedIn,
    OlderProofNeeded,
    UnknownUser,
    WrongCode,
)
from hupan.model import Account, AccountId, Caller, Channel, Session
from hupan.ratelimit.stored import reset_attempts, unwrap
from hupan.store.accounts import (
    erase_account,
    find_identity_owner,
    list_due_erasures,
    list_identities,
    lock_account,
    restore_account,
    schedule_erasure,
)
from hupan.store.codes import revoke_code
from hupan.store.database import Database, Transaction
from hupan.store.sessions import lock_caller, log_out_all

ACCOUNT_CANCELLED_NOTICE = "notice-account-cancelled"
ACCOUNT_RESTORED_NOTICE = "notice-account-restored"
ERASE_BATCH_SIZE = 100


class AccountDeletion:
    """Cancels, restores and erases accounts."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        contact_parser: ContactParser,
        codes: Codes,
        notices: NoticeQueue,
        step_ups: StepUps,
        erase_after_seconds: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._contact_parser = contact_parser
        self._codes = codes
        self._notices = notices
        self._step_ups = step_ups
        self._erase_after_seconds = erase_after_seconds

    async def cancel(self, session: Session, phone: str, email: str, code: str) -> None:
        """Cancel the account of a session, with a code for one of its contacts.

        Raises:
            InvalidField: not exactly one of `phone` and `email` is given, or it is invalid.
            WrongCode: the contact is not the account's, or the code is not its own.
            OlderProofNeeded: the contact was bound without proof, not long ago.
            NotSignedIn: the session has ended in the meantime.
        """
        target = self._parse_contact(phone, email)

        async def change(tx: Transaction) -> AppError | None:
            now = int(self._clock.now())
            caller = await lock_caller(tx, session.account_id, session.token_hash)
            if caller is None:
                return NotSignedIn()
            error = await self._find_cancel_error(tx, caller, target, code, now)
            if error is None:
                await self._cancel_account(tx, caller.account, now)
            return error

        unwrap(await self._database.run_transaction(change))
        self._notices.flush()

    async def cancel_by_operator(self, account_id: AccountId) -> int:
        """Cancel an account for an operator; return when it is erased, in unix seconds.

        Raises:
            UnknownUser: there is no such account, or it is cancelled already.
        """

        async def change(tx: Transaction) -> int:
            account = await lock_account(tx, account_id)
            if account is None:
                raise UnknownUser
            return await self._cancel_account(tx, account, int(self._clock.now()))

        erase_at = await self._database.run_transaction(change)
        self._notices.flush()
        return erase_at

    async def restore(self, account_id: AccountId) -> None:
        """Undo a cancellation for an operator, before the account is erased.

        Its sessions stay ended: the owner signs in again.

        Raises:
            UnknownUser: there is no such account, it was not cancelled, or it is due to be erased.
        """

        async def change(tx: Transaction) -> None:
            now = int(self._clock.now())
            if not await restore_account(tx, account_id, now):
                raise UnknownUser
            account = await lock_account(tx, account_id)
            if account is None:
                raise UnknownUser
            await self._notices.enqueue(
                tx, bound_contacts(account), ACCOUNT_RESTORED_NOTICE, now=now
            )

        await self._database.run_transaction(change)
        self._notices.flush()

    async def erase_due(self) -> int:
        """Erase the cancelled accounts that are due; return how many were found."""
        due = await list_due_erasures(self._database, int(self._clock.now()), ERASE_BATCH_SIZE)
        for account in due:
            await self._database.run_transaction(partial(self._erase, account))
        return len(due)

    def _parse_contact(self, phone: str, email: str) -> ContactAddress:
        if phone and email:
            raise InvalidField("email")
        if email:
            return self._contact_parser.parse_email(email, "email")
        return self._contact_parser.parse_phone(phone, "phone")

    async def _find_cancel_error(
        self, tx: Transaction, caller: Caller, target: ContactAddress, code: str, now: int
    ) -> AppError | None:
        # A contact of another account is refused before its code is checked, so none can guess at
        # that code here or use its attempts up. Missing proof is reported at once, as for a change.
        account = caller.account.id
        if await find_identity_owner(tx, target.identity_kind, target.key) != account:
            return WrongCode()
        if await self._step_ups.is_unverified(tx, account, target.channel, now):
            return OlderProofNeeded()
        redeemed = await self._codes.redeem(
            tx,
            target,
            code,
            device_id=caller.session.device_id,
            purpose="binding",
            caller=account,
            now=now,
        )
        if isinstance(redeemed, AppError):
            return redeemed
        return None if redeemed.purpose == "own" and redeemed.account_id == account else WrongCode()

    async def _cancel_account(self, tx: Transaction, account: Account, now: int) -> int:
        erase_at = now + self._erase_after_seconds
        await schedule_erasure(tx, account.id, erase_at)
        await log_out_all(tx, account.id, "cancelled", now)
        recipients = bound_contacts(account)
        for target in recipients:
            await invalidate_codes(tx, target)
        await self._notices.enqueue(tx, recipients, ACCOUNT_CANCELLED_NOTICE, now=now)
        return erase_at

    async def _erase(self, account: AccountId, tx: Transaction) -> None:
        # Another process may have erased it in the meantime.
        identities = await list_identities(tx, account)
        if not await erase_account(tx, account, int(self._clock.now())):
            return
        for kind, value in identities:
            if kind != "invitation":
                channel: Channel = "sms" if kind == "phone" else "email"
                await revoke_code(tx, channel, value)
                await reset_attempts(tx, channel, value)
