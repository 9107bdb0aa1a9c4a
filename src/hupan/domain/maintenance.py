"""Background maintenance: expiry, integrity checks and repair of orphaned identities.

An integrity check reads all rows (security R05).

An identity can lose its account only in a distributed database: it commits in two phases, and a
machine that is lost for good, or restored from an older backup, may leave one half of a
transaction. The phone number or address would then be taken forever.

The repair never touches a transaction in progress. Its identities are invisible to others before it
ends, except while the machines of a distributed database commit one after another; machines that
lost their connection settle within minutes. So an identity must be found orphaned twice,
`RECHECK_SECONDS` apart, and once more while it is locked.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

from hupan.background import BackgroundTask, report_failure
from hupan.clock import Clock
from hupan.domain.session_ends import SESSION_END_RETENTION_SECONDS
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
from hupan.store.sessions import purge_logged_out, purge_session_ends

INTEGRITY_POLL_SECONDS = 60.0
FAULT_COUNT_SECONDS = 1.0
"""How long readiness waits for the machine that has the number of faults."""
MAX_LOGGED_FAULTS = 20
_integrity_log = logging.getLogger("hupan.soundness")


class IntegrityChecker:
    """Checks the integrity of the store in one of its processes; all of them learn the result.

    Args:
        database: the store.
        clock: determines when a check is due.
        find_faults: reads all rows off the event loop and describes faults without user data.
        every_seconds: the interval; 0 for never.
        count: counts checks that failed to run.
        is_partial: returns whether a machine behind the store failed, and the store did not.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        find_faults: Callable[[], Awaitable[list[str]]],
        every_seconds: int,
        count: IncrementMetric = ignore_metric,
        is_partial: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._is_partial = is_partial
        self._find_faults = find_faults
        self._every_seconds = every_seconds
        self._task = BackgroundTask(
            "soundness",
            self.run_when_due,
            interval_seconds=INTEGRITY_POLL_SECONDS,
            expected_errors=(StoreUnavailable, StoreRefused),
            count=count,
        )
        self._fault_count = 0  # a damaged store may be unable to store it
        self._stored_fault_count = 0  # as last read
        self._reading: asyncio.Future[int] | None = None

    def start(self) -> None:
        """Start the checks, unless the interval is 0."""
        if self._every_seconds:
            self._task.start()

    async def stop(self) -> None:
        """Stop the checks, and cancel the running one."""
        await self._task.stop()

    async def check(self) -> None:
        """Raise StoreUnavailable if the store fails, or the last check found faults."""
        await self._database.check()
        if self._fault_count or await self._read_fault_count():
            raise StoreUnavailable("the last integrity check found faults; see the log")

    async def _read_fault_count(self) -> int:
        # One machine of a distributed database has the number: without it, the last one counts.
        # One read at a time, so that probes do not pile up.
        reading = self._reading or asyncio.ensure_future(get_fault_count(self._database))
        self._reading = reading
        await asyncio.wait({reading}, timeout=FAULT_COUNT_SECONDS)
        if reading.done():
            self._reading = None
            try:
                self._stored_fault_count = await reading
            except StoreUnavailable:
                if not self._is_partial():
                    raise
        return self._stored_fault_count

    async def run(self) -> list[str]:
        """Run a check now; log and return the faults."""
        faults = await self._find_faults()
        self._fault_count = len(faults)
        for fault in faults[:MAX_LOGGED_FAULTS]:
            _integrity_log.error("the integrity check found a fault: %s", fault)
        if not faults:
            _integrity_log.info("the integrity check of all rows found no faults")
        await self._database.run_transaction(lambda tx: set_fault_count(tx, len(faults)))
        return faults

    async def run_when_due(self) -> bool:
        """Run a check if it is due and no other process runs it; return whether it ran."""
        now = int(self._clock.now())
        if not await self._database.run_transaction(
            lambda tx: claim_integrity_check(tx, now, self._every_seconds)
        ):
            return False
        await self.run()
        return True


RECHECK_SECONDS = 900
"""Fifteen times what a distributed database needs to settle open transactions (one minute)."""
IDS_PER_ROUND = 1000
IDS_PER_QUERY = 100
ID_BEFORE_FIRST = 1_000_000
MAX_SUSPECTS = 1000
_orphan_log = logging.getLogger("hupan.claims")


