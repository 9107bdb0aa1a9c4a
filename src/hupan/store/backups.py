"""Backups of a store: its rows at one moment, and a new SQLite file that holds them again.

A SQLite file is copied page by page first, which takes seconds; the copy is read afterwards,
so the server's log does not grow with the length of a backup. Each page is verified while it is
copied.

A restore always builds a SQLite file: with the schema that the backup had, so that a backup of an
older version takes the same migrations as its store would. Onto PostgreSQL the rows of that file
are copied in one transaction (decision 45).
"""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import msgspec

from hupan.store.backup_format import (
    END_NAME,
    KEY_NAME,
    MANIFEST_NAME,
    MAX_LISTED_FAULTS,
    PART_BYTES,
    PICTURE_FOLDER,
    TABLE_FOLDER,
    ArchiveWriter,
    BackupError,
    End,
    Manifest,
    RowCodec,
    differing_error,
)
from hupan.store.checksums import (
    get_checksum_vfs,
    localize_sqlite_error,
    reserve_checksum_bytes,
)
from hupan.store.copying import (
    TableTotals,
    fetch_next_rows,
    get_table_totals,
    insert_rows,
    make_insert,
)
from hupan.store.database import Database, Reader, Row, StoreRefused, Transaction
from hupan.store.media_files import PictureFiles
from hupan.store.migrate import Migration, list_migration_copies, load_migrations, migrate_file
from hupan.store.sqlite import SqliteExecutor, connect
from hupan.store.tables import Table, list_tables, read_schema_files

