"""Bounds how many connections wait for accounts whose machine does not answer.

A machine of a distributed database that falls silent holds each connection that needs it until its
statement times out; soon they all do, and healthy accounts wait for a connection as well. So, while
requests wait for a connection, a statement that has no answer for `STALL_SECONDS` is moved among
the few that may hold one (a quarter of the pool), with all others of the same account; beyond
that number it is cancelled and runs again when there is a place. Slowness alone refuses nothing:
only after a statement timed out is a request beyond the bound refused at once.

As long as there are suspects, accounts that have not answered since share a part of the connections
(`probes`), so that those still to be found silent do not take them all.

An account is known by the value of the distribution column in its statements. On a distributed
database, a shard that answers nothing counts as a whole.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias, TypeVar

from hupan.background import ensure_task
from hupan.model import StoreUnavailable
from hupan.store.citus import distribution_column, shard_of
from hupan.store.database import Value
from hupan.store.tables import list_tables

STALL_SECONDS = 0.15
"""A statement that has run this long, while others wait for a connection, is stalled."""
PROMPT_SECONDS = 0.1
"""An answer within this time shows that the server is not slow for every account."""
CONTRAST_SECONDS = 1.0
"""How long before a stalled statement a prompt answer still counts."""
SUSPECT_SECONDS = 30.0
"""How long an account is suspect after its last stall."""
MAX_SUSPECTS = 10_000
MIN_SILENT_ACCOUNTS = 3
"""This number of accounts of a shard without an answer, and none with one, make it suspect."""
CONNECTION_SHARE = 4
"""One in this number of connections may wait for suspects."""
PROBES_PERCENT = 40
"""The share of the pool for accounts that have not answered since others fell silent."""
MAX_PROVEN = 10_000

Key: TypeAlias = str | int | bytes
Holder = TypeVar("Holder")
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(\w+)")
_COLUMNS = re.compile(r"INSERT INTO \w+\s*\(([^)]*)\)\s*(?:VALUES \(|SELECT )([^()]*)")
_PLACEHOLDER = re.compile(r"\?([0-9]+)")


class Lease:
    """The use of a connection by one operation, with the statement that runs now.

    Attributes:
        sql: "" before the first statement.
        is_bounded: counts among those that may hold a connection for a suspect.
        is_probe: counts among those whose account has not answered yet.
        may_interrupt: whether it can be undone and run again.
        interruption: if its statement is being cancelled; is set when the operation ended.
    """

    __slots__ = (
        "interruption",
        "is_bounded",
        "is_probe",
        "may_interrupt",
        "sql",
        "started_at",
        "values",
    )

    def __init__(self, sql: str, values: tuple[Value, ...], *, is_bounded: bool = False) -> None:
        self.sql = sql
        self.values = values
        self.started_at = 0.0
        self.is_bounded = is_bounded
        self.is_probe = False
        self.may_interrupt = True
        self.interruption: asyncio.Event | None = None

    def begin_commit(self) -> None:
        """Rule an interruption out: it would be unknown whether the commit took place.

        Raises:
            Interrupted: it has begun.
        """
        if self.interruption:
            raise Interrupted
        self.may_interrupt = False


class Interrupted(Exception):
    """The operation was undone, and runs again when a suspect may hold a connection."""


class Places:
    """A number of connections, and the requests that wait for one of them, in order."""

    def __init__(self, count: int, timeout_seconds: float) -> None:
        self.count = count
        self._timeout_seconds = timeout_seconds
        self._taken = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def has_waiters(self) -> bool:
        return bool(self._waiters)

    def take(self) -> bool:
        """Return whether a place was free; it is taken then."""
        if self._taken >= self.count:
            return False
        self._taken += 1
        return True

    async def wait(self) -> None:
        """Take a place, once there is one.

        Raises:
            StoreUnavailable: none became free in time.
        """
        if self.take():
            return
        await ensure_task()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():  # passed on just as the timeout expired
                self.leave()
            if isinstance(error, TimeoutError):
                text = "no connection for this machine became free in time"
                raise StoreUnavailable(text, is_busy=True) from error
            raise

    def leave(self) -> None:
        """Pass a place to the longest waiter."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._taken -= 1


