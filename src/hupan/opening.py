"""Prepares, opens and identifies the store that the settings name, for servers and commands.

A command does not take the server's lock (security R14 b): SQLite lets both write in turn, so its
changes must be short. It never migrates, because a running server could not use the store then.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from hupan.clock import SystemClock
from hupan.config import Settings
from hupan.crypto import (
    SANDBOX_KEY,
    KeyFileError,
    SecretBox,
    check_key_is_secret,
    key_fingerprint,
    load_existing_key,
    load_or_create_key,
)
from hupan.library_errors import localize_reason
from hupan.localized import LocalizedError
from hupan.model import StoreUnavailable
from hupan.ownership import chown_to_folder_owner
from hupan.store.backup_places import BackupPlace, BucketPlace, FolderPlace
from hupan.store.backups import copy_file, opened_copy, remove_file
from hupan.store.citus import is_distributed
from hupan.store.database import Database, MeasuredDatabase, Reader, Result, StoreRefused
from hupan.store.identity import (
    StoreIdentity,
    check_key_exists,
    check_same_key,
    check_same_kind,
    check_store_exists,
    claim_store,
    read_file_identity,
    read_identity,
    read_identity_without_writing,
)
from hupan.store.integrity import SETTLE_SECONDS, check_file, check_rows
from hupan.store.locks import StoreLock, check_is_sqlite_file, check_not_open_by_other_path
from hupan.store.media_files import LocalPictureFiles, PictureFiles
from hupan.store.migrate import check_file_current, load_applied_from_file, migrate_file
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.repair import repair_before_start, repair_while_serving
from hupan.store.s3_files import S3Bucket, S3PictureFiles
from hupan.store.sqlite import SqliteDatabase
from hupan.store.wal import check_wal_intact


def may_have_store(settings: Settings) -> bool:
    """Return whether the settings can name an existing store; a wrong folder stays empty."""
    return settings.is_postgres or settings.database_path.exists()


async def read_applied_migrations(settings: Settings) -> dict[int, str]:
    """Return number and digest of each migration in the store.

    Raises:
        StoreRefused: there is no store, or it cannot be read.
        StoreUnavailable: the database server cannot be reached.
    """
    if settings.is_postgres:
        from hupan.store.postgres import load_applied_migrations  # noqa: PLC0415 - loads asyncpg

        return await load_applied_migrations(make_postgres_dsn(settings), _make_pool_size(settings))
    return load_applied_from_file(settings.database_path)


async def open_server_database(settings: Settings) -> MeasuredDatabase:
    """Open the store of a server: SQLite files were prepared before, PostgreSQL is migrated here.

    Raises:
        StoreRefused: the store cannot be used as it is.
        StoreUnavailable: the database server cannot be reached.
    """
    if settings.is_postgres:
        return await _open_postgres(settings, migrate=True)
    return _open_sqlite(settings.database_path)


async def open_current_database(settings: Settings) -> MeasuredDatabase:
    """Open the store for a command, without migrating it.

    Raises:
        StoreRefused: there is no store, or it is not of this version.
        StoreUnavailable: the database server cannot be reached.
    """
    if settings.is_postgres:
        return await _open_postgres(settings, migrate=False)
    check_not_open_by_other_path(settings.database_path)
    check_file_current(settings.database_path)
    return _open_sqlite(settings.database_path)


async def _open_postgres(settings: Settings, *, migrate: bool) -> MeasuredDatabase:
    # asyncpg takes 50 ms and 7 MB, which a server on SQLite has no use for.
    from hupan.store.postgres import open_postgres  # noqa: PLC0415 - loads asyncpg

    dsn, size = make_postgres_dsn(settings), _make_pool_size(settings)
    return await open_postgres(dsn, size, migrate=migrate)


def _open_sqlite(path: Path) -> SqliteDatabase:
    database = SqliteDatabase(path)
    database.set_repair(partial(repair_while_serving, path))
    return database


def make_integrity_check(
    settings: Settings, database: Database
) -> Callable[[], Awaitable[list[str]]]:
    """Return a function that reads the whole store and returns what is wrong with it."""
    if settings.is_postgres:
        return partial(_check_server_rows, database)
    return lambda: check_file(settings.database_path)


async def _check_server_rows(database: Database) -> list[str]:
    settle = partial(asyncio.sleep, SETTLE_SECONDS) if await is_distributed(database) else None
    return await check_rows(database, settle)


async def read_snapshot(
    settings: Settings,
    database: Database,
    scratch: Path,
    work: Callable[[Reader], Awaitable[Result]],
) -> Result:
    """Read a store in use as it is at one moment.

    Args:
        settings: the settings of the store.
        database: the open store.
        scratch: where a file is copied to meanwhile, which must not exist.
        work: reads the rows.

    Raises:
        BackupError: a page is damaged, or the disk failed.
        StoreRefused: the rows are on several machines.
    """
    if not settings.is_postgres:
        try:
            copy_file(settings.database_path, scratch)
            with opened_copy(scratch) as reader:
                return await work(reader)
        finally:
            remove_file(scratch)
    from hupan.store.postgres import read_postgres_snapshot  # noqa: PLC0415 - loads asyncpg

    return await read_postgres_snapshot(database, work)


def make_picture_files(settings: Settings) -> PictureFiles:
    """Return where the settings put uploaded pictures."""
    if not settings.media_s3_url:
        return LocalPictureFiles(settings.media_path)
    bucket = S3Bucket(
        settings.media_s3_url,
        settings.media_s3_bucket,
        settings.media_s3_region,
        settings.media_s3_access_key,
        settings.media_s3_secret_key,
    )
    return S3PictureFiles(bucket, settings.media_path, SystemClock())


def make_backup_place(settings: Settings) -> BackupPlace:
    """Return where the settings put backups."""
    if not settings.backup_s3_url:
        return FolderPlace(settings.backup_path)
    bucket = S3Bucket(
        settings.backup_s3_url,
        settings.backup_s3_bucket,
        settings.backup_s3_region,
        settings.backup_s3_access_key,
        settings.backup_s3_secret_key,
    )
    return BucketPlace(bucket, settings.data_dir, SystemClock())


def make_postgres_dsn(settings: Settings) -> PostgresDsn:
    return PostgresDsn(
        settings.database,
        settings.database_password,
        settings.database_ca_file,
        settings.database_timeout_seconds,
        settings.database_connect_seconds,
    )


def _make_pool_size(settings: Settings) -> PoolSize:
    return PoolSize(settings.database_pool, settings.database_statements)


class OperationRefused(LocalizedError):
    """The operation is refused; the text says why."""


@asynccontextmanager
async def open_for_admin(settings: Settings) -> AsyncIterator[MeasuredDatabase]:
    """Open the store of a server for one command.

    Raises:
        OperationRefused: there is no store, it is not of this version, or it failed meanwhile.
    """
    try:
        database = await open_current_database(settings)
    except StoreRefused as error:
        raise OperationRefused.wrap(error) from error
    except StoreUnavailable as error:
        raise _unavailable(error) from error
    try:
        await _check_key(settings, database)
        yield database
    except StoreRefused as error:
        raise OperationRefused.wrap(error) from error
    except StoreUnavailable as error:
        raise _unavailable(error) from error
    finally:
        await database.close()


async def _check_key(settings: Settings, database: Database) -> None:
    """Refuse another key: no server could decrypt what a command encrypts with it."""
    key_path, identity = settings.secret_key_path, await read_identity(database)
    if not key_path.exists() and (identity.key_fingerprint or identity.is_served):
        return  # commands that need it report it themselves
    try:
        secret = load_or_create_key(key_path)
        if not identity.is_sandbox:
            check_key_is_secret(key_path, secret)
        check_same_key(identity, key_fingerprint(secret))
    except (KeyFileError, OSError) as error:
        raise OperationRefused.wrap(error) from error


def _unavailable(error: StoreUnavailable) -> OperationRefused:
    return OperationRefused(
        f"数据库暂时无法使用：{error.localized.zh}",
        f"the store cannot be used now: {error.localized.en}",
    )


class StartRefused(LocalizedError):
    """The server cannot start; the text says why."""


@contextmanager
def prepared_store(settings: Settings, *, is_sandbox: bool = False) -> Iterator[None]:
    """Create folder, key and file, migrate the file, and lock it for this server.

    Raises:
        StartRefused: another server has the store, it is of the other kind, it has another key,
            or store or key cannot be used.
    """
    key_path = settings.secret_key_path
    check = partial(_check_identity, key_path, is_sandbox)
    try:
        if settings.is_postgres:
            # A URL with too weak TLS is refused before anything else happens. Every node needs
            # the same key, so it is created only when the store turns out to have none.
            make_postgres_dsn(settings).make_ssl_context()
            if not is_sandbox:
                _check_key_file(key_path)
            create_folder(key_path.parent)
            yield
            return
        check_store_exists(settings.database_path, key_path)
        create_folder(key_path.parent)
        with prepared_sqlite_file(settings.database_path, check):
            load_or_create_key(key_path, SANDBOX_KEY if is_sandbox else b"")
            yield
    except (StoreRefused, KeyFileError, OSError) as error:
        raise StartRefused.wrap(error) from error


def check_store_and_key(settings: Settings) -> None:
    """Check, as the start of a server would, that store and key belong together.

    Changes nothing. For a PostgreSQL store, which may be unreachable, only the key is checked.

    Raises:
        StartRefused: the store is a sandbox's, or store or key is missing or does not match.
    """
    database_path, key_path = settings.database_path, settings.secret_key_path
    try:
        if settings.is_postgres:
            _check_key_file(key_path)
            return
        check_store_exists(database_path, key_path)
        if database_path.exists() and (identity := read_identity_without_writing(database_path)):
            _check_identity(key_path, is_sandbox=False, identity=identity)
    except (StoreRefused, KeyFileError, OSError) as error:
        raise StartRefused.wrap(error) from error


def _check_key_file(key_path: Path) -> None:
    """Refuse a sandbox's key before the database is asked; a missing one may still be created."""
    if key_path.exists():
        check_key_is_secret(key_path, load_existing_key(key_path))


