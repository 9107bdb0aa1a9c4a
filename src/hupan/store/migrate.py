"""Migrations: numbered files in `schema/`, applied in order, never edited once landed.

What SQL cannot do a step of Python does after its file: pure, in the same transaction.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import apsw

from hupan.store import ascii_domains
from hupan.store.engine import Row, StoreRefused
from hupan.store.page_sums import give_sums, told
from hupan.store.sqlite import connect
from hupan.store.wal_damage import refuse_damaged_log

JOURNAL = """
CREATE TABLE IF NOT EXISTS migrations (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Step:
    """Python's part of a migration.

    Attributes:
        reads: statements that are run first, each gives rows.
        statements: what is to be run then, made of these rows and the time alone.
    """

    reads: tuple[str, ...]
    statements: Callable[[Sequence[Sequence[Row]], int], Iterable[ascii_domains.Statement]]


STEPS: Mapping[tuple[int, str], Step] = {
    (10, "ascii_domains"): Step(ascii_domains.READS, ascii_domains.statements),
}


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `0001_accounts.sql` is number 1, name `accounts`."""

    number: int
    name: str
    sql: str

    @property
    def step(self) -> Step | None:
        """What is done after the file."""
        return STEPS.get((self.number, self.name))

    @property
    def digest(self) -> str:
        """Tells whether a landed file was edited."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(engine: str = "sqlite") -> list[Migration]:
    """All migrations that this version knows, in order.

    `0009_x.sql` is for every engine but one that has a text of its own, `0009_x.postgres.sql`.
    """
    folder = files("hupan.store").joinpath("schema")
    names = {entry.name for entry in folder.iterdir() if entry.name.endswith(".sql")}
    shared = sorted(name for name in names if name.count(".") == 1)
    own = [name.replace(".sql", f".{engine}.sql") for name in shared]
    texts = [folder.joinpath(o if o in names else n) for n, o in zip(shared, own, strict=True)]
    return [
        _read(name, text.read_text(encoding="utf-8"))
        for name, text in zip(shared, texts, strict=True)
    ]


def _read(file_name: str, sql: str) -> Migration:
    number, name = file_name.removesuffix(".sql").split("_", 1)
    return Migration(int(number), name, sql)


def migrate(path: Path, known: list[Migration] | None = None) -> list[Migration]:
    """Brings the SQLite file up to date; gives what was applied.

    A copy of the file, `<name>.before-0002`, is kept before a migration touches one that is in use.

    Raises:
        StoreRefused: the file is newer than this version, a landed migration was edited, or
            the machine failed; the file is as it was.
    """
    known = migrations() if known is None else known
    connection = connect(path)
    try:
        applied = _applied(connection)
        check_applied(applied, known, path)
        _keep_copy(connection, known, path)
        if applied:
            give_sums(connection)
        missing = _apply(connection, known, path)
        # What a crash left behind the end of the log must not look like damage after the next one.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except apsw.Error as error:
        raise StoreRefused(f"数据库升级失败 / cannot migrate {path}: {told(error)}") from error
    finally:
        connection.close()
    return missing


def applied_in(path: Path) -> dict[int, str]:
    """Number and digest of each migration in a file.

    Raises:
        StoreRefused: there is no file, or it cannot be read; nothing was made.
    """
    if not path.exists():
        raise StoreRefused(f"没有数据库 / there is no store: {path}")
    refuse_damaged_log(path)
    connection = connect(path)
    try:
        return _applied(connection)
    except apsw.Error as error:
        raise StoreRefused(
            f"无法读取数据库 / cannot read the store {path}: {told(error)}"
        ) from error
    finally:
        connection.close()


def check_current(path: Path) -> None:
    """Goes on only with a store that this version has brought up to date.

    Raises:
        StoreRefused: there is none, it is older or newer, or it cannot be read; nothing was made.
    """
    known, applied = migrations(), applied_in(path)
    check_applied(applied, known, path)
    if len(applied) < len(known):
        raise StoreRefused(
            "数据库尚未升级，请先运行 hupan database migrate / "
            f"{path} is not up to date: run hupan database migrate"
        )


def _apply(connection: apsw.Connection, known: list[Migration], path: Path) -> list[Migration]:
    """Applies what is missing in one transaction: all of it is kept or none."""
    connection.execute("BEGIN IMMEDIATE").fetchall()
    try:
        connection.execute(JOURNAL).fetchall()
        applied = _applied(connection)
        check_applied(applied, known, path)
        missing = [migration for migration in known if migration.number not in applied]
        for migration in missing:
            connection.execute(migration.sql).fetchall()
            _take(connection, migration.step)
            connection.execute(
                "INSERT INTO migrations (number, name, digest, applied_at) VALUES (?1, ?2, ?3, ?4)",
                (migration.number, migration.name, migration.digest, int(time.time())),
            ).fetchall()
        connection.execute("COMMIT").fetchall()
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK").fetchall()
        raise
    return missing


def applied_numbers(connection: apsw.Connection) -> dict[int, str]:
    """Number and digest of each migration in an open file."""
    return _applied(connection)


def _take(connection: apsw.Connection, step: Step | None) -> None:
    if step is not None:
        rows = [connection.execute(sql).fetchall() for sql in step.reads]
        for sql, values in step.statements(rows, int(time.time())):
            connection.execute(sql, values).fetchall()


def _applied(connection: apsw.Connection) -> dict[int, str]:
    """Number and digest of each migration in the file."""
    exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'"
    if not connection.execute(exists).fetchall():
        return {}
    rows = connection.execute("SELECT number, digest FROM migrations").fetchall()
    return {int(str(number)): str(digest) for number, digest in rows}


def check_applied(applied: dict[int, str], known: list[Migration], path: Path | str) -> None:
    """Raises StoreRefused where a store holds a migration that is not known, or another one."""
    digests = {migration.number: migration.digest for migration in known}
    for number, digest in applied.items():
        if number not in digests:
            raise StoreRefused(
                f"数据库由更新版本的 Hupan 写入，请升级程序 / {path} was written by a newer "
                f"Hupan (migration {number:04}): upgrade the program"
            )
        if digests[number] != digest:
            raise StoreRefused(
                f"数据库迁移 {number:04} 与程序不一致 / migration {number:04} of {path} "
                "differs from the one this version knows"
            )


def _keep_copy(connection: apsw.Connection, known: list[Migration], path: Path) -> None:
    """Copies a file in use before the first missing migration, whole or not at all."""
    applied = _applied(connection)
    missing = [migration.number for migration in known if migration.number not in applied]
    if not applied or not missing:
        return
    copy = path.with_name(f"{path.name}.before-{missing[0]:04}")
    draft = copy.with_name(f"{copy.name}.part")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    connection.execute("VACUUM INTO ?1", (str(draft),)).fetchall()
    draft.replace(copy)
