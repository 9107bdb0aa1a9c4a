"""Admin operations on the whole store: status, migrate, check, copy, distribute."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from hupan.config import Settings
from hupan.config.load import masked_database
from hupan.crypto import (
    KeyFileError,
    check_key_is_secret,
    key_fingerprint,
    load_or_create_key,
)
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
from hupan.rules import DAY_SECONDS
from hupan.store.citus import OnDistributed, distribute_tables
from hupan.store.copying import begin_copy, copy_rows, count_rows, end_copy, get_table_totals
from hupan.store.database import Conflict, Database, StoreRefused
from hupan.store.identity import accept_key, check_store_exists, read_identity
from hupan.store.locks import StoreLock
from hupan.store.migrate import load_migrations
from hupan.store.repair import accept_all_pages
from hupan.store.running_servers import OnWatch, ensure_no_servers
from hupan.store.tables import list_tables
from hupan.store.wal import check_wal_intact

OnCopyProgress = Callable[[str, int, int], None]
"""Is called with a table, its copied rows, and the total of its rows.

`servers` stands for the seconds spent watching whether servers use a store.
"""
DISTRIBUTION_TIMEOUT_SECONDS = 7 * DAY_SECONDS
"""One statement moves all rows of a table."""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """The migration status of a store.

    Attributes:
        applied: the number of its newest migration, 0 for an empty one.
        known: the number of the newest migration of this version.
        state: "current", "behind", "newer", or "unreachable" with its `trouble`.
    """

    engine: str
    place: str
    applied: int
    known: int
    state: str
    trouble: LocalizedText | None = None


async def get_status(settings: Settings) -> StoreStatus:
    """Return the status without changing anything."""
    engine = "postgresql" if settings.is_postgres else "sqlite"
    known = max(migration.number for migration in load_migrations(engine.removesuffix("ql")))
    try:
        applied = max(await read_applied_migrations(settings), default=0)
    except (StoreRefused, StoreUnavailable) as error:
        trouble = error.localized
        return StoreStatus(engine, masked_database(settings), 0, known, "unreachable", trouble)
    state = "newer" if applied > known else "current" if applied == known else "behind"
    return StoreStatus(engine, masked_database(settings), applied, known, state)


async def migrate_database(settings: Settings) -> int:
    """Migrate as the start of a server does; return how many migrations were applied.

    Raises:
        OperationRefused: a server uses the file, or the store cannot be migrated.
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
    """Create an empty store in a file, even if a key exists already.

    Raises:
        OperationRefused: there is a store, or none can be created.
    """
    _ensure_sqlite(settings)
    if settings.database_path.exists() and settings.database_path.stat().st_size:
        path = settings.database_path
        raise OperationRefused(f"数据库已存在：{path}", f"the store already exists: {path}")
    try:
        with prepared_sqlite_file(settings.database_path):
            return
    except (StoreRefused, OSError) as error:
        raise OperationRefused.wrap(error) from error


async def accept_writes(settings: Settings) -> bool:
    """Accept what another program wrote into the file; return whether there was anything.

    Raises:
        OperationRefused: a server uses the file, its structure is damaged, or it is not a file.
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
    """Make the existing key, or a new one if there is none, the key of the store.

    Raises:
        OperationRefused: a server uses the store, or key or store cannot be used.
    """
    try:
        async with _open_locked(settings, create=False, exclusive=True) as database:
            secret = load_or_create_key(settings.secret_key_path)
            if not (await read_identity(database)).is_sandbox:
                check_key_is_secret(settings.secret_key_path, secret)
            await database.run_transaction(lambda tx: accept_key(tx, key_fingerprint(secret)))
    except (StoreRefused, StoreUnavailable, KeyFileError, OSError) as error:
        raise OperationRefused.wrap(error) from error


def _ensure_sqlite(settings: Settings) -> None:
    if settings.is_postgres:
        raise OperationRefused("此命令只用于 SQLite 文件", "this command is for SQLite files only")


async def check_database(settings: Settings) -> list[str]:
    """Return what is wrong with the store. A server may run at the same time.

    Raises:
        OperationRefused: it cannot be read.
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
    """Copy a whole store into an empty one, or continue an interrupted copy.

    No server may use either store during the copy: a file is locked, no server starts on a target,
    and a server that uses a PostgreSQL store is recognised by what it writes there, before the copy
    and at its end.

    Args:
        settings: how to connect; their own store is not used unless it is named.
        source: a file or a URL.
        target: a file or a URL; it is created and migrated.
        on_progress: is called for each step.

    Returns:
        The tables in which the two still differ; [] if the copy is complete.

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
        or masked_database(source_settings) == masked_database(target_settings)
    ):
        raise OperationRefused("请指定两个不同的数据库", "specify two different stores")
    on_watch = partial(on_progress, "servers")
    try:
        async with (
            _open_locked(
                source_settings, create=False, exclusive=True, on_watch=on_watch
            ) as source_database,
            _open_locked(
                target_settings, create=True, exclusive=True, on_watch=on_watch
            ) as target_database,
        ):
            return await _copy_tables(source_database, target_database, on_progress)
    except Conflict as error:
        raise OperationRefused(
            "目标数据库中已有这些行：可能正在进行另一次复制",
            "the target already has these rows: perhaps another copy is running",
        ) from error
    except (StoreRefused, StoreUnavailable, OSError) as error:
        raise OperationRefused.wrap(error) from error


async def distribute_database(settings: Settings, on_progress: OnDistributed) -> list[str]:
    """Distribute the tables of a store on a Citus coordinator; return those distributed now.

    Args:
        settings: those of the server; the timeout of its statements does not apply.
        on_progress: called with the table that is being distributed.

    Raises:
        OperationRefused: the store is a file, or the server cannot do it.
    """
    if not settings.is_postgres:
        raise OperationRefused(
            "只有 PostgreSQL（Citus）支持分布",
            "only a store on PostgreSQL (Citus) can be distributed",
        )
    try:
        database = await open_current_database(
            replace(settings, database_timeout_seconds=DISTRIBUTION_TIMEOUT_SECONDS)
        )
        try:
            return await distribute_tables(database, on_progress)
        finally:
            await database.close()
    except (StoreRefused, StoreUnavailable) as error:
        raise OperationRefused.wrap(error) from error


@asynccontextmanager
async def _open_locked(
    settings: Settings,
    *,
    create: bool,
    exclusive: bool = False,
    on_watch: OnWatch = lambda _passed, _all: None,
) -> AsyncIterator[Database]:
    """Open a store that no server of this machine can use meanwhile; of any, if exclusive."""
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
                await ensure_no_servers(database, on_watch)
            yield database
        finally:
            await database.close()


async def _copy_tables(
    source: Database, target: Database, on_progress: OnCopyProgress
) -> list[str]:
    all_tables = list_tables()
    await begin_copy(target, all_tables)
    await ensure_no_servers(target)  # one may have started just before the mark was there
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
    await ensure_no_servers(source)  # a copy of data that changes is not complete
    if not differing:
        await end_copy(target)
    return differing
