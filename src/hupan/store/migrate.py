"""Migrations of a SQLite file: numbered files in `schema/`, applied in order, never edited.

Until migration 10 the strict profile kept `a@xn--fiq228c.com` as `a@中文.com`, which no mail server
accepts without SMTPUTF8: codes were reported as sent but never left, and the lenient profile knew
the same address as a different one.

A migration may have a Python step for what SQL cannot do; it runs after the file, in the same
transaction, and is pure.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from hupan.addresses import to_ascii_domain
from hupan.store.checksums import enable_checksums, localize_sqlite_error
from hupan.store.database import Row, StoreRefused, Value
from hupan.store.sqlite import connect
from hupan.store.tables import read_schema_files
from hupan.store.wal import check_wal_intact

BoundStatement = tuple[str, tuple[Value, ...]]


def _is_not_ascii(column: str) -> str:
    return f"octet_length({column}) > length({column})"


ASCII_DOMAIN_READS = (
    # The oldest account first: of two addresses that become equal it keeps its own.
    f"""
SELECT value, account_id FROM identities WHERE kind = 'email' AND {_is_not_ascii("value")}
ORDER BY account_id, value
""",
    "SELECT value FROM identities WHERE kind = 'email' AND value LIKE '%@%xn--%'",
    f"SELECT id, email FROM accounts WHERE {_is_not_ascii('email')} ORDER BY id",
    f"""
SELECT account_id, number, old_address, new_address FROM contact_changes
WHERE channel = 'email'
  AND ({_is_not_ascii("old_address")} OR {_is_not_ascii("new_address")})
ORDER BY account_id, number
""",
)
# In two steps: a database that is spread by the value does not let it change.
_INSERT_EMAIL_IDENTITY = "INSERT INTO identities (kind, value, account_id) VALUES ('email', ?1, ?2)"
_DELETE_EMAIL_IDENTITY = "DELETE FROM identities WHERE kind = 'email' AND value = ?1"
_SET_ACCOUNT_EMAIL = "UPDATE accounts SET email = ?2 WHERE id = ?1"
_UPDATE_CONTACT_CHANGE = (
    "UPDATE contact_changes SET old_address = ?3, new_address = ?4 "
    "WHERE account_id = ?1 AND number = ?2"
)
_INSERT_GIVEN_UP_EMAIL = """
INSERT INTO contact_changes
  (account_id, number, channel, old_address, new_address, changed_at, is_proven)
