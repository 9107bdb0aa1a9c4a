"""Gives back identities that lead to nobody: claims whose change was broken off half-way.

One database keeps a change whole, so there are none. A spread one keeps it by a commit in two
phases, and a machine that is lost for good, or was restored from another hour, may leave one half.
The number or address would then be taken for ever.

A change under way is never touched. What it claims is seen by nobody else before it ends, but for
the moments in which machine after machine of a spread database commits; those that lost each other
settle it within minutes. So a claim must be found broken twice, `PATIENCE_SECONDS` apart, and once
more while its account is held, which every change that gives or takes an identity does first.
"""

import asyncio
import logging
from functools import partial

from hupan.clock import Clock
from hupan.store.accounts import release_identity
from hupan.store.claims import Claim, hold_claim, is_borne_out, list_claims, take_ids
from hupan.store.engine import Engine, Transaction

PATIENCE_SECONDS = 900
"""Fifteen times what a spread database takes to settle what it left undecided (one minute)."""
IDS_AT_ONCE = 1000
IDS_IN_A_PAGE = 100
BEFORE_THE_FIRST = 1_000_000
MOST_SUSPECTED = 1000
_log = logging.getLogger("hupan.claims")


class Claims:
    """Walks through the claims, account by account, and releases those that are broken."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._suspected: dict[Claim, float] = {}

    async def repair(self) -> int:
        """Looks at the next claims, and again at those found broken before; gives the released."""
        released = 0
        for claim, since in list(self._suspected.items()):
            if self._clock.now() - since >= PATIENCE_SECONDS:
                del self._suspected[claim]
                released += await self._engine.change(partial(self._release, claim))
        ids = await self._engine.change(lambda tx: take_ids(tx, BEFORE_THE_FIRST, IDS_AT_ONCE))
        for first in range(0, IDS_AT_ONCE, IDS_IN_A_PAGE):
            await self._look(ids[first : first + IDS_IN_A_PAGE])
            await asyncio.sleep(0)  # reads of a file never give others their turn
        return released

    async def _look(self, ids: range) -> None:
        for claim in await list_claims(self._engine, ids):
            if claim in self._suspected or len(self._suspected) >= MOST_SUSPECTED:
                continue
            if not await is_borne_out(self._engine, claim):
                self._suspected[claim] = self._clock.now()

    async def _release(self, claim: Claim, tx: Transaction) -> bool:
        """Releases a claim that is still there and still broken."""
        if not await hold_claim(tx, claim) or await is_borne_out(tx, claim):
            return False
        await release_identity(tx, claim.kind, claim.value, claim.account_id)
        _log.warning(
            "released a claim that its account does not show: %s, account %d",
            claim.kind,
            claim.account_id,
        )
        return True
