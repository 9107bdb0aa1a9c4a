"""What is bound to an account: its phone number and its address (security A2, A3, D1).

A first binding needs no proof, for clients have no step for one. So one that was made without any
says nothing about who holds the account: as long as it can be undone, what is reached through it,
such as a session that is fresh because of it, is no proof for the other target, the older one.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from hupan.addresses import ContactAddress, ContactParser
from hupan.clock import Clock
from hupan.domain.codes import Codes, attempt_key
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
    """The number or address that an account has."""
    address = account.phone if channel == "sms" else account.email
    return contact_from_stored(channel, address) if address else None


def bound_contacts(account: Account) -> list[ContactAddress]:
    """Everything that messages can reach an account by."""
    return [target for channel in CHANNELS if (target := bound_contact(account, channel))]


def contact_from_stored(channel: Channel, address: str) -> ContactAddress:
    """The target that an address, kept as its owner is shown it, stands for."""
    return ContactAddress(channel, address.lower(), address)


async def replace_contact(
    tx: Transaction, account: Account, channel: Channel, to: ContactAddress | None
) -> bool:
    """Puts a target, or none, in the place of what is bound; False when somebody has it.

    Codes of both and proofs of the old one die (security D1), and so do the wrong tries that were
    counted against the old one (security A4); a False has changed nothing.
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


async def invalidate_codes(tx: Transaction, target: ContactAddress) -> None:
    """Ends the live code of a target, and what of it could not be sent so far."""
    await revoke_code(tx, target.channel, target.key)
    await delete_unsent_codes(tx, target.channel, target.address)


_OTHER_CHANNEL: dict[Channel, Channel] = {"sms": "email", "email": "sms"}


class StepUps:
    """Keeps what sessions proved, and tells what that is worth."""

    def __init__(self, rules: ContactRules) -> None:
        self._rules = rules

    async def record(self, tx: Transaction, session: Session, channel: Channel, now: int) -> None:
        """Marks a session: it holds what is bound."""
        await put_step_up(tx, session, channel, now + self._rules.step_up_seconds)

    async def find_change_error(
        self, reader: Reader, session: Session, channel: Channel, now: int
    ) -> AppError | None:
        """Why a session may not change what is bound; None when it may."""
        if await has_step_up(reader, session, channel, now):
            return None
        if await self.is_unverified(reader, session.account_id, _OTHER_CHANNEL[channel], now):
            return OlderProofNeeded()
        return None if self._is_fresh(session, now) else ProofNeeded()

    async def is_first_binding_verified(
        self, reader: Reader, caller: Caller, channel: Channel, now: int
    ) -> bool:
        """Whether a first binding is made by who holds what is bound already, if anything is."""
        older, session = _OTHER_CHANNEL[channel], caller.session
        if bound_contact(caller.account, older) is None:
            return True
        if await self.is_unverified(reader, session.account_id, older, now):
            return False
        return self._is_fresh(session, now) or await has_step_up(reader, session, older, now)

    async def is_unverified(
        self, reader: Reader, account: AccountId, channel: Channel, now: int
    ) -> bool:
        """Whether the first binding of a channel was made without proof, not long ago."""
        after = now - self._rules.undo_seconds
        return await has_unverified_binding(reader, account, channel, after)

    def _is_fresh(self, session: Session, now: int) -> bool:
        return now - session.signed_in_at < self._rules.fresh_seconds