SELECT ?1, coalesce(max(number), 0) + 1, 'email', ?2, '', ?3, 1
FROM contact_changes WHERE account_id = ?1
"""
_log = logging.getLogger("hupan.store")


def ascii_domain_statements(rows: Sequence[Sequence[Row]], now: int) -> Iterator[BoundStatement]:
    """Yield the statements that bring the rows of `ASCII_DOMAIN_READS` to the ASCII form, in order.

    An account that has the ASCII form already keeps it, because mail reached no other one;
    otherwise the oldest account does. An account that loses its address keeps everything else: the
    log names it, and its contact changes show the address, so that it can be restored once it is
    free.
    """
    identities, taken_rows, accounts, changes = rows
    taken = {str(value) for (value,) in taken_rows}
    lost: set[tuple[Value, str]] = set()
    for value, account in identities:
        kept = to_ascii_domain(str(value))
        if kept == value:
            continue
        yield _DELETE_EMAIL_IDENTITY, (value,)
        if kept in taken:
            lost.add((account, kept))
        else:
            taken.add(kept)
            yield _INSERT_EMAIL_IDENTITY, (kept, account)
    for account, email in accounts:
        kept = to_ascii_domain(str(email))
        if (account, kept.lower()) in lost:
            _log.warning(
                "account %s lost an e-mail address that another account has in its ASCII form: see "
                "hupan account contacts %s",
                account,
                account,
            )
            yield _INSERT_GIVEN_UP_EMAIL, (account, kept, now)
            yield _SET_ACCOUNT_EMAIL, (account, "")
        elif kept != email:
            yield _SET_ACCOUNT_EMAIL, (account, kept)
    for account, number, old, new in changes:
        yield (
            _UPDATE_CONTACT_CHANGE,
            (account, number, to_ascii_domain(str(old)), to_ascii_domain(str(new))),
        )


PICTURE_KEY_READS = ("SELECT client_key, account_id, claimed_at FROM pictures",)
_INSERT_PICTURE_KEY = (
    "INSERT INTO picture_keys (client_key, holder, claimed_at) VALUES (?1, ?2, ?3)"
)


def picture_key_statements(rows: Sequence[Sequence[Row]], _now: int) -> Iterator[BoundStatement]:
    """Fill the keys of the existing pictures: the tables are on different machines."""
    for client_key, account, claimed_at in rows[0]:
        yield _INSERT_PICTURE_KEY, (client_key, account, claimed_at)


CREATE_MIGRATIONS_TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """Python's part of a migration.

    Attributes:
        reads: queries that run first.
        statements: what runs then; depends only on these rows and the time.
    """

    reads: tuple[str, ...]
    statements: Callable[[Sequence[Sequence[Row]], int], Iterable[BoundStatement]]


MIGRATION_STEPS: Mapping[tuple[int, str], MigrationStep] = {
    (10, "ascii_domains"): MigrationStep(ASCII_DOMAIN_READS, ascii_domain_statements),
    (21, "drafts_and_picture_keys"): MigrationStep(PICTURE_KEY_READS, picture_key_statements),
}


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `0001_accounts.sql` is number 1, name `accounts`."""

    number: int
    name: str
    sql: str

    @property
    def step(self) -> MigrationStep | None:
        """The Python step that runs after the file."""
        return MIGRATION_STEPS.get((self.number, self.name))

    @property
    def digest(self) -> str:
        """The hash that detects an edited migration."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations(engine: str = "sqlite") -> list[Migration]:
    """Return all migrations that this version knows, in order."""
    return [_parse_migration(name, sql) for name, sql in read_schema_files(engine)]


def _parse_migration(file_name: str, sql: str) -> Migration:
    number, name = file_name.removesuffix(".sql").split("_", 1)
    return Migration(int(number), name, sql)


def migrate_file(path: Path, known: list[Migration] | None = None) -> list[Migration]:
    """Apply the missing migrations to a SQLite file; return them.

    A copy of the file, `<name>.before-0002`, is kept before a migration touches one that is in use.

    Raises:
        StoreRefused: the file is newer than this version, a landed migration was edited, or
            the machine failed; the file is as it was.
    """
    known = load_migrations() if known is None else known
    connection = connect(path)
    try:
        applied = read_applied(connection)
        check_migrations_known(applied, known, path)
        _back_up_before_migration(connection, known, path)
        if applied:
            enable_checksums(connection)
        missing = _apply_missing(connection, known, path)
        # Remains of a crash at the end of the log must not look like damage after the next one.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except apsw.Error as error:
        reason = localize_sqlite_error(error)
        raise StoreRefused(
            f"无法升级数据库 {path}：{reason.zh}", f"cannot migrate {path}: {reason.en}"
        ) from error
    finally:
        connection.close()
    return missing


def load_applied_from_file(path: Path) -> dict[int, str]:
    """Return number and digest of each migration in a file.

    Raises:
        StoreRefused: there is no file, or it cannot be read; nothing was created.
    """
    if not path.exists():
        raise StoreRefused(
            f"没有数据库：{path}；请检查 --data-dir 与 --config，或用 hupan database create 新建",
            f"there is no store: {path}; check --data-dir and --config, or make an empty one with "
            "hupan database create",
        )
    check_wal_intact(path)
    connection = connect(path)
    try:
        return read_applied(connection)
    except apsw.Error as error:
        reason = localize_sqlite_error(error)
        raise StoreRefused(
            f"无法读取数据库 {path}：{reason.zh}", f"cannot read the store {path}: {reason.en}"
        ) from error
    finally:
        connection.close()


def check_file_current(path: Path) -> None:
    """Raise unless the store is at this version.

    Raises:
        StoreRefused: there is none, it is older or newer, or it cannot be read; nothing was
            created.
    """
    known, applied = load_migrations(), load_applied_from_file(path)
    check_all_applied(applied, known, path)


def check_all_applied(applied: dict[int, str], known: list[Migration], store: Path | str) -> None:
    """Raise StoreRefused unless exactly the known migrations were applied to a store."""
    check_migrations_known(applied, known, store)
    if len(applied) < len(known):
        raise StoreRefused(
            f"数据库 {store} 尚未升级，请先运行 hupan database migrate",
            f"{store} is not up to date: run hupan database migrate",
        )


def _apply_missing(
    connection: apsw.Connection, known: list[Migration], path: Path
) -> list[Migration]:
    """Apply the missing migrations in one transaction, all or none."""
    connection.execute("BEGIN IMMEDIATE").fetchall()
    try:
        connection.execute(CREATE_MIGRATIONS_TABLE).fetchall()
        applied = read_applied(connection)
        check_migrations_known(applied, known, path)
        missing = [migration for migration in known if migration.number not in applied]
        for migration in missing:
            connection.execute(migration.sql).fetchall()
            _run_step(connection, migration.step)
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


def _run_step(connection: apsw.Connection, step: MigrationStep | None) -> None:
    if step is not None:
        rows = [connection.execute(sql).fetchall() for sql in step.reads]
        for sql, values in step.statements(rows, int(time.time())):
            connection.execute(sql, values).fetchall()


def read_applied(connection: apsw.Connection) -> dict[int, str]:
    """Return number and digest of each migration in the file."""
    exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'"
    if not connection.execute(exists).fetchall():
        return {}
    rows = connection.execute("SELECT number, digest FROM migrations").fetchall()
    return {int(str(number)): str(digest) for number, digest in rows}


def check_migrations_known(
    applied: dict[int, str], known: list[Migration], path: Path | str
) -> None:
    """Raise StoreRefused if a store has a migration that is unknown or differs from ours."""
    digests = {migration.number: migration.digest for migration in known}
    for number, digest in applied.items():
        if number not in digests:
            raise StoreRefused(
                f"数据库 {path} 由更新版本的湖畔写入（迁移 {number:04}），请升级程序",
                f"{path} was written by a newer Hupan (migration {number:04}): upgrade the program",
            )
        if digests[number] != digest:
            raise StoreRefused(
                f"数据库 {path} 的迁移 {number:04} 与本版本的不一致",
                f"migration {number:04} of {path} differs from that of this version",
            )


_COPY_SUFFIX = ".before-"


def list_migration_copies(path: Path) -> list[Path]:
    """Return the copies of a file that migrations kept."""
    return sorted(path.parent.glob(f"{path.name}{_COPY_SUFFIX}*"))


def _back_up_before_migration(
    connection: apsw.Connection, known: list[Migration], path: Path
) -> None:
    """Copy a file in use before the first missing migration, whole or not at all."""
    applied = read_applied(connection)
    missing = [migration.number for migration in known if migration.number not in applied]
    if not applied or not missing:
        return
    copy = path.with_name(f"{path.name}{_COPY_SUFFIX}{missing[0]:04}")
    draft = copy.with_name(f"{copy.name}.part")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    connection.execute("VACUUM INTO ?1", (str(draft),)).fetchall()
    draft.replace(copy)
