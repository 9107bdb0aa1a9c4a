"""Bound phone numbers and e-mail addresses: binding, change and step-up (security A1-A3, D1, D2).

A first binding needs no proof, because clients have no step for it. So an unverified one does not
prove ownership of the account: while it can be undone, anything reached through it, such as a fresh
session, does not authorize changes of the other, older contact.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from hupan.addresses import ContactAddress, ContactParser
from hupan.clock import Clock
from hupan.domain.codes import Codes
from hupan.domain.outbox import NoticeQueue
from hupan.errors import (
    AppError,
    Banned,
    EmailBound,
    EmailNotBound,
    EmailTaken,
    NotSignedIn,
    OlderProofNeeded,
    PhoneBound,
    PhoneNotBound,
    PhoneTaken,
    ProofNeeded,
    TooManyTries,
    WrongCode,
)
from hupan.model import Account, AccountId, Caller, Channel, Session
from hupan.ratelimit.stored import reset_attempts, unwrap
from hupan.rules import ContactRules
from hupan.store.accounts import claim_identity, find_identity_owner, release_identity
from hupan.store.codes import Code, revoke_code
from hupan.store.contacts import (
    count_contact_changes,
    delete_step_ups,
    has_step_up,
    has_unverified_binding,
    insert_contact_change,
    put_step_up,
    set_contact_address,
)
from hupan.store.database import Database, Reader, Transaction
from hupan.store.outbox import delete_unsent_codes
from hupan.store.sessions import delete_sessions, lock_caller

CHANNELS: tuple[Channel, ...] = ("sms", "email")


def bound_contact(account: Account, channel: Channel) -> ContactAddress | None:
    address = account.phone if channel == "sms" else account.email
    return contact_from_stored(channel, address) if address else None


def bound_contacts(account: Account) -> list[ContactAddress]:
    return [target for channel in CHANNELS if (target := bound_contact(account, channel))]


def contact_from_stored(channel: Channel, address: str) -> ContactAddress:
    """Return the contact of a stored address."""
    return ContactAddress(channel, address.lower(), address)


async def replace_contact(
    tx: Transaction, account: Account, channel: Channel, to: ContactAddress | None
) -> bool:
    """Replace or remove a contact; return False, with nothing changed, if it is taken.

    Codes of both contacts and step-ups by the old one are revoked (security D1), and the wrong
    attempts counted against the old one are deleted (security A4).
    """
    old = bound_contact(account, channel)
    is_changed = (old and old.key) != (to and to.key)
    if is_changed and to and not await claim_identity(tx, to.identity_kind, to.key, account.id):
        return False
    if is_changed and old:
        await release_identity(tx, old.identity_kind, old.key, account.id)
        await reset_attempts(tx, old.channel, old.key)
    for target in filter(None, (old, to)):
        await invalidate_codes(tx, target)
    await delete_step_ups(tx, account.id, channel)
    await set_contact_address(tx, account.id, channel, to.address if to else "")
    return True


async def change_contact(
    tx: Transaction,
    account: Account,
    channel: Channel,
    to: ContactAddress | None,
    *,
    is_verified: bool,
    now: int,
) -> bool:
    """Do `replace_contact`, and record the change so that it can be undone."""
    if not await replace_contact(tx, account, channel, to):
        return False
    old = bound_contact(account, channel)
    await insert_contact_change(
        tx,
        account.id,
        channel,
        old_address=old.address if old else "",
        new_address=to.address if to else "",
        is_verified=is_verified,
        now=now,
    )
    return True


async def invalidate_codes(tx: Transaction, target: ContactAddress) -> None:
    """Revoke the code of a contact, and delete messages with it that were not sent yet."""
    await revoke_code(tx, target.channel, target.key)
    await delete_unsent_codes(tx, target.channel, target.address)


_OTHER_CHANNEL: dict[Channel, Channel] = {"sms": "email", "email": "sms"}


class StepUps:
    """Records step-up verifications of sessions, and decides which changes they allow."""

    def __init__(self, rules: ContactRules) -> None:
        self._rules = rules

    async def record(self, tx: Transaction, session: Session, channel: Channel, now: int) -> None:
        """Record that a session has proved control of its bound contact."""
        await put_step_up(tx, session, channel, now + self._rules.step_up_seconds)

    async def find_change_error(
        self, reader: Reader, session: Session, channel: Channel, now: int
    ) -> AppError | None:
        """Return why a session may not change a contact; None if it may."""
        if await has_step_up(reader, session, channel, now):
            return None
        if await self.is_unverified(reader, session.account_id, _OTHER_CHANNEL[channel], now):
            return OlderProofNeeded()
        return None if self._is_fresh(session, now) else ProofNeeded()

    async def is_first_binding_verified(
        self, reader: Reader, caller: Caller, channel: Channel, now: int
    ) -> bool:
        """Return whether the caller has proved control of the contact bound already, if any."""
        older, session = _OTHER_CHANNEL[channel], caller.session
        if bound_contact(caller.account, older) is None:
            return True
        if await self.is_unverified(reader, session.account_id, older, now):
            return False
        return self._is_fresh(session, now) or await has_step_up(reader, session, older, now)

    async def is_unverified(
        self, reader: Reader, account: AccountId, channel: Channel, now: int
    ) -> bool:
        """Return whether a contact was first bound without proof, recently enough to be undone."""
        after = now - self._rules.undo_seconds
        return await has_unverified_binding(reader, account, channel, after)

    def _is_fresh(self, session: Session, now: int) -> bool:
        return now - session.signed_in_at < self._rules.fresh_seconds


MAX_CONTACT_CHANGES = 100
"""Changes that are kept per account. Further changes are refused, and none is dropped: otherwise an
attacker could make so many that the first can no longer be undone (security A2, X5).
"""
ContactStep: TypeAlias = Callable[
    [Transaction, Caller, ContactAddress, str, int], Awaitable[AppError | None]
]

TAKEN_ERRORS: dict[Channel, type[AppError]] = {"sms": PhoneTaken, "email": EmailTaken}
_ALREADY_BOUND_ERRORS: dict[Channel, type[AppError]] = {"sms": PhoneBound, "email": EmailBound}
_NOT_BOUND_ERRORS: dict[Channel, type[AppError]] = {"sms": PhoneNotBound, "email": EmailNotBound}
CONTACT_BOUND_NOTICES: dict[Channel, str] = {
    "sms": "notice-phone-bound",
    "email": "notice-email-bound",
}
CONTACT_CHANGED_NOTICES: dict[Channel, str] = {
    "sms": "notice-phone-changed",
    "email": "notice-email-changed",
}


class Contacts:
    """Binds and changes contacts.

    What a caller knows about their own account (already bound, not bound yet, step-up needed) is
    reported at once and spends no code; facts about others only after a right code (security E3).
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        contact_parser: ContactParser,
        codes: Codes,
        notices: NoticeQueue,
        step_ups: StepUps,
    ) -> None:
        self._database = database
        self._clock = clock
        self._contact_parser = contact_parser
        self._codes = codes
        self._notices = notices
        self._step_ups = step_ups

    async def bind_phone(self, session: Session, phone: str, code: str) -> None:
        """Bind a first phone number.

        Raises:
            InvalidField, NotSignedIn, Banned, PhoneBound, WrongCode, PhoneTaken
        """
        await self._run_step(
            self._bind, session, self._contact_parser.parse_phone(phone, "phone"), code
        )

    async def bind_email(self, session: Session, email: str, code: str) -> None:
        """Bind a first e-mail address.

        Raises:
            InvalidField, NotSignedIn, Banned, EmailBound, WrongCode, EmailTaken
        """
        await self._run_step(
            self._bind, session, self._contact_parser.parse_email(email, "email"), code
        )

    async def change_phone(self, session: Session, phone: str, code: str) -> None:
        """Verify the bound phone number, or replace it if `phone` is another one.

        Raises:
            InvalidField, NotSignedIn, Banned, PhoneNotBound, WrongCode, PhoneTaken
            ProofNeeded, OlderProofNeeded
        """
        await self._run_step(
            self._change, session, self._contact_parser.parse_phone(phone, "phone"), code
        )

    async def change_email(self, session: Session, email: str, code: str) -> None:
        """Verify the bound address, or replace it if `email` is another one.

        Raises:
            InvalidField, NotSignedIn, Banned, EmailNotBound, WrongCode, EmailTaken
            ProofNeeded, OlderProofNeeded
        """
        await self._run_step(
            self._change, session, self._contact_parser.parse_email(email, "email"), code
        )

    async def _run_step(
        self, step: ContactStep, session: Session, target: ContactAddress, code: str
    ) -> None:
        async def change(tx: Transaction) -> AppError | None:
            now = int(self._clock.now())
            caller = await lock_caller(tx, session.account_id, session.token_hash)
            if caller is None:
                return NotSignedIn()
            if caller.account.is_banned(now):
                return Banned()
            return await step(tx, caller, target, code, now)

        unwrap(await self._database.run_transaction(change))
        self._notices.flush()

    async def _bind(
        self, tx: Transaction, caller: Caller, target: ContactAddress, code: str, now: int
    ) -> AppError | None:
        account = caller.account
        if bound_contact(account, target.channel):
            return _ALREADY_BOUND_ERRORS[target.channel]()
        is_verified = await self._step_ups.is_first_binding_verified(
            tx, caller, target.channel, now
        )
        error = await self._claim_contact(
            tx, caller, target, code, is_verified=is_verified, now=now
        )
        if error is None:
            recipients = [*bound_contacts(account), target]
            await self._notices.enqueue(
                tx, recipients, CONTACT_BOUND_NOTICES[target.channel], now=now
            )
        return error

    async def _change(
        self, tx: Transaction, caller: Caller, target: ContactAddress, code: str, now: int
    ) -> AppError | None:
        account, channel = caller.account, target.channel
        old = bound_contact(account, channel)
        if old is None:
            return _NOT_BOUND_ERRORS[channel]()
        if old.key == target.key:
            return await self._record_step_up(tx, caller, target, code, now)
        needed = await self._step_ups.find_change_error(tx, caller.session, channel, now)
        if needed is not None:
            return needed
        error = await self._claim_contact(tx, caller, target, code, is_verified=True, now=now)
        if error is None:
            await delete_sessions(
                tx,
                account.id,
                "contact-changed",
                now,
                except_token_hash=caller.session.token_hash,
            )
            await self._notices.enqueue(
                tx, bound_contacts(account), CONTACT_CHANGED_NOTICES[channel], now=now
            )
            await self._notices.enqueue(tx, [target], CONTACT_BOUND_NOTICES[channel], now=now)
        return error

    async def _record_step_up(
        self, tx: Transaction, caller: Caller, target: ContactAddress, code: str, now: int
    ) -> AppError | None:
        # The session proves control of what is bound (security D2).
        redeemed = await self._redeem_code(tx, caller, target, code, now)
        if isinstance(redeemed, AppError):
            return redeemed
        if redeemed.purpose != "own" or redeemed.account_id != caller.account.id:
            return WrongCode()
        await self._step_ups.record(tx, caller.session, target.channel, now)
        return None

    async def _claim_contact(
        self,
        tx: Transaction,
        caller: Caller,
        target: ContactAddress,
        code: str,
        *,
        is_verified: bool,
        now: int,
    ) -> AppError | None:
        # The code is spent, and the contact must still be free (security D1, A3).
        account, channel = caller.account, target.channel
        if await count_contact_changes(tx, account.id) >= MAX_CONTACT_CHANGES:
            return TooManyTries()
        redeemed = await self._redeem_code(tx, caller, target, code, now)
        if isinstance(redeemed, AppError):
            return redeemed
        owner = await find_identity_owner(tx, target.identity_kind, target.key)
        error = _find_binding_error(redeemed, owner, channel)
        if error is not None:
            return error
        is_changed = await change_contact(
            tx, account, channel, target, is_verified=is_verified, now=now
        )
        return None if is_changed else TAKEN_ERRORS[channel]()

    async def _redeem_code(
        self, tx: Transaction, caller: Caller, target: ContactAddress, code: str, now: int
    ) -> Code | AppError:
        return await self._codes.redeem(
            tx,
            target,
            code,
            device_id=caller.session.device_id,
            purpose="binding",
            caller=caller.account.id,
            now=now,
        )


def _find_binding_error(
    redeemed: Code, owner: AccountId | None, channel: Channel
) -> AppError | None:
    # A caller learns that a contact is taken only after a right code (security D1, E3).
    if redeemed.purpose in ("own", "new") and owner is not None:
        return TAKEN_ERRORS[channel]()
    return None if redeemed.purpose == "new" else WrongCode()
