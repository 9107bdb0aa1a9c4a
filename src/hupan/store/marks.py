"""What the processes of one store tell each other: the latest time, the last look, what it found.

Each is a row of `counters`.
"""

from hupan.store.engine import Reader, Transaction

LIFT = """
INSERT INTO counters (name, value) VALUES ('clock', ?1)
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
    "DELETE FROM sessions WHERE last_used_at > ?1 OR signed_in_at > ?1",
)


async def lift_clock(tx: Transaction, now: int) -> int:
    """Says what time it is; gives the latest time that any process of this store ever said."""
    await tx.run(LIFT, now)
    row = await tx.one(FIND, "clock")
    return now if row is None else int(row[0])


async def set_clock_back(tx: Transaction, now: int) -> None:
    """Makes a time the latest, and ends whatever a later one was given to."""
    await tx.run(SET, "clock", now)
    for sql in FORGET_TO_COME:
        await tx.run(sql, now)


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
