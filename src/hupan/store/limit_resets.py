"""What operators had forgotten of the limits that processes count in memory."""

from hupan.store.engine import Reader, Transaction

PUT = """
INSERT INTO limit_resets (subject, asked_at) VALUES (?1, ?2)
ON CONFLICT (subject) DO UPDATE SET asked_at = excluded.asked_at
"""
LIST = "SELECT subject, asked_at FROM limit_resets WHERE asked_at > ?1 ORDER BY asked_at"
PURGE = "DELETE FROM limit_resets WHERE asked_at <= ?1"


async def put_reset(tx: Transaction, subject: str, now: int) -> None:
    """Asks every process to forget what it counted of a subject."""
    await tx.run(PUT, subject, now)


async def list_resets(reader: Reader, after: int) -> list[tuple[str, int]]:
    """What was asked for after a time: subjects, and when."""
    return [(row[0], row[1]) for row in await reader.all(LIST, after)]


async def purge_resets(tx: Transaction, until: int) -> None:
    """Forgets what was asked for until a time."""
    await tx.run(PURGE, until)
