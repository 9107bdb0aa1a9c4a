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
IS_FULL = """
SELECT 1 FROM tallies WHERE subject = ?1 AND name = ?2 AND ends_at > ?3 AND count >= ?4
"""
FORGET = "DELETE FROM tallies WHERE subject = ?1 AND name = ?2"
FORGET_ALL = "DELETE FROM tallies WHERE subject = ?1"
PURGE = """
DELETE FROM tallies WHERE (subject, name) IN
  (SELECT subject, name FROM tallies WHERE ends_at <= ?1 LIMIT ?2)
"""
COUNT = "SELECT count(*) FROM tallies"
# Of those that are over soonest the ones with the fewest events: what a flood of targets leaves. A
# count that holds somebody back, or that of the whole server, has more events than those.
DROP_SURPLUS = """
DELETE FROM tallies WHERE (subject, name) IN
  (SELECT subject, name FROM
     (SELECT subject, name, count, ends_at FROM tallies ORDER BY ends_at LIMIT ?2) AS soonest
   ORDER BY count, ends_at LIMIT ?1)
"""
LOOKED_AT_FOR_ONE = 4
LIST_ALL = """
SELECT subject, name, count, ends_at FROM tallies WHERE subject = ?1 ORDER BY name
"""


_OF = "#"


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
    place = _place(subject, limit.name)
    return await tx.run(TAKE, *place, now, limit.most, ends_at, locked_until) == 1


async def is_full(reader: Reader, subject: str, limit: Limit, now: int) -> bool:
    """Whether no event of a subject would be counted now."""
    return await reader.one(IS_FULL, *_place(subject, limit.name), now, limit.most) is not None


async def give_back(tx: Transaction, subject: str, limit: Limit, now: int) -> None:
    """Takes back one event that turned out not to count; a count of events in a row starts anew."""
    place = _place(subject, limit.name)
    if limit.lock_seconds:
        await tx.run(FORGET, *place)
    else:
        await tx.run(GIVE_BACK, *place, now)


async def forget_all(tx: Transaction, target: str) -> int:
    """Takes back every event of a target, from whatever device; gives how many counts."""
    return await tx.run(FORGET_ALL, target)


async def list_all(reader: Reader, target: str) -> list[Tally]:
    """What is counted of a target, from whatever device."""
    return [_tally(*row) for row in await reader.all(LIST_ALL, target)]


def _tally(target: str, placed: str, count: int, ends_at: int) -> Tally:
    name, _, device = placed.partition(_OF)
    return Tally(target + device, name, count, ends_at)


def _place(subject: str, name: str) -> tuple[str, str]:
    """Where a subject is counted: under its target, a device's own count by its name.

    So all counts of a target lie beside each other, however far a store is spread.
    """
    target, colon, device = subject.rpartition(":")
    return (target + colon, f"{name}{_OF}{device}") if colon and device else (subject, name)


async def purge_tallies(tx: Transaction, now: int, most: int) -> int:
    """Delete windows that have ended, up to `most`; return how many."""
    return await tx.run(PURGE, now, most)


async def count_tallies(reader: Reader) -> int:
    """Return how many counts are kept."""
    row = await reader.one(COUNT)
    return int(row[0]) if row else 0


async def drop_surplus_tallies(tx: Transaction, most: int) -> int:
    """Delete counts of few events that are over soonest, up to `most`; return how many."""
    return await tx.run(DROP_SURPLUS, most, most * LOOKED_AT_FOR_ONE)