class OrphanIdentityRepair:
    """Checks the identities, account by account, and releases the orphaned ones."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._suspects: dict[IdentityRow, float] = {}

    async def run(self) -> int:
        """Check the next identities, and recheck suspects; return how many were released."""
        released = 0
        for identity, since in list(self._suspects.items()):
            if self._clock.now() - since >= RECHECK_SECONDS:
                del self._suspects[identity]
                released += await self._database.run_transaction(partial(self._release, identity))
        ids = await self._database.run_transaction(
            lambda tx: take_check_range(tx, ID_BEFORE_FIRST, IDS_PER_ROUND)
        )
        for first in range(0, IDS_PER_ROUND, IDS_PER_QUERY):
            await self._inspect(ids[first : first + IDS_PER_QUERY])
            await asyncio.sleep(0)  # reads of a file never yield to other tasks
        return released

    async def _inspect(self, ids: range) -> None:
        for identity in await list_identities_in_range(self._database, ids):
            if identity in self._suspects or len(self._suspects) >= MAX_SUSPECTS:
                continue
            if not await matches_account(self._database, identity):
                self._suspects[identity] = self._clock.now()

    async def _release(self, identity: IdentityRow, tx: Transaction) -> bool:
        if not await lock_identity(tx, identity) or await matches_account(tx, identity):
            return False
        await release_identity(tx, identity.kind, identity.value, identity.account_id)
        _orphan_log.warning(
            "released an identity that its account does not have: %s, account %d",
            identity.kind,
            identity.account_id,
        )
        return True


PURGE_INTERVAL_SECONDS = 60.0
LOGGED_OUT_RETENTION_SECONDS = 7 * DAY_SECONDS
"""How long a second logout with the same token succeeds."""
COIN_REFUSAL_RETENTION_SECONDS = 7 * DAY_SECONDS
"""How long a refused coin request is refused again when it is repeated."""
MAX_SPENT_CAPTCHAS = 100_000
"""Captchas that were answered and have expired are remembered for a day, up to this many (X5)."""
MAX_RATE_COUNTERS = 2_000_000
"""Beyond this number, the counters with the fewest events are deleted first (security X5)."""
PURGE_BATCH_SIZE = 500
"""Rows deleted per transaction; many small ones delay no request."""
MAX_BATCHES_PER_ROUND = 1000
"""Transactions per table and round; the next round continues."""
Chore: TypeAlias = Callable[[], Awaitable[object]]


class Housekeeping:
    """Limits the growth of tables that grow with traffic.

    Args:
        database: the store.
        clock: determines what has expired.
        chores: further work, each in small separate transactions.
        count: counts errors.
        may_purge: whether the clock can be trusted; nothing is purged otherwise (security X10).
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
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def purge(self) -> None:
        """Delete expired rows and run the other chores, each even if another one fails.

        Raises:
            Exception: the first error; the others are logged.
        """
        if not self._may_purge():
            return
        failure: Exception | None = None
        for chore in (self._purge_expired, *self._chores):
            try:
                await chore()
            except Exception as error:  # noqa: BLE001 - the next chore runs all the same
                if failure is not None:
                    report_failure("housekeeping", error, self._count, (StoreUnavailable,))
                failure = failure or error
        if failure is not None:
            raise failure

    async def _purge_expired(self) -> None:
        now = int(self._clock.now())
        await self._purge(lambda tx: purge_codes(tx, now, PURGE_BATCH_SIZE))
        # A day late, so that no clock that jumps back makes one valid again.
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
            lambda tx: purge_session_ends(tx, now - SESSION_END_RETENTION_SECONDS, PURGE_BATCH_SIZE)
        )
        await self._purge(
            lambda tx: purge_coin_refusals(
                tx, now - COIN_REFUSAL_RETENTION_SECONDS, PURGE_BATCH_SIZE
            )
        )

    async def _drop_surplus_counters(self) -> None:
        # A flood of contacts may have left too many.
        surplus = await self._database.run_transaction(count_counters) - MAX_RATE_COUNTERS
        for _ in range(MAX_BATCHES_PER_ROUND):
            if surplus <= 0:
                return
            batch_size = min(surplus, PURGE_BATCH_SIZE)
            surplus -= await self._database.run_transaction(
                partial(delete_surplus_counters, max_rows=batch_size)
            )

    async def _purge(self, change: Callable[[Transaction], Awaitable[int]]) -> None:
        # Small transactions delay no request.
        for _ in range(MAX_BATCHES_PER_ROUND):
            if await self._database.run_transaction(change) < PURGE_BATCH_SIZE:
                return
