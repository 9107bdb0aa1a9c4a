"""Admin operations on the whole store: status, migrate, check, copy, distribute."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from hupan.config import Settings
from hupan.crypto import KeyFileError, key_fingerprint, load_or_create_key
from hupan.localized import LocalizedText
from hupan.model import StoreUnavailable
from hupan.opening import (
    OperationRefused,
    make_integrity_check,
    open_current_database,
    open_server_database,
    prepared_sqlite_file,
    read_applied_migrations,
)
from hupan.store.citus import distribute_tables
from hupan.store.copying import begin_copy, copy_rows, count_rows, end_copy, get_table_totals
from hupan.store.database import Conflict, Database, StoreRefused
from hupan.store.identity import accept_key, check_store_exists
from hupan.store.locks import StoreLock
from hupan.store.migrate import list_tables, load_migrations
from hupan.store.postgres import ensure_exclusive
from hupan.store.repair import accept_all_pages
from hupan.store.wal import check_wal_intact

OnCopyProgress = Callable[[str, int, int], None]
"""Told of a table, the rows of it that are there, and how many there are to be."""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Where a store stands.

    Attributes:
        applied: the number of its newest migration, 0 for an empty one.
        known: the number of the newest that this version knows.
        state: "current", "behind", "newer", or "unreachable" with its `trouble`.
    """

    engine: str
    place: str
    applied: int
    known: int
    state: str
    trouble: LocalizedText | None = None


async def get_status(settings: Settings) -> StoreStatus:
    """Asks, and changes nothing."""
    engine = "postgresql" if settings.is_postgres else "sqlite"
    known = max(one.number for one in load_migrations(engine.removesuffix("ql")))
    try:
        applied = max(await read_applied_migrations(settings), default=0)
    except (StoreRefused, StoreUnavailable) as error:
        trouble = error.localized
        return StoreStatus(engine, settings.masked_database, 0, known, "unreachable", trouble)
    state = "newer" if applied > known else "current" if applied == known else "behind"
    return StoreStatus(engine, settings.masked_database, applied, known, state)


async def migrate_database(settings: Settings) -> int:
    """Migrates, as the start of a server does; gives how many migrations were missing.

    Raises:
        OperationRefused: a server has the file, or the store cannot be migrated.
    """
    before = await get_status(settings)
    try:
        if not settings.is_postgres:
            check_store_exists(settings.database_path, settings.secret_key_path)
        async with _open_locked(settings, create=True):
            return before.known - before.applied
    except (StoreRefused, StoreUnavailable, OSError) as error:
        raise OperationRefused.wrap(error) from error


async def create_database(settings: Settings) -> None:
    """Makes an empty store in a file, also where a key lies already.

    Raises:
        OperationRefused: there is a store, or none can be made.
    """
    _ensure_sqlite(settings)
    if settings.database_path.exists() and settings.database_path.stat().st_size:
        path = settings.database_path
        raise OperationRefused(f"数据库已存在：{path}", f"there is a store already: {path}")
    try:
        with prepared_sqlite_file(settings.database_path):
            return
    except (StoreRefused, OSError) as error:
        raise OperationRefused.wrap(error) from error


async def accept_writes(settings: Settings) -> bool:
    """Takes what another program wrote into the file as right; gives whether there was anything.

    Raises:
        OperationRefused: a server has the file, its structure is damaged, or it is no file.
    """
    _ensure_sqlite(settings)
    path = settings.database_path
    if not path.exists():
        raise OperationRefused(f"没有数据库：{path}", f"there is no store: {path}")
    try:
        lock = StoreLock(path)
        try:
            check_wal_intact(path)
            return accept_all_pages(path)
        finally:
            lock.release()
    except (StoreRefused, OSError) as error:
        raise OperationRefused.wrap(error) from error


async def adopt_key(settings: Settings) -> None:
    """Makes the key that lies there the store's own, or a new one if none lies there.

    Raises:
        OperationRefused: a server has the store, or key or store cannot be used.
    """
    try:
        async with _open_locked(settings, create=False, exclusive=True) as database:
            secret = load_or_create_key(settings.secret_key_path)
            await database.run_transaction(lambda tx: accept_key(tx, key_fingerprint(secret)))
    except (StoreRefused, StoreUnavailable, KeyFileError, OSError) as error:
        raise OperationRefused.wrap(error) from error


