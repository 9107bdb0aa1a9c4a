"""Opens a store in a file, for tests of what SQLite alone has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hupan.store.migrate import migrate
from hupan.store.sqlite import SqliteEngine


@asynccontextmanager
async def open_file(path: Path) -> AsyncIterator[SqliteEngine]:
    """An engine on a file that is up to date."""
    migrate(path)
    engine = SqliteEngine(path)
    try:
        yield engine
    finally:
        await engine.close()
