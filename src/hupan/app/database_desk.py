"""What an operator does with a whole store: look at it, bring it up to date, copy it, spread it."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from hupan.app.engines import applied_migrations, look_at, open_to_operate, open_to_serve
from hupan.app.operating import OperationRefused
from hupan.app.storing import prepared_file
from hupan.config import Settings
from hupan.model import StoreUnavailable
from hupan.seal import KeyFileError, fingerprint, load_key
from hupan.store.copying import begin_copy, copy_rows, count_rows, end_copy, totals
from hupan.store.engine import Conflict, Engine, StoreRefused
from hupan.store.identity import accept_key, refuse_lost_store
from hupan.store.lock import StoreLock
from hupan.store.migrate import migrations
from hupan.store.other_programs import accept_all
from hupan.store.postgres_company import refuse_company
from hupan.store.shape import tables
from hupan.store.spread import spread
from hupan.store.wal_damage import refuse_damaged_log

OnCopied = Callable[[str, int, int], None]
"""Told of a table, the rows of it that are there, and how many there are to be."""


@dataclass(frozen=True, slots=True)
class Status:
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
    trouble: str = ""


async def status(settings: Settings) -> Status:
    """Asks, and changes nothing."""
    engine = "postgresql" if settings.is_postgres else "sqlite"
    known = max(one.number for one in migrations(engine.removesuffix("ql")))
    try:
        applied = max(await applied_migrations(settings), default=0)
    except (StoreRefused, StoreUnavailable) as error:
        return Status(engine, settings.store_shown, 0, known, "unreachable", str(error))
    state = "newer" if applied > known else "current" if applied == known else "behind"
    return Status(engine, settings.store_shown, applied, known, state)


async def bring_up_to_date(settings: Settings) -> int:
    """Migrates, as the start of a server does; gives how many migrations were missing.

    Raises:
        OperationRefused: a server has the file, or the store cannot be migrated.
    """
    before = await status(settings)
    try:
        if not settings.is_postgres:
            refuse_lost_store(settings.database_path, settings.secret_key_path)
        async with _held(settings, make=True):
            return before.known - before.applied
    except (StoreRefused, StoreUnavailable, OSError) as error:
        raise OperationRefused(str(error)) from error


async def create(settings: Settings) -> None:
    """Makes an empty store in a file, also where a key lies already.

    Raises:
        OperationRefused: there is a store, or none can be made.
    """
    _refuse_postgres(settings)
    if settings.database_path.exists() and settings.database_path.stat().st_size:
        raise OperationRefused(f"数据库已存在 / there is a store already: {settings.database_path}")
    try:
        with prepared_file(settings.database_path):
            return
    except (StoreRefused, OSError) as error:
        raise OperationRefused(str(error)) from error


async def accept_writes(settings: Settings) -> bool:
    """Takes what another program wrote into the file as right; gives whether there was anything.

    Raises:
        OperationRefused: a server has the file, its structure is damaged, or it is no file.
    """
    _refuse_postgres(settings)
    path = settings.database_path
    if not path.exists():
        raise OperationRefused(f"没有数据库 / there is no store: {path}")
    try:
        lock = StoreLock(path)
        try:
            refuse_damaged_log(path)
            return accept_all(path)
        finally:
            lock.release()
    except (StoreRefused, OSError) as error:
        raise OperationRefused(str(error)) from error


async def take_key(settings: Settings) -> None:
    """Makes the key that lies there the store's own, or a new one if none lies there.

    Raises:
        OperationRefused: a server has the store, or key or store cannot be used.
    """
    try:
        async with _held(settings, make=False, alone=True) as engine:
            secret = load_key(settings.secret_key_path)
            await engine.change(lambda tx: accept_key(tx, fingerprint(secret)))
    except (StoreRefused, StoreUnavailable, KeyFileError, OSError) as error:
        raise OperationRefused(str(error)) from error


def _refuse_postgres(settings: Settings) -> None:
    if settings.is_postgres:
        raise OperationRefused("此命令只用于 SQLite 文件 / this command is for a SQLite file alone")


async def check(settings: Settings) -> list[str]:
    """What is wrong with the store; [] when nothing is. A server may run beside it.

    Raises:
        OperationRefused: it could not be looked at.
    """
    try:
        engine = await open_to_operate(settings)
        try:
            return await look_at(settings, engine)()
        finally:
            await engine.close()
    except (StoreRefused, StoreUnavailable) as error:
        raise OperationRefused(str(error)) from error


async def copy(settings: Settings, source: str, target: str, on_copied: OnCopied) -> list[str]:
    """Copies a whole store into an empty one, or goes on where a copy broke off.

    No server may use either of them meanwhile: a file is held against servers, and of a PostgreSQL
    store the operator must know.

    Args:
        settings: how to connect; their own store is not touched unless it is named.
        source: a file or a URL.
        target: a file or a URL; it is made and migrated.
        on_copied: is told of each step.

    Returns:
        The tables in which the two differ after all; [] when the copy is whole.

    Raises:
        OperationRefused: one of the stores cannot be used.
    """
    origin, aim = replace(settings, database=source), replace(settings, database=target)
    if not source or not target or origin.store_shown == aim.store_shown:
        raise OperationRefused(
            "请给出两个不同的数据库 / name two stores, and not the same one twice"
        )
    try:
        async with (
            _held(origin, make=False, alone=True) as there,
            _held(aim, make=True, alone=True) as here,
        ):
            return await _copy(there, here, on_copied)
    except Conflict as error:
        raise OperationRefused(
            "目标中已有这些行：可能另一个复制正在进行 / rows are there already: perhaps another "
            "copy is writing"
        ) from error
    except (StoreRefused, StoreUnavailable, OSError) as error:
        raise OperationRefused(str(error)) from error


async def distribute(settings: Settings) -> list[str]:
    """Spreads the tables of a store on a Citus coordinator; gives those that were spread now.

    Raises:
        OperationRefused: it lies in a file, or the server cannot do it.
    """
    if not settings.is_postgres:
        raise OperationRefused(
            "只有 PostgreSQL（Citus）可以分布 / only a store on PostgreSQL (Citus) can be spread"
        )
    try:
        engine = await open_to_operate(settings)
        try:
            return await spread(engine)
        finally:
            await engine.close()
    except (StoreRefused, StoreUnavailable) as error:
        raise OperationRefused(str(error)) from error


@asynccontextmanager
async def _held(settings: Settings, *, make: bool, alone: bool = False) -> AsyncIterator[Engine]:
    """An open store that no server of this machine can have meanwhile."""
    with ExitStack() as stack:
        if make and not settings.is_postgres:
            stack.enter_context(prepared_file(settings.database_path))
        elif not settings.is_postgres and settings.database_path.exists():
            stack.callback(StoreLock(settings.database_path).release)
        engine = await (open_to_serve(settings) if make else open_to_operate(settings))
        try:
            if settings.is_postgres and alone:
                await refuse_company(engine)
            yield engine
        finally:
            await engine.close()


async def _copy(source: Engine, target: Engine, on_copied: OnCopied) -> list[str]:
    all_tables = tables()
    await begin_copy(target, all_tables)
    for table in all_tables:
        whole, done = await count_rows(source, table), await count_rows(target, table)
        on_copied(table.name, done, whole)
        while copied := await copy_rows(source, target, table):
            done += copied
            on_copied(table.name, done, whole)
    different = [
        table.name
        for table in all_tables
        if await totals(source, table) != await totals(target, table)
    ]
    if not different:
        await end_copy(target)
    return different
