"""Open a store in a file, for tests of SQLite's own features."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hupan.store.migrate import migrate_file
from hupan.store.sqlite import SqliteDatabase


@asynccontextmanager
async def open_file(path: Path) -> AsyncIterator[SqliteDatabase]:
    """Yield an engine on a file of the current version."""
    migrate_file(path)
    engine = SqliteDatabase(path)
    try:
        yield engine
    finally:
        await engine.close()
