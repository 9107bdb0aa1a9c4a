"""The end of an account (security A4, A7).

Who cancels proves it with a code that went to what is bound to the account, sent while it was
bound (security D1), together with the account's own token; one to a target that nobody proved to
hold when it was bound will not do. All sessions end in the same change,
and from then on the account answers like one that never was. Only after a delay is it erased and
are its number and address free again; whoever registers them starts from nothing, under a new id.
Meanwhile a sign-in is told why it is refused, but only after its code or password was right (E3).
"""

from functools import partial

from hupan.clock import Clock
from hupan.domain.bindings import all_bound, kill_codes
from hupan.domain.codes import Codes, attempt_key
from hupan.domain.contact_proofs import ContactProofs
from hupan.domain.notices import Notices
from hupan.domain.outcome import granted
from hupan.domain.refusals import (
    InvalidField,
    NotSignedIn,
    OlderProofNeeded,
    Refusal,
    UnknownUser,
    WrongCode,
)
from hupan.domain.targets import Target, Targets
from hupan.domain.tries import forget_tries
from hupan.model import Account, AccountId, Caller, Channel, Session
from hupan.store.accounts import find_owner, hold_account
from hupan.store.codes import kill_code
from hupan.store.endings import (
    erase_rows,
    list_due,
    list_identities,
    mark_cancelled,
    restore,
)
from hupan.store.engine import Engine, Transaction
from hupan.store.session_ends import leave_all
from hupan.store.sessions import hold_caller

CANCELLED_NOTICE = "notice-account-cancelled"
RESTORED_NOTICE = "notice-account-restored"
MOST_AT_ONCE = 100


class Endings:
    """Cancels accounts, and erases them when their time has come."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        targets: Targets,
        codes: Codes,
        notices: Notices,
        proofs: ContactProofs,
        erase_after_seconds: int,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._codes = codes
        self._notices = notices
        self._proofs = proofs
        self._erase_after_seconds = erase_after_seconds

    async def cancel(self, session: Session, phone: str, email: str, code: str) -> None:
        """Cancels the account of a session, by a code for its number or for its address.

        Raises:
            InvalidField: not one of `phone` and `email` is given, or it cannot be.
            WrongCode: the target is not the account's, or the code is not its own.
            OlderProofNeeded: the target was bound without proof, not long ago.
            NotSignedIn: the session has ended meanwhile.
        """
        target = self._named(phone, email)

        async def change(tx: Transaction) -> Refusal | None:
            now = int(self._clock.now())
            caller = await hold_caller(tx, session.account_id, session.token_hash)
            if caller is None:
                return NotSignedIn()
            refusal = await self._refusal(tx, caller, target, code, now)
            if refusal is None:
                await self._end(tx, caller.account, now)
            return refusal

        granted(await self._engine.change(change))
        self._notices.send()

    async def end(self, account_id: AccountId) -> int:
        """Cancels an account by an operator's hand; gives when it is erased, in unix seconds.

        Raises:
            UnknownUser: there is no such account, or it was cancelled before.
        """

        async def change(tx: Transaction) -> int:
            account = await hold_account(tx, account_id)
            if account is None:
                raise UnknownUser
            return await self._end(tx, account, int(self._clock.now()))

        erased_at = await self._engine.change(change)
        self._notices.send()
        return erased_at

    async def restore(self, account_id: AccountId) -> None:
        """Takes back that an account was cancelled, until it is erased, by an operator's hand.

        Its sessions stay ended: whoever has its number, address or password signs in anew.

        Raises:
            UnknownUser: there is no such account, it was not cancelled, or its time is over.
        """

        async def change(tx: Transaction) -> None:
            now = int(self._clock.now())
            if not await restore(tx, account_id, now):
                raise UnknownUser
            account = await hold_account(tx, account_id)
            if account is None:
                raise UnknownUser
            await self._notices.put(tx, all_bound(account), RESTORED_NOTICE, now=now)

        await self._engine.change(change)
        self._notices.send()

    async def erase_due(self) -> int:
        """Erases the cancelled accounts whose time is over; gives how many it found."""
        due = await list_due(self._engine, int(self._clock.now()), MOST_AT_ONCE)
        for account in due:
            await self._engine.change(partial(self._erase, account))
        return len(due)

    def _named(self, phone: str, email: str) -> Target:
        if phone and email:
            raise InvalidField("email")
        if email:
            return self._targets.email(email, "email")
        return self._targets.phone(phone, "phone")

    async def _refusal(
        self, tx: Transaction, caller: Caller, target: Target, code: str, now: int
    ) -> Refusal | None:
        """Why a code does not prove that the caller owns its account; None when it does.

        A target of somebody else's is refused before its code is touched: nobody can guess at it
        here, nor use its tries up. That more proof is needed is told at once, as on a change.
        """
        account = caller.account.id
        if await find_owner(tx, target.kind, target.key) != account:
            return WrongCode()
        if await self._proofs.is_doubtful(tx, account, target.channel, now):
            return OlderProofNeeded()
        device_key = await attempt_key(
            tx, target, caller.session.device_id, "binding", caller.account.id
        )
        spent = await self._codes.spend(tx, target, code, device_key=device_key, now=now)
        if isinstance(spent, Refusal):
            return spent
        return None if spent.kind == "own" and spent.account_id == account else WrongCode()

    async def _end(self, tx: Transaction, account: Account, now: int) -> int:
        """Ends sessions and codes at once and tells both channels; gives when it is erased."""
        erased_at = now + self._erase_after_seconds
        await mark_cancelled(tx, account.id, erased_at)
        await leave_all(tx, account.id, now)
        told = all_bound(account)
        for target in told:
            await kill_codes(tx, target)
        await self._notices.put(tx, told, CANCELLED_NOTICE, now=now)
        return erased_at

    async def _erase(self, account: AccountId, tx: Transaction) -> None:
        """Erases an account, unless another process did."""
        identities = await list_identities(tx, account)
        if not await erase_rows(tx, account, int(self._clock.now())):
            return
        for kind, value in identities:
            if kind != "invitation":
                channel: Channel = "sms" if kind == "phone" else "email"
                await kill_code(tx, channel, value)
                await forget_tries(tx, channel, value)
