"""Looks at the whole store now and then, and says whether it can be relied on (security R05).

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
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

from hupan.background import BackgroundTask, report_failure
from hupan.clock import Clock
from hupan.metrics import IncrementMetric, ignore_metric
from hupan.model import StoreUnavailable
from hupan.rules import DAY_SECONDS
from hupan.store.accounts import (
    IdentityRow,
    list_identities_in_range,
    lock_identity,
    matches_account,
    release_identity,
    take_check_range,
)
from hupan.store.cluster_state import claim_integrity_check, get_fault_count, set_fault_count
from hupan.store.codes import delete_surplus_captchas, purge_captchas, purge_codes
from hupan.store.coins import purge_coin_refusals
from hupan.store.contacts import purge_step_ups
from hupan.store.database import Database, StoreRefused, Transaction
from hupan.store.rate_counters import count_counters, delete_surplus_counters, purge_counters
from hupan.store.sessions import purge_logged_out

INTEGRITY_POLL_SECONDS = 60.0
MAX_LOGGED_FAULTS = 20
_integrity_log = logging.getLogger("hupan.soundness")


class IntegrityChecker:
    """One of the processes of a store looks, and all of them know what it found.

    Args:
        database: the store.
        clock: tells when it is time.
        run: reads everything, beside the event loop; gives what is wrong, without anybody's data.
        every_seconds: how often; 0 for never.
        count: counts looks that could not be taken.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        find_faults: Callable[[], Awaitable[list[str]]],
        every_seconds: int,
        count: IncrementMetric = ignore_metric,
    ) -> None:
        self._database = database
        self._clock = clock
        self._find_faults = find_faults
        self._every_seconds = every_seconds
        self._task = BackgroundTask(
            "soundness",
            self.run_when_due,
            interval_seconds=INTEGRITY_POLL_SECONDS,
            expected_errors=(StoreUnavailable, StoreRefused),
            count=count,
        )
        self._fault_count = 0  # a damaged store may not be able to keep it

    def start(self) -> None:
        """Begins, unless it is never to look."""
        if self._every_seconds:
            self._task.start()

    async def stop(self) -> None:
        """Ends; a look under way is broken off."""
        await self._task.stop()

    async def check(self) -> None:
        """Raises StoreUnavailable when the store fails, or the last look found something."""
        await self._database.check()
        if self._fault_count or await get_fault_count(self._database):
            raise StoreUnavailable("the last look at all rows found faults; see the log")

    async def run(self) -> list[str]:
        """Looks now; logs what is wrong and gives it."""
        faults = await self._find_faults()
        self._fault_count = len(faults)
        for fault in faults[:MAX_LOGGED_FAULTS]:
            _integrity_log.error("the store is not sound: %s", fault)
        if not faults:
            _integrity_log.info("all rows were looked at: the store is sound")
        await self._database.run_transaction(lambda tx: set_fault_count(tx, len(faults)))
        return faults

    async def run_when_due(self) -> bool:
        """Looks if it is time and no other process does; gives whether it did."""
        now = int(self._clock.now())
        if not await self._database.run_transaction(
            lambda tx: claim_integrity_check(tx, now, self._every_seconds)
        ):
            return False
        await self.run()
        return True


RECHECK_SECONDS = 900
"""Fifteen times what a spread database takes to settle what it left undecided (one minute)."""
IDS_PER_ROUND = 1000
IDS_PER_QUERY = 100
ID_BEFORE_FIRST = 1_000_000
MAX_SUSPECTS = 1000
_orphan_log = logging.getLogger("hupan.claims")