MAX_CONTACT_CHANGES = 100
"""Changes of an account that are kept at a time. One more is refused, and none is forgotten: or who
took an account over would make as many, and nobody could undo the first one (security A2, X5)."""
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
    """Binds and changes what is bound.

    What a caller knows of their own account (bound already, not bound yet, a proof needed) is
    told at once, and costs no code; what is true of others only after a right code (security E3).
    """

    def __init__(
        self,
        engine: Database,
        clock: Clock,
        targets: ContactParser,
        codes: Codes,
        notices: NoticeQueue,
        step_ups: StepUps,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._codes = codes
        self._notices = notices
        self._step_ups = step_ups

    async def bind_phone(self, session: Session, phone: str, code: str) -> None:
        """Binds a first number.

        Raises:
            InvalidField, NotSignedIn, Banned, PhoneBound, WrongCode, PhoneTaken
        """
        await self._run_step(self._bind, session, self._targets.parse_phone(phone, "phone"), code)

    async def bind_email(self, session: Session, email: str, code: str) -> None:
        """Binds a first address.

        Raises:
            InvalidField, NotSignedIn, Banned, EmailBound, WrongCode, EmailTaken
        """
        await self._run_step(self._bind, session, self._targets.parse_email(email, "email"), code)

    async def change_phone(self, session: Session, phone: str, code: str) -> None:
        """Proves the number that is bound, or puts a new one in its place.

        Raises:
            InvalidField, NotSignedIn, Banned, PhoneNotBound, WrongCode, PhoneTaken
            ProofNeeded, OlderProofNeeded
        """
        await self._run_step(self._change, session, self._targets.parse_phone(phone, "phone"), code)

    async def change_email(self, session: Session, email: str, code: str) -> None:
        """Proves the address that is bound, or puts a new one in its place.

        Raises:
            InvalidField, NotSignedIn, Banned, EmailNotBound, WrongCode, EmailTaken
            ProofNeeded, OlderProofNeeded
        """
        await self._run_step(self._change, session, self._targets.parse_email(email, "email"), code)

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

        unwrap(await self._engine.run_transaction(change))
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
        refusal = await self._claim_contact(
            tx, caller, target, code, is_verified=is_verified, now=now
        )
        if refusal is None:
            recipients = [*bound_contacts(account), target]
            await self._notices.enqueue(
                tx, recipients, CONTACT_BOUND_NOTICES[target.channel], now=now
            )
        return refusal

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
        refusal = await self._claim_contact(tx, caller, target, code, is_verified=True, now=now)
        if refusal is None:
            await delete_sessions(tx, account.id, except_token_hash=caller.session.token_hash)
            await self._notices.enqueue(
                tx, bound_contacts(account), CONTACT_CHANGED_NOTICES[channel], now=now
            )
            await self._notices.enqueue(tx, [target], CONTACT_BOUND_NOTICES[channel], now=now)
        return refusal

    async def _record_step_up(
        self, tx: Transaction, caller: Caller, target: ContactAddress, code: str, now: int
    ) -> AppError | None:
        """Marks the session: it holds what is bound (security D2)."""
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
        """Uses a code up and makes its target the caller's, if it is still free (D1, A3)."""
        account, channel = caller.account, target.channel
        if await count_contact_changes(tx, account.id) >= MAX_CONTACT_CHANGES:
            return TooManyTries()
        redeemed = await self._redeem_code(tx, caller, target, code, now)
        if isinstance(redeemed, AppError):
            return redeemed
        owner = await find_identity_owner(tx, target.identity_kind, target.key)
        refusal = _find_binding_error(redeemed, owner, channel)
        if refusal is not None:
            return refusal
        if not await replace_contact(tx, account, channel, target):
            return TAKEN_ERRORS[channel]()
        old = bound_contact(account, channel)
        await insert_contact_change(
            tx,
            account.id,
            channel,
            old_address=old.address if old else "",
            new_address=target.address,
            is_verified=is_verified,
            now=now,
        )
        return None

    async def _redeem_code(
        self, tx: Transaction, caller: Caller, target: ContactAddress, code: str, now: int
    ) -> Code | AppError:
        device_key = await attempt_key(
            tx, target, caller.session.device_id, "binding", caller.account.id
        )
        return await self._codes.redeem(tx, target, code, device_key=device_key, now=now)


def _find_binding_error(
    redeemed: Code, owner: AccountId | None, channel: Channel
) -> AppError | None:
    """Why a right code binds nothing (security D1, E3); None for one of a target that is free."""
    if redeemed.purpose in ("own", "new") and owner is not None:
        return TAKEN_ERRORS[channel]()
    return None if redeemed.purpose == "new" else WrongCode()
