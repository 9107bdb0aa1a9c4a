"""What the processes of one store tell each other: the latest time, the last look, what it found.

Each is a row of `counters`.
"""

from typing import Literal, NamedTuple, TypeAlias

from hupan.store.engine import Reader, Transaction

DoubtName: TypeAlias = Literal["clock-leap", "clock-start"]
"""What is doubted: a leap that is not followed, or the clock of a start after a long pause."""

LIFT = """
INSERT INTO counters (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE counters.value < excluded.value
"""
SET = """
INSERT INTO counters (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
FIND = "SELECT value FROM counters WHERE name = ?1"
CLAIM = """
INSERT INTO counters (name, value) VALUES ('rows-checked', ?1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE counters.value <= ?2 OR counters.value > ?1
"""
# What was told a time that never came: it would be good for too long, or hold up for too long.
FORGET_TO_COME = (
    "DELETE FROM codes WHERE expires_at > ?1",
    "DELETE FROM step_ups WHERE ends_at > ?1",
    "DELETE FROM tallies WHERE ends_at > ?1",
    "DELETE FROM limit_resets WHERE asked_at > ?1",
    "DELETE FROM outbox WHERE due_at > ?1",
    "DELETE FROM sessions WHERE signed_in_at > ?1",
    "UPDATE sessions SET last_used_at = ?1 WHERE last_used_at > ?1",
)
KEEP = "INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING"
FORGET = "DELETE FROM counters WHERE name = ?1"
ERASE_IN_TIME = "UPDATE accounts SET erase_at = ?1 WHERE erase_at > 0 AND erase_at > ?1"


class Times(NamedTuple):
    """What a store knows of the time, 0 for nothing.

    Attributes:
        latest: the latest that any process said.
        sure: the same of processes that do not doubt their machine's clock.
        leap: what a machine's clock said when a leap began that is not followed.
        start: what it said at a start after a long pause, while it is not trusted to purge.
    """

    latest: int = 0
    sure: int = 0
    leap: int = 0
    start: int = 0


async def find_times(reader: Reader) -> Times:
    """All that a store knows of the time."""
    names = ("clock", "clock-sure", "clock-leap", "clock-start")
    rows = [await reader.one(FIND, name) for name in names]
    return Times(*(0 if row is None else int(row[0]) for row in rows))


async def lift_clock(tx: Transaction, now: int, *, is_sure: bool) -> None:
    """Says what time it is, and whether that is beyond doubt."""
    await tx.run(LIFT, "clock", now)
    if is_sure:
        await tx.run(LIFT, "clock-sure", now)


async def keep_doubt(tx: Transaction, name: DoubtName, wall: int) -> None:
    """Says that a machine's clock is doubted since it showed a time, unless that is known."""
    await tx.run(KEEP, name, wall)


async def renew_doubt(tx: Transaction, name: DoubtName, wall: int) -> None:
    """Says that the doubt begins now."""
    await tx.run(SET, name, wall)


async def forget_doubt(tx: Transaction, name: DoubtName) -> None:
    """Says that there is no doubt any more."""
    await tx.run(FORGET, name)


async def set_clock_back(tx: Transaction, now: int, erased_by: int) -> None:
    """Makes a time the latest, and ends whatever a later one was given to.

    Accounts that were cancelled meanwhile are erased in time: when they would be if that were now.
    """
    await tx.run(SET, "clock", now)
    await tx.run(SET, "clock-sure", now)
    for sql in FORGET_TO_COME:
        await tx.run(sql, now)
    await tx.run(ERASE_IN_TIME, erased_by)


async def claim_check(tx: Transaction, now: int, every_seconds: int) -> bool:
    """Whether it is time to look at all rows, and nobody else does."""
    return await tx.run(CLAIM, now, now - every_seconds) == 1


async def note_faults(tx: Transaction, faults: int) -> None:
    """Keeps how many faults the last look found."""
    await tx.run(SET, "faults", faults)


async def count_faults(reader: Reader) -> int:
    """How many faults the last look found."""
    row = await reader.one(FIND, "faults")
    return 0 if row is None else int(row[0])