class OrphanIdentityRepair:
    """Walks through the claims, account by account, and releases those that are broken."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._suspects: dict[IdentityRow, float] = {}

    async def run(self) -> int:
        """Looks at the next claims, and again at those found broken before; gives the released."""
        released = 0
        for claim, since in list(self._suspects.items()):
            if self._clock.now() - since >= RECHECK_SECONDS:
                del self._suspects[claim]
                released += await self._database.run_transaction(partial(self._release, claim))
        ids = await self._database.run_transaction(
            lambda tx: take_check_range(tx, ID_BEFORE_FIRST, IDS_PER_ROUND)
        )
        for first in range(0, IDS_PER_ROUND, IDS_PER_QUERY):
            await self._inspect(ids[first : first + IDS_PER_QUERY])
            await asyncio.sleep(0)  # reads of a file never give others their turn
        return released

    async def _inspect(self, ids: range) -> None:
        for claim in await list_identities_in_range(self._database, ids):
            if claim in self._suspects or len(self._suspects) >= MAX_SUSPECTS:
                continue
            if not await matches_account(self._database, claim):
                self._suspects[claim] = self._clock.now()

    async def _release(self, claim: IdentityRow, tx: Transaction) -> bool:
        """Releases a claim that is still there and still broken."""
        if not await lock_identity(tx, claim) or await matches_account(tx, claim):
            return False
        await release_identity(tx, claim.kind, claim.value, claim.account_id)
        _orphan_log.warning(
            "released a claim that its account does not show: %s, account %d",
            claim.kind,
            claim.account_id,
        )
        return True


PURGE_INTERVAL_SECONDS = 60.0
LOGGED_OUT_RETENTION_SECONDS = 7 * DAY_SECONDS
"""How long signing out a second time succeeds."""
COIN_REFUSAL_RETENTION_SECONDS = 7 * DAY_SECONDS
"""How long a refused change of coins is refused again when it is sent again."""
MAX_SPENT_CAPTCHAS = 100_000
"""Captchas that were answered and have expired since, remembered for a day (security X5)."""
MAX_RATE_COUNTERS = 2_000_000
"""Counts of targets; beyond, those with the fewest events are forgotten first (security X5)."""
PURGE_BATCH_SIZE = 500
"""Rows that one change deletes; many small ones hold up no request."""
MAX_BATCHES_PER_ROUND = 1000
"""Changes of one table in one round; the next one goes on."""
Chore: TypeAlias = Callable[[], Awaitable[object]]


class Housekeeping:
    """Keeps tables that grow with traffic from growing without end.

    Args:
        database: the store.
        clock: tells what has expired.
        chores: what else there is to do, each in small changes of its own.
        count: counts the errors.
        may_purge: whether the time is sure enough; nothing is done while it is not (security X10).
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        chores: Sequence[Chore] = (),
        count: IncrementMetric = ignore_metric,
        may_purge: Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._clock = clock
        self._chores = chores
        self._count = count
        self._may_purge = may_purge
        self._task = BackgroundTask(
            "housekeeping",
            self.purge,
            interval_seconds=PURGE_INTERVAL_SECONDS,
            expected_errors=(StoreUnavailable,),
            count=count,
        )

    def start(self) -> None:
        """Begins."""
        self._task.start()

    async def stop(self) -> None:
        """Ends."""
        await self._task.stop()

    async def purge(self) -> None:
        """Forgets what has expired and does the other chores, each also when another one fails.

        Raises:
            Exception: the first of the errors; the others are logged.
        """
        if not self._may_purge():
            return
        failure: Exception | None = None
        for chore in (self._purge_expired, *self._chores):
            try:
                await chore()
            except Exception as error:  # noqa: BLE001 - the next chore is no worse for it
                if failure is not None:
                    report_failure("housekeeping", error, self._count, (StoreUnavailable,))
                failure = failure or error
        if failure is not None:
            raise failure

    async def _purge_expired(self) -> None:
        now = int(self._clock.now())
        await self._purge(lambda tx: purge_codes(tx, now, PURGE_BATCH_SIZE))
        # Later: no clock that jumps back may revive one.
        await self._purge(lambda tx: purge_captchas(tx, now - DAY_SECONDS, PURGE_BATCH_SIZE))
        await self._purge(
            lambda tx: delete_surplus_captchas(
                tx, now, PURGE_BATCH_SIZE, keep_newest=MAX_SPENT_CAPTCHAS
            )
        )
        await self._purge(lambda tx: purge_counters(tx, now, PURGE_BATCH_SIZE))
        await self._drop_surplus_counters()
        await self._purge(lambda tx: purge_step_ups(tx, now, PURGE_BATCH_SIZE))
        await self._purge(
            lambda tx: purge_logged_out(tx, now - LOGGED_OUT_RETENTION_SECONDS, PURGE_BATCH_SIZE)
        )
        await self._purge(
            lambda tx: purge_coin_refusals(
                tx, now - COIN_REFUSAL_RETENTION_SECONDS, PURGE_BATCH_SIZE
            )
        )

    async def _drop_surplus_counters(self) -> None:
        """Forget counts that a flood of targets left, as many as there are too many."""
        surplus = await self._database.run_transaction(count_counters) - MAX_RATE_COUNTERS
        for _ in range(MAX_BATCHES_PER_ROUND):
            if surplus <= 0:
                return
            batch_size = min(surplus, PURGE_BATCH_SIZE)
            surplus -= await self._database.run_transaction(
                partial(delete_surplus_counters, max_rows=batch_size)
            )

    async def _purge(self, change: Callable[[Transaction], Awaitable[int]]) -> None:
        """Delete in small changes, so that none holds up a request."""
        for _ in range(MAX_BATCHES_PER_ROUND):
            if await self._database.run_transaction(change) < PURGE_BATCH_SIZE:
                return
