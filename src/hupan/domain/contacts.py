"""Binding a phone number or an address, and changing it (wire.md 4, security D1, D2, A1-A3)."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from hupan.clock import Clock
from hupan.domain.bindings import all_bound, bound, rebind
from hupan.domain.codes import Codes, attempt_key
from hupan.domain.contact_proofs import ContactProofs
from hupan.domain.notices import Notices
from hupan.domain.outcome import granted
from hupan.domain.refusals import (
    Banned,
    EmailBound,
    EmailNotBound,
    EmailTaken,
    NotSignedIn,
    PhoneBound,
    PhoneNotBound,
    PhoneTaken,
    Refusal,
    TooManyTries,
    WrongCode,
)
from hupan.domain.targets import Target, Targets
from hupan.model import AccountId, Caller, Channel, Session
from hupan.store.accounts import find_owner
from hupan.store.codes import Code
from hupan.store.contacts import count_changes, note_change
from hupan.store.engine import Engine, Transaction
from hupan.store.sessions import end_sessions, hold_caller

MOST_CHANGES = 100
"""Changes of an account that are kept at a time. One more is refused, and none is forgotten: or who
took an account over would make as many, and nobody could undo the first one (security A2, X5)."""
Step: TypeAlias = Callable[[Transaction, Caller, Target, str, int], Awaitable[Refusal | None]]

TAKEN: dict[Channel, type[Refusal]] = {"sms": PhoneTaken, "email": EmailTaken}
_BOUND: dict[Channel, type[Refusal]] = {"sms": PhoneBound, "email": EmailBound}
_NOT_BOUND: dict[Channel, type[Refusal]] = {"sms": PhoneNotBound, "email": EmailNotBound}
BOUND_NOTICE: dict[Channel, str] = {"sms": "notice-phone-bound", "email": "notice-email-bound"}
CHANGED_NOTICE: dict[Channel, str] = {
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
        engine: Engine,
        clock: Clock,
        targets: Targets,
        codes: Codes,
        notices: Notices,
        proofs: ContactProofs,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._codes = codes
        self._notices = notices
        self._proofs = proofs

    async def bind_phone(self, session: Session, phone: str, code: str) -> None:
        """Binds a first number.

        Raises:
            InvalidField, NotSignedIn, Banned, PhoneBound, WrongCode, PhoneTaken
        """
        await self._do(self._bind, session, self._targets.phone(phone, "phone"), code)

    async def bind_email(self, session: Session, email: str, code: str) -> None:
        """Binds a first address.

        Raises:
            InvalidField, NotSignedIn, Banned, EmailBound, WrongCode, EmailTaken
        """
        await self._do(self._bind, session, self._targets.email(email, "email"), code)

    async def change_phone(self, session: Session, phone: str, code: str) -> None:
        """Proves the number that is bound, or puts a new one in its place.

        Raises:
            InvalidField, NotSignedIn, Banned, PhoneNotBound, WrongCode, PhoneTaken
            ProofNeeded, OlderProofNeeded
        """
        await self._do(self._change, session, self._targets.phone(phone, "phone"), code)

    async def change_email(self, session: Session, email: str, code: str) -> None:
        """Proves the address that is bound, or puts a new one in its place.

        Raises:
            InvalidField, NotSignedIn, Banned, EmailNotBound, WrongCode, EmailTaken
            ProofNeeded, OlderProofNeeded
        """
        await self._do(self._change, session, self._targets.email(email, "email"), code)

    async def _do(self, step: Step, session: Session, target: Target, code: str) -> None:
        async def change(tx: Transaction) -> Refusal | None:
            now = int(self._clock.now())
            caller = await hold_caller(tx, session.account_id, session.token_hash)
            if caller is None:
                return NotSignedIn()
            if caller.account.is_banned(now):
                return Banned()
            return await step(tx, caller, target, code, now)

        granted(await self._engine.change(change))
        self._notices.send()

    async def _bind(
        self, tx: Transaction, caller: Caller, target: Target, code: str, now: int
    ) -> Refusal | None:
        account = caller.account
        if bound(account, target.channel):
            return _BOUND[target.channel]()
        is_proven = await self._proofs.is_proven(tx, caller, target.channel, now)
        refusal = await self._take(tx, caller, target, code, is_proven=is_proven, now=now)
        if refusal is None:
            told = [*all_bound(account), target]
            await self._notices.put(tx, told, BOUND_NOTICE[target.channel], now=now)
        return refusal

    async def _change(
        self, tx: Transaction, caller: Caller, target: Target, code: str, now: int
    ) -> Refusal | None:
        account, channel = caller.account, target.channel
        old = bound(account, channel)
        if old is None:
            return _NOT_BOUND[channel]()
        if old.key == target.key:
            return await self._prove(tx, caller, target, code, now)
        needed = await self._proofs.refusal(tx, caller.session, channel, now)
        if needed is not None:
            return needed
        refusal = await self._take(tx, caller, target, code, is_proven=True, now=now)
        if refusal is None:
            await end_sessions(tx, account.id, but=caller.session.token_hash)
            await self._notices.put(tx, all_bound(account), CHANGED_NOTICE[channel], now=now)
            await self._notices.put(tx, [target], BOUND_NOTICE[channel], now=now)
        return refusal

    async def _prove(
        self, tx: Transaction, caller: Caller, target: Target, code: str, now: int
    ) -> Refusal | None:
        """Marks the session: it holds what is bound (security D2)."""
        spent = await self._spend(tx, caller, target, code, now)
        if isinstance(spent, Refusal):
            return spent
        if spent.kind != "own" or spent.account_id != caller.account.id:
            return WrongCode()
        await self._proofs.mark(tx, caller.session, target.channel, now)
        return None

    async def _take(
        self,
        tx: Transaction,
        caller: Caller,
        target: Target,
        code: str,
        *,
        is_proven: bool,
        now: int,
    ) -> Refusal | None:
        """Uses a code up and makes its target the caller's, if it is still free (D1, A3)."""
        account, channel = caller.account, target.channel
        if await count_changes(tx, account.id) >= MOST_CHANGES:
            return TooManyTries()
        spent = await self._spend(tx, caller, target, code, now)
        if isinstance(spent, Refusal):
            return spent
        owner = await find_owner(tx, target.kind, target.key)
        refusal = _not_for_binding(spent, owner, channel)
        if refusal is not None:
            return refusal
        if not await rebind(tx, account, channel, target):
            return TAKEN[channel]()
        old = bound(account, channel)
        await note_change(
            tx,
            account.id,
            channel,
            old=old.address if old else "",
            new=target.address,
            is_proven=is_proven,
            now=now,
        )
        return None

    async def _spend(
        self, tx: Transaction, caller: Caller, target: Target, code: str, now: int
    ) -> Code | Refusal:
        device_key = await attempt_key(
            tx, target, caller.session.device_id, "binding", caller.account.id
        )
        return await self._codes.spend(tx, target, code, device_key=device_key, now=now)


def _not_for_binding(spent: Code, owner: AccountId | None, channel: Channel) -> Refusal | None:
    """Why a right code binds nothing (security D1, E3); None for one of a target that is free."""
    if spent.kind in ("own", "new") and owner is not None:
        return TAKEN[channel]()
    return None if spent.kind == "new" else WrongCode()
