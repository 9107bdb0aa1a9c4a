"""Restores backups into an empty place, completely or not at all, after checking them."""

import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from hupan.admin.backups import (
    STATEMENT_TIMEOUT_SECONDS,
    BackupSummary,
    read_backup,
    refusing,
    verify_backup,
)
from hupan.age import Opener
from hupan.config import Settings
from hupan.crypto import key_fingerprint, load_existing_key
from hupan.opening import (
    create_folder,
    make_picture_files,
    open_current_database,
    open_server_database,
    read_applied_migrations,
)
from hupan.ownership import chown_new_file, chown_tree
from hupan.store.backup_format import ArchiveReader, BackupError, Manifest, Member
from hupan.store.backup_places import ensure_free, move_without_overwriting
from hupan.store.backups import (
    StagedStore,
    copy_into,
    ensure_empty,
    opened_copy,
    remove_file,
)
from hupan.store.database import Database, Row
from hupan.store.integrity import check_file
from hupan.store.locks import StoreLock
from hupan.store.media_files import PictureFiles
from hupan.store.running_servers import ensure_no_servers

_STAGED_SUFFIX = ".restoring"
_SPARE_BYTES = 32 * 1024 * 1024
_ROW_OVERHEAD_BYTES = 400
_CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """What an operator chose.

    Attributes:
        keep_sessions: whether users stay signed in.
        accept_faults: whether rows that break an invariant are restored as they are.
    """

    keep_sessions: bool = False
    accept_faults: bool = False


async def prepare_restore(settings: Settings, file: BinaryIO, opener: Opener) -> BackupSummary:
    """Check that a whole backup can be restored where the settings say; change nothing.

    Raises:
        OperationRefused: the backup is damaged, or something is there already.
    """
    with refusing():
        _ensure_nothing_there(settings)
        if settings.is_postgres and await read_applied_migrations(settings):
            async with _opened_target(settings):
                pass  # it is empty; one without tables gets them only with the rows
        summary = await verify_backup(file, opener)
        _ensure_same_key_or_none(settings, summary.manifest)
        _ensure_room(settings, summary)
        return summary


async def restore_backup(
    settings: Settings, file: BinaryIO, opener: Opener, options: RestoreOptions
) -> list[str]:
    """Restore a backup that was checked before; return the faults of its rows.

    Raises:
        OperationRefused: it cannot be restored; nothing is left of it.
    """
    with refusing():
        create_folder(settings.data_dir)
        create_folder(settings.secret_key_path.parent)
        async with _reserved_target(settings) as target:
            staged = _staged_path(settings)
            remove_file(staged)
            restore = _Restore(settings, staged, make_picture_files(settings))
            try:
                file.seek(0)
                summary = await read_backup(file, opener, restore, file.name)
                faults = await restore.finish(summary, options)
                await restore.publish(target)
            except BaseException:
                await restore.undo()
                raise
            finally:
                restore.close()
            return faults


