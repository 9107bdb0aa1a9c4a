"""Persistent rate-limit counters per window (security C5, C11), and resets by operators."""

from msgspec import Struct

from hupan.model import Limit
from hupan.store.database import Reader, Transaction

# One statement tests and counts, so the limit holds under any number of parallel requests.
INCREMENT_COUNTER = """
INSERT INTO tallies (subject, name, count, ends_at) VALUES (?1, ?2, 1, ?5)
ON CONFLICT (subject, name) DO UPDATE SET
  count = CASE WHEN tallies.ends_at <= ?3 THEN 1 ELSE tallies.count + 1 END,
  ends_at = CASE
    WHEN tallies.ends_at <= ?3 THEN excluded.ends_at
    WHEN ?6 > 0 AND tallies.count + 1 >= ?4 THEN ?6
    ELSE tallies.ends_at END
WHERE tallies.ends_at <= ?3 OR tallies.count < ?4
"""
DECREMENT_COUNTER = """
UPDATE tallies SET count = count - 1
WHERE subject = ?1 AND name = ?2 AND count > 0 AND ends_at > ?3
"""
IS_LIMIT_REACHED = """
SELECT 1 FROM tallies WHERE subject = ?1 AND name = ?2 AND ends_at > ?3 AND count >= ?4
"""
DELETE_COUNTER = "DELETE FROM tallies WHERE subject = ?1 AND name = ?2"
DELETE_COUNTERS = "DELETE FROM tallies WHERE subject = ?1"
PURGE_COUNTERS = """
DELETE FROM tallies WHERE (subject, name) IN
  (SELECT subject, name FROM tallies WHERE ends_at <= ?1 LIMIT ?2)
"""
COUNT_COUNTERS = "SELECT count(*) FROM tallies"
# The ones with the fewest events of those that end soonest: what a flood of targets leaves. A
# counter that blocks a client, or that of the whole server, has more events than those.
DELETE_SURPLUS_COUNTERS = """
DELETE FROM tallies WHERE (subject, name) IN
  (SELECT subject, name FROM
     (SELECT subject, name, count, ends_at FROM tallies ORDER BY ends_at LIMIT ?2) AS soonest
   ORDER BY count, ends_at LIMIT ?1)
"""
CANDIDATES_PER_DELETED_COUNTER = 4
LIST_COUNTERS = """
SELECT subject, name, count, ends_at FROM tallies WHERE subject = ?1 ORDER BY name
"""


_DEVICE_SEPARATOR = "#"


class RateCounter(Struct, frozen=True):
    """The counter of a subject in the current window of a limit.

    Attributes:
        name: the name of the limit.
        count: the events so far.
        ends_at: the end of the window, in unix seconds.
    """

    subject: str
    name: str
    count: int
    ends_at: int


async def try_increment(tx: Transaction, subject: str, limit: Limit, now: int) -> bool:
    """Count an event of a subject; False, uncounted, if its window is full."""
    locked_until = now + limit.lock_seconds if limit.lock_seconds else 0
    ends_at = now + limit.window_seconds
    row_key = _row_key(subject, limit.name)
    return (
        await tx.execute(INCREMENT_COUNTER, *row_key, now, limit.max_events, ends_at, locked_until)
        == 1
    )


async def is_limit_reached(reader: Reader, subject: str, limit: Limit, now: int) -> bool:
    """Return whether the next event of a subject would be refused."""
    return (
        await reader.fetch_one(
            IS_LIMIT_REACHED, *_row_key(subject, limit.name), now, limit.max_events
        )
        is not None
    )


async def take_back(tx: Transaction, subject: str, limit: Limit, now: int) -> None:
    """Undo the count of an event; a count of consecutive events is reset."""
    row_key = _row_key(subject, limit.name)
    if limit.lock_seconds:
        await tx.execute(DELETE_COUNTER, *row_key)
    else:
        await tx.execute(DECREMENT_COUNTER, *row_key, now)


async def delete_counters(tx: Transaction, target: str) -> int:
    """Delete the counters of a target, from any device; return their number."""
    return await tx.execute(DELETE_COUNTERS, target)


async def list_counters(reader: Reader, target: str) -> list[RateCounter]:
    """Return the counters of a target, from any device."""
    return [_to_rate_counter(*row) for row in await reader.fetch_all(LIST_COUNTERS, target)]


def _to_rate_counter(target: str, stored_name: str, count: int, ends_at: int) -> RateCounter:
    name, _, device = stored_name.partition(_DEVICE_SEPARATOR)
    return RateCounter(target + device, name, count, ends_at)


def _row_key(subject: str, name: str) -> tuple[str, str]:
    """Return the key of a subject's counter: its target, and its name with the device.

    So all counters of a target are colocated in a distributed store.
    """
    target, colon, device = subject.rpartition(":")
    return (
        (target + colon, f"{name}{_DEVICE_SEPARATOR}{device}")
        if colon and device
        else (subject, name)
    )


async def purge_counters(tx: Transaction, now: int, max_rows: int) -> int:
    """Delete up to `max_rows` ended windows; return their number."""
    return await tx.execute(PURGE_COUNTERS, now, max_rows)


async def count_counters(reader: Reader) -> int:
    row = await reader.fetch_one(COUNT_COUNTERS)
    return int(row[0]) if row else 0


async def delete_surplus_counters(tx: Transaction, max_rows: int) -> int:
    """Delete up to `max_rows` low counters that end soonest; return their number."""
    return await tx.execute(
        DELETE_SURPLUS_COUNTERS, max_rows, max_rows * CANDIDATES_PER_DELETED_COUNTER
    )


PUT_LIMIT_RESET = """
INSERT INTO limit_resets (subject, asked_at) VALUES (?1, ?2)
ON CONFLICT (subject) DO UPDATE SET asked_at = excluded.asked_at
"""
LIST_LIMIT_RESETS = (
    "SELECT subject, asked_at FROM limit_resets WHERE asked_at > ?1 ORDER BY asked_at"
)
PURGE_LIMIT_RESETS = "DELETE FROM limit_resets WHERE asked_at <= ?1"


async def put_limit_reset(tx: Transaction, subject: str, now: int) -> None:
    """Ask every process to reset its counters of a subject."""
    await tx.execute(PUT_LIMIT_RESET, subject, now)


async def list_limit_resets(reader: Reader, after: int) -> list[tuple[str, int]]:
    """Return the subjects reset after a time, and when."""
    return [(row[0], row[1]) for row in await reader.fetch_all(LIST_LIMIT_RESETS, after)]


async def purge_limit_resets(tx: Transaction, until: int) -> None:
    """Delete resets up to a time."""
    await tx.execute(PURGE_LIMIT_RESETS, until)
