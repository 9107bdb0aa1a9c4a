"""Backups: made while the server runs, checked by reading them back, and restored (security L6)."""

import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from hupan import __version__
from hupan.age import (
    AgeError,
    DecryptingReader,
    EncryptingWriter,
    Identity,
    InvalidKeyError,
    Opener,
    Passphrase,
    Recipient,
    parse_identity,
    parse_public_key,
)
from hupan.config import Settings
from hupan.config.load import SecretFileError, read_secret_file
from hupan.crypto import KEY_BYTES, KeyFileError, key_fingerprint, load_existing_key
from hupan.model import StoreUnavailable
from hupan.opening import (
    OperationRefused,
    make_backup_place,
    make_picture_files,
    open_for_admin,
    read_snapshot,
)
from hupan.ownership import chown_new_file
from hupan.rules import DAY_SECONDS
from hupan.store.backup_format import (
    FORMAT,
    PART_BYTES,
    ArchiveReader,
    ArchiveWriter,
    BackupError,
    End,
    Inspector,
    Manifest,
    Member,
    decode_end,
    decode_manifest,
)
from hupan.store.backup_places import (
    StoredBackup,
    ensure_free,
    make_backup_name,
    move_without_overwriting,
    parse_backup_time,
    select_surplus,
)
from hupan.store.backups import (
    check_restorable,
    set_last_backup,
    write_archive,
)
from hupan.store.database import Database, Reader, Row, StoreRefused
from hupan.store.identity import read_identity
from hupan.store.integrity import check_file
from hupan.store.migrate import load_migrations
from hupan.store.tables import list_tables