class _Restore:
    """Receives the content of a backup: rows go into a new file, pictures to their place."""

    def __init__(self, settings: Settings, staged: Path, pictures: PictureFiles) -> None:
        self._settings = settings
        self._staged = staged
        self._pictures = pictures
        self._store: StagedStore | None = None
        self._secret = b""
        self._created_pictures: list[str] = []
        self._created_key = False

    def begin(self, manifest: Manifest, secret: bytes) -> None:
        self._secret = secret
        self._store = StagedStore(self._staged, manifest)

    def take_rows(self, table: str, rows: list[Row]) -> None:
        self._open_store().insert(table, rows)

    async def take_picture(self, member: Member, archive: ArchiveReader) -> None:
        """Store a picture, unless it is there: its random name stands for its content."""
        stem, _, extension = member.name.partition(".")
        found = await self._pictures.find(member.name)
        if found is not None and found.size == member.size:
            return
        if found is not None:
            raise BackupError(
                f"已有同名但不同的图片：{member.name}",
                f"a different picture of the same name exists: {member.name}",
            )
        with self._pictures.spool() as spooled:
            while piece := archive.read():
                spooled.write(piece)
            try:
                await self._pictures.put(member.name, spooled, _CONTENT_TYPES[extension])
            except FileExistsError:  # what a killed restore left of it
                await self._pictures.delete(stem)
                await self._pictures.put(member.name, spooled, _CONTENT_TYPES[extension])
        self._created_pictures.append(stem)

    async def finish(self, summary: BackupSummary, options: RestoreOptions) -> list[str]:
        """Check the rows; return the faults that the operator accepted."""
        await self._open_store().finish(summary.end, keep_sessions=options.keep_sessions)
        faults = await check_file(self._staged)
        if faults and not options.accept_faults:
            shown = "; ".join(faults[:5])
            raise BackupError(
                f"备份中的数据有误（{len(faults)} 处：{shown}）；"
                "若没有更好的备份，请加上 --accept-faults",
                f"the rows of the backup are damaged ({len(faults)} faults: {shown}); without a "
                "better backup, add --accept-faults",
            )
        return faults

    async def publish(self, target: Database | None) -> None:
        """Put key and store in place; the store comes last, and only then is anything restored."""
        settings = self._settings
        if not settings.secret_key_path.exists():
            self._write_key(settings.secret_key_path)
        if not settings.media_s3_url:
            chown_tree(settings.media_path)
        if target is not None:
            with opened_copy(self._staged) as source:
                await copy_into(target, source)
            remove_file(self._staged)
            return
        descriptor = os.open(self._staged, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            chown_new_file(descriptor, settings.database_path)
        finally:
            os.close(descriptor)
        if settings.database_path.exists():  # and is empty
            settings.database_path.unlink()
        try:
            move_without_overwriting(self._staged, settings.database_path)
        except OSError:
            if not self._staged.exists():  # it has its name, but not for certain
                remove_file(settings.database_path)
            raise

    async def undo(self) -> None:
        """Remove what was created."""
        if self._store is not None:
            self._store.remove()
        remove_file(self._staged)
        for stem in self._created_pictures:
            with suppress(OSError):
                await self._pictures.delete(stem)
        if self._created_key:
            self._settings.secret_key_path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _open_store(self) -> StagedStore:
        if self._store is None:
            raise BackupError("备份的内容不完整", "the content of the backup is incomplete")
        return self._store

    def _write_key(self, path: Path) -> None:
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                chown_new_file(file.fileno(), draft)
                file.write(self._secret)
                file.flush()
                os.fsync(file.fileno())
            ensure_free(path)
            self._created_key = True
            move_without_overwriting(draft, path)
        finally:
            if draft.exists():  # a key that has the name by now is not ours
                self._created_key = False
                draft.unlink()


@asynccontextmanager
async def _reserved_target(settings: Settings) -> AsyncIterator[Database | None]:
    """Keep servers from the target meanwhile; yield the database of a server, None for a file."""
    if not settings.is_postgres:
        lock = StoreLock(settings.database_path)
        try:
            _ensure_nothing_there(settings)
            yield None
        finally:
            lock.release()
        return
    async with _opened_target(settings) as database:
        if database is not None:
            await ensure_no_servers(database)
        yield database


@asynccontextmanager
async def _opened_target(settings: Settings) -> AsyncIterator[Database | None]:
    """Open an empty database of a server, which gets the tables; None for a file.

    An existing store is not migrated, whatever its version.
    """
    if not settings.is_postgres:
        yield None
        return
    patient = replace(settings, database_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)
    has_store = bool(await read_applied_migrations(patient))
    database = await (
        open_current_database(patient) if has_store else open_server_database(patient)
    )
    try:
        await ensure_empty(database)
        yield database
    finally:
        await database.close()


def _staged_path(settings: Settings) -> Path:
    path = settings.data_dir / "hupan.db" if settings.is_postgres else settings.database_path
    return path.with_name(path.name + _STAGED_SUFFIX)


def _ensure_nothing_there(settings: Settings) -> None:
    if settings.is_postgres:
        return
    path = settings.database_path
    found = [path] if path.exists() and path.stat().st_size else []
    found += [
        log
        for suffix in ("-wal", "-journal")
        if (log := path.with_name(path.name + suffix)).exists()
    ]
    if found:
        raise BackupError(
            f"已有数据库，不会覆盖：{found[0]}；请换一个目录，或先将其移走",
            f"the store {found[0]} exists and is not overwritten: choose another folder, or move "
            "it away",
        )


def _ensure_same_key_or_none(settings: Settings, manifest: Manifest) -> None:
    path = settings.secret_key_path
    if path.exists() and key_fingerprint(load_existing_key(path)) != manifest.key_fingerprint:
        raise BackupError(
            f"已有另一个密钥，不会覆盖：{path}；请换一个目录，或先将其移走",
            f"another key, {path}, exists and is not overwritten: choose another folder, or move "
            "it away",
        )


def _ensure_room(settings: Settings, summary: BackupSummary) -> None:
    """Raise unless the disk has room: a full one would be found only at the end."""
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    rows = sum(totals.rows for totals in summary.end.tables.values())
    needed = _SPARE_BYTES + summary.end.picture_bytes + rows * _ROW_OVERHEAD_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(
            f"磁盘空间不足：{folder} 约需 {needed // 2**20} MB，只剩 {free // 2**20} MB",
            f"not enough space in {folder}: about {needed // 2**20} MB are needed, and "
            f"{free // 2**20} MB are free",
        )
