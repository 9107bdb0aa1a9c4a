"""Prepares the store before any process serves from it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from hupan.app.engines import place
from hupan.config import Settings
from hupan.ownership import give_to_owner
from hupan.seal import KeyFileError, Seal, fingerprint, load_key, read_key
from hupan.store.engine import Engine, StoreRefused
from hupan.store.identity import (
    Identity,
    claim,
    identity_at_rest,
    identity_in,
    read_identity,
    refuse_lost_key,
    refuse_lost_store,
    refuse_other_key,
    refuse_other_kind,
)
from hupan.store.lock import StoreLock, refuse_other_files
from hupan.store.migrate import migrate
from hupan.store.other_programs import mend_before_start
from hupan.store.wal_damage import refuse_damaged_log


class StartRefused(Exception):  # noqa: N818 - the answer of a server that does not start
    """The server cannot start; the text says why, in Chinese and English."""


@contextmanager
def prepared_store(settings: Settings, *, is_sandbox: bool = False) -> Iterator[None]:
    """Makes folder, key and file, brings the file up to date, and holds it for this server.

    Raises:
        StartRefused: another server has it, it is of the other kind, it has another key, or
            store or key cannot be used.
    """
    key = settings.secret_key_path
    check = partial(_check_identity, key, is_sandbox)
    try:
        if settings.is_postgres:
            # A URL that asks for less than it may is refused before anything. Every node needs
            # the same key, so one is made only once the store says that it has none.
            place(settings).tls()
            _make(key.parent)
            yield
            return
        refuse_lost_store(settings.database_path, key)
        _make(key.parent)
        with prepared_file(settings.database_path, check):
            load_key(key)
            yield
    except (StoreRefused, KeyFileError, OSError) as error:
        raise StartRefused(str(error)) from error


def refuse_lost_parts(settings: Settings) -> None:
    """Tells, as the start of a server would, of a store and a key that do not belong together.

    Nothing is made or changed, and a store on PostgreSQL is not asked: it may be out of reach.

    Raises:
        StartRefused: the store is a sandbox's, or store or key is missing or another one.
    """
    database, key = settings.database_path, settings.secret_key_path
    try:
        if settings.is_postgres:
            return
        refuse_lost_store(database, key)
        if database.exists() and (identity := identity_at_rest(database)):
            _check_identity(key, is_sandbox=False, identity=identity)
    except (StoreRefused, KeyFileError, OSError) as error:
        raise StartRefused(str(error)) from error


def _check_identity(key: Path, is_sandbox: bool, identity: Identity) -> None:
    refuse_other_kind(identity, is_sandbox=is_sandbox)
    refuse_lost_key(identity, key)
    if key.exists():
        refuse_other_key(identity, fingerprint(read_key(key)))


def _check_nothing(_identity: Identity) -> None:
    """Whoever brings a store up to date takes any."""


@contextmanager
def prepared_file(
    database: Path, check: Callable[[Identity], None] = _check_nothing
) -> Iterator[None]:
    """Makes folder and file, brings the file up to date, and holds it.

    Args:
        database: the file.
        check: is told what the store knows of itself before it is changed; may refuse it.

    Raises:
        StoreRefused: another server has it, or it cannot be used.
    """
    _make(database.parent)
    refuse_other_files(database)
    lock = StoreLock(database)
    try:
        _own(database)
        lock.hold_file()
        refuse_damaged_log(database)
        mend_before_start(database)
        check(identity_in(database))
        migrate(database)
        yield
    finally:
        lock.release()


async def own_seal(key: Path, engine: Engine, *, is_sandbox: bool) -> Seal:
    """The key of an open store that is up to date; a new store takes the one that lies there.

    Raises:
        StoreRefused: the store is of the other kind, its key is another one, or is missing.
        KeyFileError: the key file cannot be used.
    """
    identity = await read_identity(engine)
    refuse_other_kind(identity, is_sandbox=is_sandbox)
    refuse_lost_key(identity, key)
    secret = load_key(key)
    await engine.change(lambda tx: claim(tx, fingerprint(secret), is_sandbox=is_sandbox))
    return Seal(secret)


def _make(folder: Path) -> None:
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _give_folder(folder)
    except OSError as error:
        raise StoreRefused(f"无法创建目录 / cannot make the folder {folder}: {error}") from error


def _give_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        give_to_owner(descriptor, folder.parent)
    finally:
        os.close(descriptor)


def _own(database: Path) -> None:
    """A new store is readable for its owner alone; SQLite gives its other files the same mode."""
    try:
        real = database.resolve()  # what lies elsewhere belongs to whom that folder does
        descriptor = os.open(real, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            give_to_owner(descriptor, real.parent)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreRefused(
            f"无法写入数据库 / cannot write the store {database}: {error}"
        ) from error
