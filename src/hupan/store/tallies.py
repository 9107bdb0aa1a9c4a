"""Counts within windows (security C5, C11). A window opens with its first event."""

from msgspec import Struct

from hupan.model import Limit
from hupan.store.engine import Reader, Transaction

# One statement tests and counts, so the limit holds under any number of parallel requests.
TAKE = """
INSERT INTO tallies (subject, name, count, ends_at) VALUES (?1, ?2, 1, ?5)
ON CONFLICT (subject, name) DO UPDATE SET
  count = CASE WHEN tallies.ends_at <= ?3 THEN 1 ELSE tallies.count + 1 END,
  ends_at = CASE
    WHEN tallies.ends_at <= ?3 THEN excluded.ends_at
    WHEN ?6 > 0 AND tallies.count + 1 >= ?4 THEN ?6
    ELSE tallies.ends_at END
WHERE tallies.ends_at <= ?3 OR tallies.count < ?4
"""
GIVE_BACK = """
UPDATE tallies SET count = count - 1
WHERE subject = ?1 AND name = ?2 AND count > 0 AND ends_at > ?3
"""
FORGET = "DELETE FROM tallies WHERE subject = ?1 AND name = ?2"
FORGET_BELOW = "DELETE FROM tallies WHERE subject >= ?1 AND subject < ?2"
PURGE = "DELETE FROM tallies WHERE ends_at <= ?1"
LIST_BELOW = """
SELECT subject, name, count, ends_at FROM tallies
WHERE subject >= ?1 AND subject < ?2 ORDER BY subject, name
"""


class Tally(Struct, frozen=True):
    """How many events of a subject were counted against a limit, and when that ends."""

    subject: str
    name: str
    count: int
    ends_at: int


async def take(tx: Transaction, subject: str, limit: Limit, now: int) -> bool:
    """Counts one event of a subject; False, uncounted, when its window is full."""
    locked_until = now + limit.lock_seconds if limit.lock_seconds else 0
    ends_at = now + limit.window_seconds
    return await tx.run(TAKE, subject, limit.name, now, limit.most, ends_at, locked_until) == 1


async def give_back(tx: Transaction, subject: str, limit: Limit, now: int) -> None:
    """Takes back one event that turned out not to count; a count of events in a row starts anew."""
    if limit.lock_seconds:
        await tx.run(FORGET, subject, limit.name)
    else:
        await tx.run(GIVE_BACK, subject, limit.name, now)


async def forget(tx: Transaction, subject: str, limit: Limit) -> None:
    """Takes back every event of a subject."""
    await tx.run(FORGET, subject, limit.name)


async def forget_below(tx: Transaction, start: str) -> int:
    """Takes back every event of all subjects that begin with a text; gives how many counts."""
    return await tx.run(FORGET_BELOW, start, _after(start))


async def list_below(reader: Reader, start: str) -> list[Tally]:
    """What is counted of all subjects that begin with a text."""
    return [Tally(*row) for row in await reader.all(LIST_BELOW, start, _after(start))]


def _after(start: str) -> str:
    """The first text behind all that begin with one."""
    return start[:-1] + chr(ord(start[-1]) + 1)


async def purge_tallies(tx: Transaction, now: int) -> None:
    """Forgets windows that have ended."""
    await tx.run(PURGE, now)
