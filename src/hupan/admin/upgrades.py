"""What an upgrade of the store would do, and how long it takes: tried on a copy of a file."""

import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from hupan.config import Settings
from hupan.config.load import masked_database
from hupan.localized import LocalizedText
from hupan.model import StoreUnavailable
from hupan.opening import OperationRefused, read_applied_migrations
from hupan.store.backup_format import BackupError
from hupan.store.backups import copy_file, remove_file
from hupan.store.database import StoreRefused
from hupan.store.integrity import check_file
from hupan.store.migrate import (
    check_migrations_known,
    list_migration_copies,
    load_migrations,
    migrate_file,
)

COPIES_OF_THE_FILE = 3
"""Room for a trial: a copy, the copy that its migration keeps, and what the migration rewrites."""


@dataclass(frozen=True, slots=True)
class UpgradePlan:
    """What the start of this version would do to a store.

    Attributes:
        applied: the newest migration of the store.
        missing: the file names of the migrations that would be applied.
        kept_copy: the file that keeps the store as it was; "" for none.
        size: the size of the SQLite file in bytes, 0 on PostgreSQL.
        seconds: how long the trial took; None if there was none.
        faults: what an integrity check of the upgraded copy found.
        untried: why there was no trial.
    """

    engine: str
    place: str
    applied: int
    known: int
    missing: tuple[str, ...]
    kept_copy: str = ""
    size: int = 0
    seconds: float | None = None
    faults: tuple[str, ...] = ()
    untried: LocalizedText | None = None


async def plan_upgrade(settings: Settings) -> UpgradePlan:
    """Return what an upgrade would do, without changing anything. A server may run meanwhile.

    Raises:
        OperationRefused: there is no store, it is newer than this version, or the trial failed.
    """
    engine = "postgres" if settings.is_postgres else "sqlite"
    known = load_migrations(engine)
    place = masked_database(settings)
    try:
        applied = await read_applied_migrations(settings)
        check_migrations_known(applied, known, place)
        missing = tuple(f"{one.number:04}_{one.name}" for one in known if one.number not in applied)
        newest = max(applied, default=0)
        if settings.is_postgres or not missing or not applied:
            untried = _NO_TRIAL if settings.is_postgres and missing else None
            return UpgradePlan(engine, place, newest, known[-1].number, missing, untried=untried)
        return await _try_on_a_copy(
            settings.database_path,
            _file_size(settings.database_path),
            UpgradePlan(engine, place, newest, known[-1].number, missing),
        )
    except (StoreRefused, StoreUnavailable, BackupError, OSError) as error:
        raise OperationRefused.wrap(error) from error


def _file_size(path: Path) -> int:
    return path.stat().st_size


_NO_TRIAL = LocalizedText(
    "PostgreSQL 不试运行：整个升级在一个事务中完成，失败时不留下任何更改",
    "not tried on PostgreSQL: the whole upgrade is one transaction, and leaves nothing if it fails",
)


async def _try_on_a_copy(path: Path, size: int, plan: UpgradePlan) -> UpgradePlan:
    copy = path.with_name(f".upgrade-{os.getpid()}.db")
    kept = f"{path}.before-{plan.missing[0].partition('_')[0]}"
    free = shutil.disk_usage(path.parent).free
    if free < COPIES_OF_THE_FILE * size:
        untried = LocalizedText(
            f"磁盘空间不足，未试运行：需 {COPIES_OF_THE_FILE * size // 2**20} MB",
            f"not tried: {COPIES_OF_THE_FILE * size // 2**20} MB of free space are needed",
        )
        return replace(plan, kept_copy=kept, size=size, untried=untried)
    try:
        copy_file(path, copy)
        begin = time.monotonic()
        migrate_file(copy)
        seconds = time.monotonic() - begin
        faults = tuple(await check_file(copy))
        return replace(plan, kept_copy=kept, size=size, seconds=seconds, faults=faults)
    finally:
        remove_file(copy)
        for kept_copy in list_migration_copies(copy):
            kept_copy.unlink()
