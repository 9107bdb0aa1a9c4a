"""State shared by the processes of one store: clock, integrity check, process numbers.

Each is a row of `counters`.
"""

from typing import Literal, NamedTuple, TypeAlias

from hupan.store.database import Reader, Transaction
from hupan.store.sessions import delete_future_sessions

ClockDoubtKind: TypeAlias = Literal["clock-leap", "clock-start"]
"""The doubt: a clock leap that is not followed, or a start after a long pause."""

RAISE_VALUE = """
INSERT INTO counters (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE counters.value < excluded.value
"""
SET_VALUE = """
INSERT INTO counters (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
FIND_VALUE = "SELECT value FROM counters WHERE name = ?1"
CLAIM_INTEGRITY_CHECK = """
INSERT INTO counters (name, value) VALUES ('rows-checked', ?1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE counters.value <= ?2 OR counters.value > ?1
"""
# Rows dated in a future that never came: they would be valid, or block, for too long.
RESET_FUTURE_TIMES = (
    "DELETE FROM codes WHERE expires_at > ?1",
    "DELETE FROM step_ups WHERE ends_at > ?1",
    "DELETE FROM tallies WHERE ends_at > ?1",
    "DELETE FROM limit_resets WHERE asked_at > ?1",
    "DELETE FROM outbox WHERE due_at > ?1",
    "UPDATE sessions SET last_used_at = ?1 WHERE last_used_at > ?1",
)
INSERT_VALUE = "INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING"
DELETE_VALUE = "DELETE FROM counters WHERE name = ?1"
CAP_ERASURE_TIMES = "UPDATE accounts SET erase_at = ?1 WHERE erase_at > 0 AND erase_at > ?1"


class ClockState(NamedTuple):
    """What a store knows about the time, 0 for unknown.

    Attributes:
        latest: the latest time recorded by any process.
        confirmed: the latest recorded by processes that do not doubt their machine's clock.
        leap_started: clock time at which a leap began that is not followed.
        doubtful_start: clock time at a start after a long pause, until it is trusted to purge.
    """

    latest: int = 0
    confirmed: int = 0
    leap_started: int = 0
    doubtful_start: int = 0


async def get_clock_state(reader: Reader) -> ClockState:
    names = ("clock", "clock-sure", "clock-leap", "clock-start")
    rows = [await reader.fetch_one(FIND_VALUE, name) for name in names]
    return ClockState(*(0 if row is None else int(row[0]) for row in rows))


async def advance_clock(tx: Transaction, now: int, *, is_confirmed: bool) -> None:
    """Record the current time, and whether it is confirmed."""
    await tx.execute(RAISE_VALUE, "clock", now)
    if is_confirmed:
        await tx.execute(RAISE_VALUE, "clock-sure", now)


async def record_clock_doubt(tx: Transaction, name: ClockDoubtKind, wall_time: int) -> None:
    """Record the clock time at which a machine's clock became doubtful, unless recorded already."""
    await tx.execute(INSERT_VALUE, name, wall_time)


async def restart_clock_doubt(tx: Transaction, name: ClockDoubtKind, wall_time: int) -> None:
    """Restart a doubt at the given clock time."""
    await tx.execute(SET_VALUE, name, wall_time)


async def clear_clock_doubt(tx: Transaction, name: ClockDoubtKind) -> None:
    await tx.execute(DELETE_VALUE, name)


async def set_clock_back(tx: Transaction, now: int, max_erase_at: int) -> None:
    """Make a time the latest, and end everything that was dated after it.

    Accounts cancelled meanwhile are erased as if they had been cancelled at that time.
    """
    await tx.execute(SET_VALUE, "clock", now)
    await tx.execute(SET_VALUE, "clock-sure", now)
    for sql in RESET_FUTURE_TIMES:
        await tx.execute(sql, now)
    await delete_future_sessions(tx, now)
    await tx.execute(CAP_ERASURE_TIMES, max_erase_at)


async def claim_integrity_check(tx: Transaction, now: int, interval_seconds: int) -> bool:
    """Return whether the integrity check is due; at most one process gets True."""
    return await tx.execute(CLAIM_INTEGRITY_CHECK, now, now - interval_seconds) == 1


async def set_fault_count(tx: Transaction, faults: int) -> None:
    """Store the number of faults that the last integrity check found."""
    await tx.execute(SET_VALUE, "faults", faults)


async def get_fault_count(reader: Reader) -> int:
    """Return the number of faults that the last integrity check found."""
    row = await reader.fetch_one(FIND_VALUE, "faults")
    return 0 if row is None else int(row[0])


NEXT_PROCESS_NUMBER = "UPDATE counters SET value = value + 1 WHERE name = 'process' RETURNING value"


async def next_process_number(tx: Transaction) -> int:
    """Return a number that no other process of this store has or had."""
    row = await tx.fetch_one(NEXT_PROCESS_NUMBER)
    if row is None:
        raise LookupError("the counter of processes is missing")
    return int(row[0])
