"""Prepares the store before any process serves from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hupan.app.engines import place
from hupan.app.files import give_to_owner_of_folder
from hupan.config import Settings
from hupan.seal import KeyFileError, load_key
from hupan.store.engine import StoreRefused
from hupan.store.lock import StoreLock, refuse_other_files
from hupan.store.migrate import migrate
from hupan.store.wal_damage import refuse_damaged_log


class StartRefused(Exception):  # noqa: N818 - the answer of a server that does not start
    """The server cannot start; the text says why, in Chinese and English."""


@contextmanager
def prepared_store(settings: Settings) -> Iterator[None]:
    """Makes folder, key and file, brings the file up to date, and holds it for this server.

    Raises:
        StartRefused: another server has it, or store or key cannot be used.
    """
    if settings.is_postgres:
        _prepare_key(settings)
        yield
        return
    try:
        _make(settings.secret_key_path.parent)
        with prepared_file(settings.database_path):
            _load_key(settings)
            yield
    except (StoreRefused, KeyFileError, OSError) as error:
        raise StartRefused(str(error)) from error


@contextmanager
def prepared_file(database: Path) -> Iterator[None]:
    """Makes folder and file, brings the file up to date, and holds it.

    Raises:
        StoreRefused: another server has it, or it cannot be used.
    """
    _make(database.parent)
    refuse_other_files(database)
    lock = StoreLock(database)
    try:
        give_to_owner_of_folder(lock.path)
        _own(database)
        refuse_damaged_log(database)
        migrate(database)
        yield
    finally:
        lock.release()


def _prepare_key(settings: Settings) -> None:
    """What a server on PostgreSQL keeps beside it: every node needs the same key."""
    try:
        place(settings).tls()  # a URL that asks for less than it may is refused before anything
        _make(settings.secret_key_path.parent)
        _load_key(settings)
    except (StoreRefused, KeyFileError, OSError) as error:
        raise StartRefused(str(error)) from error


def _load_key(settings: Settings) -> None:
    """Makes the key where there is none yet."""
    load_key(settings.secret_key_path)
    give_to_owner_of_folder(settings.secret_key_path)


def _make(folder: Path) -> None:
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            give_to_owner_of_folder(folder)
    except OSError as error:
        raise StoreRefused(f"无法创建目录 / cannot make the folder {folder}: {error}") from error


def _own(database: Path) -> None:
    """A new store is readable for its owner alone; SQLite gives its other files the same mode."""
    try:
        database.touch(mode=0o600)
        give_to_owner_of_folder(database)
    except OSError as error:
        raise StoreRefused(
            f"无法写入数据库 / cannot write the store {database}: {error}"
        ) from error
