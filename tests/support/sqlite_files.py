"""Opens a store in a file, for tests of what SQLite alone has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hupan.store.migrate import migrate_file
from hupan.store.sqlite import SqliteDatabase


@asynccontextmanager
async def open_file(path: Path) -> AsyncIterator[SqliteDatabase]:
    """Yield an engine on a file that is up to date."""
    migrate_file(path)
    engine = SqliteDatabase(path)
    try:
        yield engine
    finally:
        await engine.close()
