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
from hupan.store.claims import Claim, hold_claim, is_borne_out, list_claims
from hupan.store.engine import Engine, Transaction

PATIENCE_SECONDS = 900
"""Fifteen times what a spread database takes to settle what it left undecided (one minute)."""
CLAIMS_AT_ONCE = 100
PAGES_AT_ONCE = 10
MOST_SUSPECTED = 1000
_START = ("", "")
_log = logging.getLogger("hupan.claims")


class Claims:
    """Walks through all claims, a part of them at a time, and releases those that are broken."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._after: tuple[str, str] = _START
        self._suspected: dict[Claim, float] = {}

    async def repair(self) -> int:
        """Looks at the next claims, and again at those found broken before; gives the released."""
        released = 0
        for claim, since in list(self._suspected.items()):
            if self._clock.now() - since >= PATIENCE_SECONDS:
                del self._suspected[claim]
                released += await self._engine.change(partial(self._release, claim))
        for _ in range(PAGES_AT_ONCE):
            if not await self._look():
                break
            await asyncio.sleep(0)  # reads of a file never give others their turn
        return released

    async def _look(self) -> bool:
        """Looks at one page of claims; False at the end of all, to begin anew the next time."""
        page = await list_claims(self._engine, self._after, CLAIMS_AT_ONCE)
        for claim in page:
            if len(self._suspected) < MOST_SUSPECTED and not await is_borne_out(
                self._engine, claim
            ):
                self._suspected.setdefault(claim, self._clock.now())
        goes_on = len(page) == CLAIMS_AT_ONCE
        self._after = (page[-1].value, page[-1].kind) if goes_on else _START
        return goes_on

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