def _ensure_sqlite(settings: Settings) -> None:
    if settings.is_postgres:
        raise OperationRefused("此命令只用于 SQLite 文件", "this command is for SQLite files only")


async def check_database(settings: Settings) -> list[str]:
    """What is wrong with the store; [] when nothing is. A server may run beside it.

    Raises:
        OperationRefused: it could not be looked at.
    """
    try:
        database = await open_current_database(settings)
        try:
            return await make_integrity_check(settings, database)()
        finally:
            await database.close()
    except (StoreRefused, StoreUnavailable) as error:
        raise OperationRefused.wrap(error) from error


async def copy_database(
    settings: Settings, source: str, target: str, on_progress: OnCopyProgress
) -> list[str]:
    """Copies a whole store into an empty one, or goes on where a copy broke off.

    No server may use either of them meanwhile: a file is held against servers, and of a PostgreSQL
    store the operator must know.

    Args:
        settings: how to connect; their own store is not touched unless it is named.
        source: a file or a URL.
        target: a file or a URL; it is made and migrated.
        on_progress: is told of each step.

    Returns:
        The tables in which the two differ after all; [] when the copy is whole.

    Raises:
        OperationRefused: one of the stores cannot be used.
    """
    source_settings, target_settings = (
        replace(settings, database=source),
        replace(settings, database=target),
    )
    if (
        not source
        or not target
        or source_settings.masked_database == target_settings.masked_database
    ):
        raise OperationRefused("请给出两个不同的数据库", "name two different stores")
    try:
        async with (
            _open_locked(source_settings, create=False, exclusive=True) as source_database,
            _open_locked(target_settings, create=True, exclusive=True) as target_database,
        ):
            return await _copy_tables(source_database, target_database, on_progress)
    except Conflict as error:
        raise OperationRefused(
            "目标中已有这些行：可能另一个复制正在进行",
            "the target has these rows already: perhaps another copy is running",
        ) from error
    except (StoreRefused, StoreUnavailable, OSError) as error:
        raise OperationRefused.wrap(error) from error


async def distribute_database(settings: Settings) -> list[str]:
    """Spreads the tables of a store on a Citus coordinator; gives those that were spread now.

    Raises:
        OperationRefused: it lies in a file, or the server cannot do it.
    """
    if not settings.is_postgres:
        raise OperationRefused(
            "只有 PostgreSQL（Citus）可以分布",
            "only a store on PostgreSQL (Citus) can be distributed",
        )
    try:
        database = await open_current_database(settings)
        try:
            return await distribute_tables(database)
        finally:
            await database.close()
    except (StoreRefused, StoreUnavailable) as error:
        raise OperationRefused.wrap(error) from error


@asynccontextmanager
async def _open_locked(
    settings: Settings, *, create: bool, exclusive: bool = False
) -> AsyncIterator[Database]:
    """An open store that no server of this machine can have meanwhile."""
    with ExitStack() as stack:
        if create and not settings.is_postgres:
            stack.enter_context(prepared_sqlite_file(settings.database_path))
        elif not settings.is_postgres and settings.database_path.exists():
            stack.callback(StoreLock(settings.database_path).release)
        database = await (
            open_server_database(settings) if create else open_current_database(settings)
        )
        try:
            if settings.is_postgres and exclusive:
                await ensure_exclusive(database)
            yield database
        finally:
            await database.close()


async def _copy_tables(
    source: Database, target: Database, on_progress: OnCopyProgress
) -> list[str]:
    all_tables = list_tables()
    await begin_copy(target, all_tables)
    for table in all_tables:
        total, done = await count_rows(source, table), await count_rows(target, table)
        on_progress(table.name, done, total)
        while copied := await copy_rows(source, target, table):
            done += copied
            on_progress(table.name, done, total)
    differing = [
        table.name
        for table in all_tables
        if await get_table_totals(source, table) != await get_table_totals(target, table)
    ]
    if not differing:
        await end_copy(target)
    return differing
