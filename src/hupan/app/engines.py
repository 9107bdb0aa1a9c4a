"""Opens the store that the settings name, on either engine."""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from hupan.config import Settings
from hupan.store.engine import Engine, MeasuredEngine
from hupan.store.file_check import check_file
from hupan.store.lock import refuse_other_names
from hupan.store.migrate import applied_in, check_current
from hupan.store.other_programs import mend_beside_server
from hupan.store.postgres_place import Place, PoolSize
from hupan.store.row_checks import check_rows
from hupan.store.sqlite import SqliteEngine


class Opening(Protocol):
    """What `hupan.store.postgres_opening` offers."""

    def open_migrated(self, place: Place, size: PoolSize) -> Awaitable[MeasuredEngine]:
        """A store that was brought up to date first."""
        ...

    def applied(self, place: Place, size: PoolSize) -> Awaitable[dict[int, str]]:
        """Number and digest of each migration."""
        ...

    def open_current(self, place: Place, size: PoolSize) -> Awaitable[Engine]:
        """A store that is up to date already."""
        ...


async def applied_migrations(settings: Settings) -> dict[int, str]:
    """Number and digest of each migration in the store.

    Raises:
        StoreRefused: there is no store, or it cannot be read.
        StoreUnavailable: the server of the store cannot be reached.
    """
    if settings.is_postgres:
        return await _postgres().applied(place(settings), _size(settings))
    return applied_in(settings.database_path)


async def open_to_serve(settings: Settings) -> MeasuredEngine:
    """The store of a server. A file was prepared before; a PostgreSQL store is migrated here.

    Raises:
        StoreRefused: the store cannot be used as it is.
        StoreUnavailable: the server of the store cannot be reached.
    """
    if settings.is_postgres:
        return await _postgres().open_migrated(place(settings), _size(settings))
    return _open_file(settings.database_path)


async def open_to_operate(settings: Settings) -> Engine:
    """The store for a command; it is never migrated here.

    Raises:
        StoreRefused: there is no store, or it is not of this version.
        StoreUnavailable: the server of the store cannot be reached.
    """
    if settings.is_postgres:
        return await _postgres().open_current(place(settings), _size(settings))
    refuse_other_names(settings.database_path)
    check_current(settings.database_path)
    return _open_file(settings.database_path)


def _open_file(path: Path) -> SqliteEngine:
    engine = SqliteEngine(path)
    engine.mend_with(partial(mend_beside_server, path))
    return engine


def look_at(settings: Settings, engine: Engine) -> Callable[[], Awaitable[list[str]]]:
    """What reads a whole store and tells what is wrong with it."""
    if settings.is_postgres:
        return lambda: check_rows(engine)
    return lambda: check_file(settings.database_path)


def place(settings: Settings) -> Place:
    """Where the PostgreSQL store lies."""
    return Place(
        settings.database,
        settings.database_password,
        settings.database_ca_file,
        settings.database_timeout_seconds,
        settings.database_connect_seconds,
    )


def _size(settings: Settings) -> PoolSize:
    return PoolSize(settings.database_pool, settings.database_statements)


def _postgres() -> Opening:
    """Late: asyncpg takes 50 ms and 7 MB, which a server on SQLite has no use for."""
    return cast("Opening", import_module("hupan.store.postgres_opening"))