ID_GAP = 10_000
"""Ids that a restore leaves out: accounts newer than the backup may have had them."""
LAST_BACKUP_NAME, CLAIMED_NAME = "backup-done", "backup-begun"
CLAIM_BACKUP = f"""
INSERT INTO counters (name, value) VALUES ('{CLAIMED_NAME}', ?1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE counters.value <= ?2 OR counters.value > ?1
"""
HOLD_CLAIM = f"UPDATE counters SET value = ?1 WHERE name = '{CLAIMED_NAME}'"
FIND_LAST_BACKUP = f"SELECT value FROM counters WHERE name = '{LAST_BACKUP_NAME}'"
SET_LAST_BACKUP = f"""
INSERT INTO counters (name, value) VALUES ('{LAST_BACKUP_NAME}', ?1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
SKIP_ACCOUNT_IDS = f"UPDATE counters SET value = value + {ID_GAP} WHERE name = 'account'"
# What is in progress, or answers a request, belongs only to the moment of the backup.
END_PENDING = (
    "DELETE FROM codes",
    "DELETE FROM outbox",
    "DELETE FROM step_ups",
    "DELETE FROM session_ends",
    "DELETE FROM sockets",
    "DELETE FROM socket_processes",
)
END_SESSIONS = "DELETE FROM sessions"


async def find_last_backup(reader: Reader) -> int:
    """Return when the newest complete backup was made, 0 for never."""
    row = await reader.fetch_one(FIND_LAST_BACKUP)
    return 0 if row is None else int(row[0])


async def set_last_backup(tx: Transaction, created_at: int) -> None:
    await tx.execute(SET_LAST_BACKUP, created_at)


async def claim_backup(
    tx: Transaction, now: int, interval_seconds: int, retry_seconds: int
) -> bool:
    """Return whether a backup is due; at most one process gets True, until it may be retried."""
    if now - interval_seconds < await find_last_backup(tx) <= now:
        return False
    return await tx.execute(CLAIM_BACKUP, now, now - retry_seconds) == 1


async def hold_claim(tx: Transaction, now: int) -> None:
    """Record that the claimed backup is still being made."""
    await tx.execute(HOLD_CLAIM, now)


def copy_file(source: Path, copy: Path) -> None:
    """Copy a SQLite file that may be in use, as it is at one moment.

    Raises:
        BackupError: a page is damaged, or the disk failed.
    """
    reading = connect(source)
    try:
        create_private_file(copy)
        _begin_with_checksums(copy)
        writing = apsw.Connection(str(copy), vfs=get_checksum_vfs())
        try:
            writing.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF").fetchall()
            writing.pragma("schema_version")  # reads the first page
            with writing.backup("main", reading, "main") as backup:
                backup.step()
        finally:
            writing.close()
    except apsw.Error as error:
        raise _sqlite_error(error) from error
    finally:
        reading.close()


def _begin_with_checksums(copy: Path) -> None:
    """Write the first page of an empty file, which makes the VFS add checksums to all others.

    A copy larger than the page cache is not written in the order of its pages.
    """
    connection = apsw.Connection(str(copy), vfs=get_checksum_vfs())
    try:
        reserve_checksum_bytes(connection)
        connection.execute("PRAGMA user_version = 1").fetchall()
    finally:
        connection.close()


@contextmanager
def opened_copy(path: Path) -> Iterator[SqliteExecutor]:
    """Read a copy that nothing else has open.

    Raises:
        BackupError: it cannot be read.
    """
    connection = connect(path)
    try:
        yield SqliteExecutor(connection)
    except apsw.Error as error:
        raise _sqlite_error(error) from error
    finally:
        connection.close()


def remove_file(path: Path) -> None:
    """Remove a SQLite file and what belongs to it, if it is there."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def create_private_file(path: Path) -> None:
    """Create an empty file that only its owner can read.

    Raises:
        OSError: it exists, or cannot be created.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


async def write_rows(reader: Reader, archive: ArchiveWriter, tables: Sequence[Table]) -> None:
    """Write the rows of all tables; the reader must show one moment."""
    for table in tables:
        codec, part, number = RowCodec(table), bytearray(), 0
        async for row in _walk(reader, table):
            part += codec.encode(row)
            if len(part) >= PART_BYTES:
                archive.add(f"{TABLE_FOLDER}/{table.name}/{number:06}.jsonl", bytes(part))
                part.clear()
                number += 1
        if part:
            archive.add(f"{TABLE_FOLDER}/{table.name}/{number:06}.jsonl", bytes(part))


async def list_picture_names(reader: Reader) -> AsyncIterator[str]:
    """Yield the name of each file that a picture has."""
    table = next(table for table in list_tables() if table.name == "pictures")
    index = [column.name for column in table.columns].index("name")
    async for row in _walk(reader, table):
        if row[index]:
            yield str(row[index])


async def _walk(reader: Reader, table: Table) -> AsyncIterator[Row]:
    columns = [column.name for column in table.columns]
    key = [columns.index(name) for name in table.primary_key]
    last: Row | None = None
    while rows := await fetch_next_rows(reader, table, last):
        for row in rows:
            yield row
        last = tuple(rows[-1][index] for index in key)


async def write_archive(
    reader: Reader,
    archive: ArchiveWriter,
    manifest: Manifest,
    secret: bytes,
    pictures: PictureFiles | None,
    faults: Sequence[str],
) -> End:
    """Write a whole archive.

    Args:
        reader: shows the store at one moment.
        archive: takes the members.
        manifest: what the backup declares.
        secret: the server's key.
        pictures: the files of pictures; None to leave them out.
        faults: what an integrity check of the rows found.

    Raises:
        OSError: a picture cannot be read, or the archive cannot be written.
    """
    archive.add(MANIFEST_NAME, msgspec.json.encode(manifest))
    archive.add(KEY_NAME, secret)
    await write_rows(reader, archive, manifest.tables)
    totals = await count_totals(reader, manifest.tables)
    count = size = missing = 0
    if pictures is not None:
        async for name in list_picture_names(reader):
            written = await _write_picture(archive, pictures, name)
            missing += written is None
            count += written is not None
            size += written or 0
    end = End(totals, count, size, missing, tuple(faults[:MAX_LISTED_FAULTS]))
    archive.add(END_NAME, msgspec.json.encode(end))
    archive.finish()
    return end


async def _write_picture(archive: ArchiveWriter, files: PictureFiles, name: str) -> int | None:
    """Write a picture; return its size, None if it was deleted since the moment of the rows."""
    picture = await files.find(name)
    if picture is None:
        return None
    archive.begin(picture_member(name), picture.size)
    archive.write(picture.start[: picture.size])
    done = len(picture.start)
    while done < picture.size:
        piece = await files.read(name, done)
        archive.write(piece)
        done += len(piece)
    return picture.size


async def count_totals(reader: Reader, tables: Sequence[Table]) -> dict[str, TableTotals]:
    return {table.name: await get_table_totals(reader, table) for table in tables}


def picture_member(name: str) -> str:
    return f"{PICTURE_FOLDER}/{name}"


def check_restorable(manifest: Manifest) -> list[Migration]:
    """Return the migrations that the store of a backup had.

    Raises:
        BackupError: this version does not know them all, or they made other tables.
    """
    known = load_migrations()
    newest = max(manifest.migrations, default=0)
    if newest > known[-1].number:
        raise BackupError(
            f"备份由更新版本的湖畔写入（{manifest.hupan}，迁移 {newest:04}），请升级程序",
            f"a newer Hupan made this backup ({manifest.hupan}, migration {newest:04}): "
            "upgrade the program",
        )
    had = [migration for migration in known if migration.number <= newest]
    names = [name for name, _ in read_schema_files() if int(name.partition("_")[0]) <= newest]
    if (
        [one.number for one in had] != sorted(manifest.migrations)
        or not had
        or (list_tables(names[-1]) != manifest.tables)
    ):
        raise BackupError(
            "备份的数据表与本程序的不一致",
            "the tables of the backup differ from those of this version",
        )
    return had


class StagedStore:
    """A new SQLite file, filled from a backup; nothing uses it before it is whole.

    Args:
        path: the path of the file, which must not exist.
        manifest: the manifest of the backup.

    Raises:
        BackupError: the backup does not fit this version, or the disk failed.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._path = path
        migrations = check_restorable(manifest)
        self._tables = {table.name: table for table in manifest.tables}
        create_private_file(path)
        try:
            migrate_file(path, migrations)
            self._connection = connect(path)
            self._connection.execute("PRAGMA synchronous = OFF").fetchall()
            self._connection.execute("PRAGMA journal_mode = MEMORY").fetchall()
            self._connection.execute("BEGIN IMMEDIATE").fetchall()
            for name in self._tables:
                self._connection.execute(f"DELETE FROM {name}").fetchall()
        except (apsw.Error, StoreRefused) as error:
            raise _sqlite_error(error) from error

    def insert(self, name: str, rows: Sequence[Row]) -> None:
        """Insert rows of a table.

        Raises:
            BackupError: the table cannot have them.
        """
        try:
            self._connection.executemany(make_insert(self._tables[name]), rows).fetchall()
        except apsw.Error as error:
            raise _sqlite_error(error) from error

    async def finish(self, end: End, *, keep_sessions: bool) -> None:
        """Check the rows against the backup, migrate them, and end what must not survive.

        Raises:
            BackupError: rows differ, or the disk failed.
        """
        try:
            self._connection.execute("COMMIT").fetchall()
            found = await count_totals(
                SqliteExecutor(self._connection), list(self._tables.values())
            )
            if found != end.tables:
                raise differing_error(
                    [name for name in found if found[name] != end.tables.get(name)]
                )
            self._connection.close()
            migrate_file(self._path)
            self._end_pending(keep_sessions=keep_sessions)
        except (apsw.Error, StoreRefused) as error:
            raise _sqlite_error(error) from error

    def close(self) -> None:
        """Close the file; it stays."""
        self._connection.close()

    def remove(self) -> None:
        """Remove the file, and the copies that migrations made of it."""
        with suppress(AttributeError):  # it could not even be opened
            self._connection.close()
        remove_file(self._path)
        self._remove_copies()

    def _end_pending(self, *, keep_sessions: bool) -> None:
        self._remove_copies()
        connection = connect(self._path)
        try:
            statements = (*END_PENDING, *(() if keep_sessions else (END_SESSIONS,)))
            connection.execute("BEGIN IMMEDIATE").fetchall()
            for sql in (*statements, SKIP_ACCOUNT_IDS):
                connection.execute(sql).fetchall()
            connection.execute("COMMIT").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
        flush_path(self._path)

    def _remove_copies(self) -> None:
        for copy in list_migration_copies(self._path):
            copy.unlink()