class Bulkhead:
    """Knows the suspects, and counts the connections that they hold.

    Args:
        pool_connections: the size of the whole pool; with fewer than two, nothing is bounded.
        timeout_seconds: how long a request waits for a place.
    """

    def __init__(self, pool_connections: int, timeout_seconds: float) -> None:
        self.is_distributed = False
        self.suspects: dict[Key, float] = {}
        """When each last stalled, oldest first."""
        self.probes = Places(max(1, pool_connections * PROBES_PERCENT // 100), timeout_seconds)
        self._bounded = Places(max(1, pool_connections // CONNECTION_SHARE), timeout_seconds)
        self._is_on = pool_connections > 1
        self._timeout_seconds = timeout_seconds
        self._proven: dict[Key, None] = {}  # answered since there are suspects; the oldest first
        self._shards: dict[int, tuple[float, set[Key]]] = {}  # stalled since the last answer
        self._prompt_at = self._timed_out_at = -1e9

    def ensure_may_run(self, lease: Lease) -> None:
        """Raise Interrupted if a statement needs a suspect, and its connection is not counted."""
        is_unbounded = self.suspects and lease.sql and not lease.is_bounded
        if lease.interruption or (is_unbounded and self._is_suspect(key_of(lease))):
            raise Interrupted

    def must_probe(self, lease: Lease) -> bool:
        """Return whether a statement needs an account that has not answered yet."""
        return bool(self.suspects and lease.sql) and self._is_unproven(key_of(lease))

    async def enter(self, lease: Lease) -> None:
        """Count a suspect's lease, once there is a place.

        Raises:
            StoreUnavailable: there is none, and a statement timed out before or does so meanwhile.
        """
        if not self._bounded.take():
            if time.monotonic() - self._timed_out_at < SUSPECT_SECONDS:
                raise StoreUnavailable("other requests wait for this machine", is_busy=True)
            await self._bounded.wait()
        lease.is_bounded = True

    def leave(self, lease: Lease) -> None:
        """Release the place of a lease that ended."""
        if lease.is_bounded:
            self._bounded.leave()
        if lease.is_probe:
            self.probes.leave()

    def record_answer(self, lease: Lease) -> None:
        """Clear the account of a statement that was answered."""
        now = time.monotonic()
        if now - lease.started_at < PROMPT_SECONDS:
            self._prompt_at = now
        if self.suspects and lease.sql:
            key = key_of(lease)
            self.suspects.pop(key, None)
            if self._shards:
                self._shards.pop(shard_of(key), None)
            self._prove(key)

    def record_timeout(self, lease: Lease) -> None:
        """Record that a statement was cancelled."""
        if lease.sql and self._is_on:
            self._timed_out_at = time.monotonic()
            self._suspect(key_of(lease))

    def choose_stalled(
        self, leases: Iterable[tuple[Holder, Lease]]
    ) -> list[tuple[Holder, asyncio.Event]]:
        """Count stalled statements while others wait; return the holders of those above the bound.

        The event of each is set when its operation has ended. If no account gets a prompt answer,
        the whole server may be slow: then only the oldest is returned.
        """
        now = time.monotonic()
        stalled = sorted(
            (lease.started_at, number, holder, lease)
            for number, (holder, lease) in enumerate(leases)
            if self._is_on
            and lease.sql
            and lease.may_interrupt
            and not (lease.is_bounded or lease.interruption)
            and now - lease.started_at >= STALL_SECONDS
        )
        surplus: list[tuple[Holder, asyncio.Event]] = []
        for started_at, _, holder, lease in stalled:
            self._suspect(key_of(lease))
            if self._bounded.take():
                self.leave(lease)
                lease.is_bounded, lease.is_probe = True, False
            elif not surplus or self._prompt_at > started_at - CONTRAST_SECONDS:
                lease.interruption = asyncio.Event()
                surplus.append((holder, lease.interruption))
        return surplus

    def _prove(self, key: Key) -> None:
        if key not in self._proven and len(self._proven) >= MAX_PROVEN:
            del self._proven[next(iter(self._proven))]
        self._proven[key] = None

    def _is_unproven(self, key: Key) -> bool:
        return key not in self._proven and not self._is_suspect(key)

    def _suspect(self, key: Key) -> None:
        now = time.monotonic()
        if key in self._proven:  # what others proved may be as old
            self._proven.clear()
        self.suspects.pop(key, None)
        if len(self.suspects) >= MAX_SUSPECTS:
            del self.suspects[next(iter(self.suspects))]
        self.suspects[key] = now
        if self.is_distributed:
            since, keys = self._shards.setdefault(shard_of(key), (now, set()))
            if len(keys) < MIN_SILENT_ACCOUNTS:
                keys.add(key)
            self._shards[shard_of(key)] = since, keys

    def _is_suspect(self, key: Key) -> bool:
        now = time.monotonic()
        while self.suspects:
            oldest = next(iter(self.suspects))
            if now - self.suspects[oldest] < SUSPECT_SECONDS:
                break
            del self.suspects[oldest]
        if not self.suspects:
            self._shards.clear()
            self._proven.clear()
        if key in self.suspects:
            return True
        return bool(self._shards) and self._is_silent(shard_of(key), now)

    def _is_silent(self, shard: int, now: float) -> bool:
        since, keys = self._shards.get(shard, (now, ()))
        return len(keys) >= MIN_SILENT_ACCOUNTS and now - since >= self._timeout_seconds


def key_of(lease: Lease) -> Key:
    """Return what a statement needs an answer for: an account, a target, or all shards."""
    index = _key_index(lease.sql)
    value = lease.values[index] if 0 <= index < len(lease.values) else None
    return lease.sql if value is None else value


@lru_cache(maxsize=4096)
def _key_index(sql: str) -> int:
    """Return the index of the value of the distribution column; -1 if none is bound."""
    table = _TABLE.search(sql)
    if table is None or table[1] not in {known.name for known in list_tables()}:
        return 0
    column = distribution_column(table[1])
    if column is None:
        return -1
    if inserted := _COLUMNS.search(sql):
        names = [name.strip() for name in inserted[1].split(",")]
        values = inserted[2].split(",")
        position = names.index(column) if column in names else len(values)
        bound = _PLACEHOLDER.search(values[position]) if position < len(values) else None
    else:
        bound = re.search(rf"\b{column} = \?([0-9]+)", sql)
    return int(bound[1]) - 1 if bound else -1