def _check_identity(key_path: Path, is_sandbox: bool, identity: StoreIdentity) -> None:
    check_same_kind(identity, is_sandbox=is_sandbox)
    check_key_exists(identity, key_path)
    if key_path.exists():
        secret = load_existing_key(key_path)
        if not is_sandbox:
            check_key_is_secret(key_path, secret)
        check_same_key(identity, key_fingerprint(secret))


def _accept_any_identity(_identity: StoreIdentity) -> None:
    """Do nothing."""


@contextmanager
def prepared_sqlite_file(
    database_path: Path, check_identity: Callable[[StoreIdentity], None] = _accept_any_identity
) -> Iterator[None]:
    """Create folder and file, migrate the file, and hold its lock.

    Args:
        database_path: the file.
        check_identity: is called with the identity of the store before the migration; raises
            StoreRefused to stop it.

    Raises:
        StoreRefused: another server has the store, or it cannot be used.
    """
    create_folder(database_path.parent)
    check_is_sqlite_file(database_path)
    lock = StoreLock(database_path)
    try:
        _create_private_file(database_path)
        lock.lock_file()
        check_wal_intact(database_path)
        repair_before_start(database_path)
        check_identity(read_file_identity(database_path))
        migrate_file(database_path)
        yield
    finally:
        lock.release()