def flush_path(path: Path) -> None:
    """Write a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def copy_into(target: Database, source: Reader) -> None:
    """Copy all rows into an empty store in one transaction, which servers see whole or not at all.

    Raises:
        StoreRefused: the target is not empty, or rows differ afterwards.
        StoreUnavailable: the database failed; nothing was written.
    """

    async def change(tx: Transaction) -> None:
        await ensure_empty(tx)
        for table in list_tables():
            await tx.execute(f"DELETE FROM {table.name}")
            last: Row | None = None
            key = [[one.name for one in table.columns].index(name) for name in table.primary_key]
            while rows := await fetch_next_rows(source, table, last):
                await insert_rows(tx, table, rows)
                last = tuple(rows[-1][index] for index in key)
            if await get_table_totals(tx, table) != await get_table_totals(source, table):
                raise StoreRefused(
                    f"写入后行数或校验和不一致：{table.name}",
                    f"row counts or checksums differ after writing: {table.name}",
                )

    await target.run_transaction(change)


async def ensure_empty(reader: Reader) -> None:
    """Raise StoreRefused if a store has any rows but those of its schema."""
    for table in list_tables():
        if table.name != "counters" and await reader.fetch_one(
            f"SELECT 1 FROM {table.name} LIMIT 1"
        ):
            raise StoreRefused(
                f"目标数据库不是空的（{table.name}），不会覆盖；请换一个空数据库",
                f"the database is not empty ({table.name}) and is not overwritten: choose an empty "
                "one",
            )


def _sqlite_error(error: apsw.Error | StoreRefused) -> BackupError:
    if isinstance(error, StoreRefused):
        return BackupError.wrap(error)
    if isinstance(error, apsw.ConstraintError | apsw.MismatchError):
        return BackupError(
            "备份中的行不符合数据表的约束", "rows of the backup violate a constraint of their table"
        )
    text = localize_sqlite_error(error)
    return BackupError(text.zh, text.en)
