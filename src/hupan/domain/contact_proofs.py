"""Who may change a number or an address: whoever proved to hold what is bound (security D2, A1).

A first binding needs no proof, for clients have no step for one. So one that was made without any
says nothing about who holds the account: as long as it can be undone, what is reached through it,
such as a session that is fresh because of it, is no proof for the other target, the older one.
"""

from hupan.domain.bindings import bound
from hupan.domain.refusals import OlderProofNeeded, ProofNeeded, Refusal
from hupan.domain.settings import ContactRules
from hupan.model import AccountId, Caller, Channel, Session
from hupan.store.contacts import has_unproven_binding
from hupan.store.engine import Reader, Transaction
from hupan.store.step_ups import has_step_up, put_step_up

_OTHER: dict[Channel, Channel] = {"sms": "email", "email": "sms"}


class ContactProofs:
    """Keeps what sessions proved, and tells what that is worth."""

    def __init__(self, rules: ContactRules) -> None:
        self._rules = rules

    async def mark(self, tx: Transaction, session: Session, channel: Channel, now: int) -> None:
        """Marks a session: it holds what is bound."""
        await put_step_up(tx, session, channel, now + self._rules.step_up_seconds)

    async def refusal(
        self, reader: Reader, session: Session, channel: Channel, now: int
    ) -> Refusal | None:
        """Why a session may not change what is bound; None when it may."""
        if await has_step_up(reader, session, channel, now):
            return None
        if await self.is_doubtful(reader, session.account_id, _OTHER[channel], now):
            return OlderProofNeeded()
        return None if self._is_fresh(session, now) else ProofNeeded()

    async def is_proven(self, reader: Reader, caller: Caller, channel: Channel, now: int) -> bool:
        """Whether a first binding is made by who holds what is bound already, if anything is."""
        older, session = _OTHER[channel], caller.session
        if bound(caller.account, older) is None:
            return True
        if await self.is_doubtful(reader, session.account_id, older, now):
            return False
        return self._is_fresh(session, now) or await has_step_up(reader, session, older, now)

    async def is_doubtful(
        self, reader: Reader, account: AccountId, channel: Channel, now: int
    ) -> bool:
        """Whether the first binding of a channel was made without proof, not long ago."""
        after = now - self._rules.undo_seconds
        return await has_unproven_binding(reader, account, channel, after)

    def _is_fresh(self, session: Session, now: int) -> bool:
        return now - session.signed_in_at < self._rules.fresh_seconds