async def open_secret_box(key_path: Path, database: Database, *, is_sandbox: bool) -> SecretBox:
    """Load the key of an open store that is up to date; a new store takes the existing key.

    Raises:
        StoreRefused: the store is of the other kind, or its key is missing or does not match.
        KeyFileError: the key file cannot be used.
    """
    identity = await read_identity(database)
    check_same_kind(identity, is_sandbox=is_sandbox)
    check_key_exists(identity, key_path)
    secret = load_or_create_key(key_path, SANDBOX_KEY if is_sandbox else b"")
    if not is_sandbox:
        check_key_is_secret(key_path, secret)
    await database.run_transaction(
        lambda tx: claim_store(tx, key_fingerprint(secret), is_sandbox=is_sandbox)
    )
    return SecretBox(secret)


def create_folder(folder: Path) -> None:
    """Create a folder that only its owner can read, unless it exists.

    Raises:
        StoreRefused: it cannot be created.
    """
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _set_folder_owner(folder)
    except OSError as error:
        reason = localize_reason(error)
        raise StoreRefused(
            f"无法创建目录 {folder}：{reason.zh}",
            f"cannot create the folder {folder}: {reason.en}",
        ) from error


def _set_folder_owner(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        chown_to_folder_owner(descriptor, folder.parent)
    finally:
        os.close(descriptor)


def _create_private_file(database_path: Path) -> None:
    """Create a store that only its owner can read; SQLite copies the mode to its other files."""
    try:
        resolved_path = (
            database_path.resolve()
        )  # a file elsewhere belongs to the owner of its folder
        descriptor = os.open(resolved_path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            chown_to_folder_owner(descriptor, resolved_path.parent)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = localize_reason(error)
        raise StoreRefused(
            f"无法写入数据库 {database_path}：{reason.zh}",
            f"cannot write the store {database_path}: {reason.en}",
        ) from error