STATEMENT_TIMEOUT_SECONDS = 24 * 3600
"""One statement counts all rows of a table."""
_FAILURES = (
    *(AgeError, BackupError, KeyFileError, InvalidKeyError),
    *(StoreRefused, StoreUnavailable, OSError),
)


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup contains.

    Attributes:
        place: where it is.
        size: the size of the file in bytes.
        manifest: what it declares.
        end: what it was found to contain.
    """

    place: str
    size: int
    manifest: Manifest
    end: End

    @property
    def accounts(self) -> int:
        return self.end.tables["accounts"].rows


@contextmanager
def refusing() -> Iterator[None]:
    """Raise OperationRefused for errors of making, reading and restoring backups."""
    try:
        yield
    except _FAILURES as error:
        raise OperationRefused.wrap(error) from error


def choose_recipient(settings: Settings) -> Recipient:
    """Return the recipient of new backups: a public key or a passphrase.

    Raises:
        OperationRefused: neither a public key nor a passphrase is set.
    """
    if settings.backup_public_key:
        return parse_public_key(settings.backup_public_key)
    if settings.backup_passphrase:
        return Passphrase(settings.backup_passphrase)
    raise OperationRefused(
        "备份必须加密：请设置 backup_public_key，或用 HUPAN_BACKUP_PASSPHRASE 提供口令",
        "a backup is always encrypted: set backup_public_key or HUPAN_BACKUP_PASSPHRASE",
    )


def choose_opener(settings: Settings, key_file: Path | None) -> Opener:
    """Return what decrypts a backup: the private key of a file, or the passphrase.

    Raises:
        OperationRefused: neither is given, or the file holds no key.
    """
    if key_file is not None:
        try:
            return parse_identity(read_secret_file(str(key_file)))
        except SecretFileError as error:
            raise OperationRefused(
                f"无法使用私钥文件 {key_file}：应为{error.expected.zh}",
                f"cannot use {key_file}: expected {error.expected.en}",
            ) from error
        except InvalidKeyError as error:
            raise OperationRefused.wrap(error) from error
    if settings.backup_passphrase:
        return Passphrase(settings.backup_passphrase)
    raise OperationRefused(
        "请用 --key-file 指定私钥文件，或用 HUPAN_BACKUP_PASSPHRASE 提供口令",
        "specify the private key file with --key-file, or set HUPAN_BACKUP_PASSPHRASE",
    )


def create_key(path: Path) -> str:
    """Write a new private key to a file that must not exist; return its public key.

    Raises:
        OperationRefused: the file exists, or cannot be written.
    """
    identity = Identity.generate()
    text = f"# public key: {identity.public_key}\n{identity.secret_text()}\n"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o600), "w") as file:
            chown_new_file(file.fileno(), path)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OperationRefused.wrap(error) from error
    return str(identity.public_key)


async def create_backup(settings: Settings, path: Path | None = None) -> BackupSummary:
    """Create a backup of the store, its key and its pictures, and read it back.

    A server may run at the same time.

    Args:
        settings: those of the store, and the public key or passphrase of the backup.
        path: the file to write, which must not exist; None for a new name in `backup_dir` or the
            bucket.

    Raises:
        OperationRefused: the backup cannot be created; no part of it is left.
    """
    recipient = choose_recipient(settings)
    created_at = int(time.time())
    with refusing():
        place = make_backup_place(settings)
        name = make_backup_name(created_at) if path is None else path.name
        draft_name = f".hupan-{secrets.token_hex(8)}.part"
        draft = (place.draft_folder() if path is None else path.parent) / draft_name
        if path is not None:
            ensure_free(path)
        _remove_leftovers(settings.data_dir, draft.parent)
        try:
            summary = await _write_and_check(settings, recipient, draft, created_at)
            if path is None:
                stored = place.store(draft, name)
            else:
                move_without_overwriting(draft, path)
                stored = str(path)
        finally:
            draft.unlink(missing_ok=True)
    async with _opened(settings) as database:
        await database.run_transaction(lambda tx: set_last_backup(tx, created_at))
    return replace(summary, place=stored)


def _remove_leftovers(*folders: Path) -> None:
    """Remove the files of backups and upgrade trials that were killed at least a day ago."""
    for folder in folders:
        for pattern in (".backup-*.db*", ".upgrade-*.db*", ".hupan-*.part"):
            for path in folder.glob(pattern):
                with suppress(FileNotFoundError):  # another backup removes them, too
                    if path.stat().st_mtime < time.time() - DAY_SECONDS:
                        path.unlink()


async def _write_and_check(
    settings: Settings, recipient: Recipient, draft: Path, created_at: int
) -> BackupSummary:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(draft, flags, 0o600), "w+b") as file:
        chown_new_file(file.fileno(), draft)
        async with _opened(settings) as database:
            file_key = await _write(settings, database, recipient, file, created_at)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        return await read_backup(file, file_key, Checker(), str(draft))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    patient = replace(settings, database_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)
    async with open_for_admin(patient) as database:
        yield database


async def _write(
    settings: Settings, database: Database, recipient: Recipient, file: BinaryIO, created_at: int
) -> bytes:
    """Write a backup to an open file; return the key of the file."""
    identity = await read_identity(database)
    if identity.is_being_copied:
        raise StoreRefused(
            "该数据库的复制尚未完成，不能备份",
            "a copy into this store is not complete, so it cannot be backed up",
        )
    secret = load_existing_key(settings.secret_key_path)
    engine = "postgres" if settings.is_postgres else "sqlite"
    manifest = Manifest(
        FORMAT,
        __version__,
        created_at,
        engine,
        tuple(migration.number for migration in load_migrations()),
        list_tables(),
        key_fingerprint(secret),
    )
    pictures = make_picture_files(settings) if settings.backup_pictures else None
    scratch = settings.data_dir / f".backup-{secrets.token_hex(8)}.db"
    writer = EncryptingWriter(file, recipient)

    async def write(reader: Reader) -> None:
        faults = [] if settings.is_postgres else await check_file(scratch)
        await write_archive(reader, ArchiveWriter(writer), manifest, secret, pictures, faults)

    await read_snapshot(settings, database, scratch, write)
    writer.finish()
    return writer.file_key


class Sink(Protocol):
    """Receives the content of a backup while it is read."""

    def begin(self, manifest: Manifest, secret: bytes) -> None: ...

    def take_rows(self, table: str, rows: list[Row]) -> None: ...

    async def take_picture(self, member: Member, archive: ArchiveReader) -> None: ...


class Checker:
    """Discards the content: a backup is only checked."""

    def begin(self, manifest: Manifest, secret: bytes) -> None:
        """Do nothing."""

    def take_rows(self, table: str, rows: list[Row]) -> None:
        """Do nothing."""

    async def take_picture(self, member: Member, archive: ArchiveReader) -> None:
        """Do nothing: what is not read is skipped, and authenticated all the same."""


async def read_backup(
    file: BinaryIO, opener: Opener | bytes, sink: Sink, place: str
) -> BackupSummary:
    """Read a backup to its end, and pass on its content.

    Raises:
        AgeError, BackupError: it cannot be decrypted, was cut or altered, or is not complete.
    """
    size = os.fstat(file.fileno()).st_size
    archive = ArchiveReader(DecryptingReader(file, opener), size)
    manifest = decode_manifest(_read_member(archive, "manifest"))
    inspector = Inspector(manifest)
    secret = _read_member(archive, "key")
    if len(secret) != KEY_BYTES or key_fingerprint(secret) != manifest.key_fingerprint:
        raise BackupError("备份中的密钥不完整", "the key in the backup is incomplete")
    sink.begin(manifest, secret)
    while (member := archive.next_member()).kind != "end":
        if member.kind == "table":
            for lines in _split_lines(archive):
                sink.take_rows(member.name, inspector.decode_rows(member.name, lines))
        elif member.kind == "picture":
            inspector.count_picture(member.size)
            await sink.take_picture(member, archive)
    end = decode_end(archive.read_all())
    archive.finish()
    inspector.check_end(end)
    return BackupSummary(place, size, manifest, end)


def _split_lines(archive: ArchiveReader) -> Iterator[bytes]:
    """Yield the lines of a member, about a megabyte at a time: short rows take much memory."""
    rest = b""
    while piece := archive.read(PART_BYTES):
        lines, end, rest = (rest + piece).rpartition(b"\n")
        yield lines + end
    yield rest


def _read_member(archive: ArchiveReader, kind: str) -> bytes:
    member = archive.next_member()
    if member.kind != kind:
        raise BackupError("备份的内容不完整", "the content of the backup is incomplete")
    return archive.read_all()


def list_backups(settings: Settings) -> list[StoredBackup]:
    """Return the backups where the settings put them, newest first.

    Raises:
        OperationRefused: they cannot be listed.
    """
    with refusing():
        found = make_backup_place(settings).list_backups()
    return sorted(found, key=lambda backup: (backup.created_at, backup.name), reverse=True)


def delete_old_backups(settings: Settings, made: BackupSummary) -> int:
    """Delete the oldest backups beyond those to keep; return how many were deleted.

    Args:
        settings: where backups are, and how many to keep.
        made: just now; it stays.

    Raises:
        OperationRefused: they cannot be listed or deleted.
    """
    with refusing():
        place = make_backup_place(settings)
        surplus = select_surplus(
            place.list_backups(), settings.backup_keep, made.place.rpartition("/")[2]
        )
        for backup in surplus:
            place.delete(backup.name)
    return len(surplus)


@contextmanager
def opened_backup(settings: Settings, name: str) -> Iterator[BinaryIO]:
    """Open a backup by the path of its file, or by its name where the settings put backups.

    Raises:
        OperationRefused: there is none.
    """
    with refusing():
        path = Path(name)
        if path.exists() or parse_backup_time(name) is None:
            with path.open("rb") as file:
                yield file
            return
        place = make_backup_place(settings)
        fetched = place.fetch(name)
        try:
            with fetched.open("rb") as file:
                yield file
        finally:
            place.release(fetched)


async def verify_backup(file: BinaryIO, opener: Opener) -> BackupSummary:
    """Read a backup to its end, and check that this version can restore it.

    Raises:
        OperationRefused: it cannot.
    """
    with refusing():
        file.seek(0)
        summary = await read_backup(file, opener, Checker(), str(file.name))
        check_restorable(summary.manifest)
        return summary
