"""Drafts on their way from one process to another."""

from msgspec import Struct

from hupan.store.database import Reader, Transaction

INSERT_DRAFT = """
INSERT INTO drafts (process, source, number, content) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (process, source, number) DO NOTHING
"""
COUNT_DRAFTS = "SELECT count(*) FROM drafts WHERE process = ?1"
LIST_DRAFTS = """
SELECT source, number, content FROM drafts WHERE process = ?1 ORDER BY source, number LIMIT ?2
"""
DELETE_DRAFTS = "DELETE FROM drafts WHERE process = ?1 AND source = ?2 AND number <= ?3"
PURGE_DRAFTS = "DELETE FROM drafts WHERE process = ?1"


class DraftRow(Struct, frozen=True):
    """A draft; `number` orders those of its source."""

    source: int
    number: int
    content: bytes


async def count_drafts(reader: Reader, process: int) -> int:
    """Return how many drafts wait for a process."""
    row = await reader.fetch_one(COUNT_DRAFTS, process)
    return 0 if row is None else int(row[0])


async def insert_draft(tx: Transaction, process: int, row: DraftRow) -> None:
    """Insert a draft for a process, unless it is there."""
    await tx.execute(INSERT_DRAFT, process, row.source, row.number, row.content)


async def list_drafts(reader: Reader, process: int, max_rows: int) -> list[DraftRow]:
    """Return the drafts that wait for a process, in the order of each source."""
    return [DraftRow(*row) for row in await reader.fetch_all(LIST_DRAFTS, process, max_rows)]


async def delete_drafts(tx: Transaction, process: int, source: int, number: int) -> None:
    """Delete what one process sent to another, up to a number."""
    await tx.execute(DELETE_DRAFTS, process, source, number)


async def purge_drafts(tx: Transaction, process: int) -> None:
    """Delete all drafts that wait for a process."""
    await tx.execute(PURGE_DRAFTS, process)
