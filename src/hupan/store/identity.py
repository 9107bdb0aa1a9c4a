"""Identity of a store: made by a server or a sandbox, and the fingerprint of its key.

Both are rows of `counters`, so every copy has them. A store that predates them is a server's, and
takes the key next to it (security X9).
"""

from pathlib import Path

import apsw
from msgspec import Struct

from hupan.store.checksums import localize_sqlite_error
from hupan.store.cluster_state import FIND_VALUE, SET_VALUE
from hupan.store.copying import COPY_MARK_NAME
from hupan.store.database import Reader, StoreRefused, Transaction
from hupan.store.sqlite import SqliteExecutor, connect, run_sync
from hupan.store.tables import data_tables
from hupan.store.wal import wal_path

KEY_NAME, SANDBOX_NAME, SERVED_NAME = "key", "sandbox", "process"
_HAS_COUNTERS = "SELECT 1 FROM sqlite_schema WHERE name = 'counters'"
_SANDBOX_STORE_MESSAGE = (
    "这是沙盒的数据库，其中的账号是演示数据，不能用于正式服务；请换一个数据目录",
    "a sandbox made this store, and anyone may use its accounts: name another folder or database",
)
_SERVER_STORE_MESSAGE = (
    "这是正式服务器的数据库，沙盒会清空它；请换一个数据目录",
    "this store is a server's, and a sandbox would empty it: name another folder or database",
)
_WRONG_KEY_MESSAGE = (
    (
        "secret.key 不是该数据库的密钥，请恢复原密钥；若确已丢失，请运行 "
        "hupan database accept-key（所有登录和验证码将失效）"
    ),
    (
        "secret.key is not the key of this store: restore the right one. If it is lost, run hupan "
        "database accept-key, which revokes every session and code"
    ),
)


class StoreIdentity(Struct, frozen=True):
    """Kind, key and state of a store.

    Attributes:
        is_sandbox: whether a sandbox created it.
        key_fingerprint: the fingerprint of its key; 0 while it has none.
        is_served: whether a server or a sandbox has ever served from it.
        is_being_copied: whether it is an incomplete copy, which no server serves from.
    """

    is_sandbox: bool = False
    key_fingerprint: int = 0
    is_served: bool = False
    is_being_copied: bool = False


async def read_identity(reader: Reader) -> StoreIdentity:
    """Read the identity of a store that is up to date."""
    found = {}
    for name in (KEY_NAME, SANDBOX_NAME, SERVED_NAME, COPY_MARK_NAME):
        row = await reader.fetch_one(FIND_VALUE, name)
        found[name] = 0 if row is None else int(row[0])
    return StoreIdentity(
        found[SANDBOX_NAME] > 0, found[KEY_NAME], found[SERVED_NAME] > 0, found[COPY_MARK_NAME] > 0
    )


def read_file_identity(path: Path) -> StoreIdentity:
    """Read the identity of a SQLite file, which may be older than this version, or empty.

    Raises:
        StoreRefused: it cannot be read.
    """
    connection = connect(path)
    try:
        if not connection.execute(_HAS_COUNTERS).fetchall():
            return StoreIdentity()
        return run_sync(read_identity(SqliteExecutor(connection)))
    except apsw.Error as error:
        reason = localize_sqlite_error(error)
        raise StoreRefused(
            f"无法读取数据库 {path}：{reason.zh}", f"cannot read the store {path}: {reason.en}"
        ) from error
    finally:
        connection.close()


def read_identity_without_writing(path: Path) -> StoreIdentity | None:
    """Read a SQLite file's identity without changing anything; None if it cannot be read.

    A log means that a server runs, or was killed; without one the file alone is the store, and a
    reader must not create other files.
    """
    log = wal_path(path)
    try:
        is_alone = not log.exists() or log.stat().st_size == 0
        uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_alone else ''}"
        connection = apsw.Connection(
            uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, vfs="unix"
        )
    except (apsw.Error, OSError):
        return None
    try:
        if not connection.execute(_HAS_COUNTERS).fetchall():
            return StoreIdentity()
        return run_sync(read_identity(SqliteExecutor(connection)))
    except apsw.Error:
        return None
    finally:
        connection.close()


def check_same_kind(identity: StoreIdentity, *, is_sandbox: bool) -> None:
    """Raise unless the store is of this kind or was never used by a server.

    Raises:
        StoreRefused: a server would serve from a sandbox's store, or the other way round.
    """
    if identity.is_being_copied:
        return  # reported elsewhere
    if identity.is_sandbox and not is_sandbox:
        raise StoreRefused(*_SANDBOX_STORE_MESSAGE)
    if is_sandbox and not identity.is_sandbox and identity.is_served:
        raise StoreRefused(*_SERVER_STORE_MESSAGE)


def check_same_key(identity: StoreIdentity, key: int) -> None:
    """Raise unless the key is the store's; a store without one and a sandbox accept any.

    Raises:
        StoreRefused: its key is another one.
    """
    if identity.is_being_copied or identity.is_sandbox:
        return
    if identity.key_fingerprint not in (0, key):
        raise StoreRefused(*_WRONG_KEY_MESSAGE)


def check_key_exists(identity: StoreIdentity, path: Path) -> None:
    """Raise if the store's key file is missing.

    A sandbox gets a new key: its data is disposable, and without `--data-dir` so is its key.

    Raises:
        StoreRefused: the store had a key, and the file is missing.
    """
    if identity.is_being_copied or identity.is_sandbox:
        return
    if (identity.key_fingerprint or identity.is_served) and not path.exists():
        raise StoreRefused(
            f"缺少该数据库的密钥文件 {path}，请从备份恢复；若确已丢失，请运行 "
            "hupan database accept-key（所有登录和验证码将失效）",
            f"the key of this store is missing: restore it to {path}. If it is lost, run hupan "
            "database accept-key, which revokes every session and code",
        )


def check_store_exists(database: Path, key: Path) -> None:
    """Raise if there is a key file without a store.

    Raises:
        StoreRefused: there is only a key, so a new store would hide that the old one is gone.
    """
    is_missing = not database.exists() or database.stat().st_size == 0
    if is_missing and key.exists():
        raise StoreRefused(
            f"此处有密钥却没有数据库，数据库可能已被移走；请放回原处：{database}。"
            "若要新建空数据库，请运行 hupan database create",
            f"there is a key here but no store; perhaps it was moved. Move it back to {database}, "
            "or run hupan database create for an empty one",
        )


async def claim_store(tx: Transaction, key: int, *, is_sandbox: bool) -> None:
    """Set kind and key of a new store, or check those of an existing one.

    Raises:
        StoreRefused: one of them differs.
    """
    identity = await read_identity(tx)
    check_same_kind(identity, is_sandbox=is_sandbox)
    check_same_key(identity, key)
    if is_sandbox and not identity.is_sandbox:
        for table in data_tables():
            if await tx.fetch_one(f"SELECT 1 FROM {table} LIMIT 1"):
                raise StoreRefused(*_SERVER_STORE_MESSAGE)
        await tx.execute(SET_VALUE, SANDBOX_NAME, 1)
    if identity.key_fingerprint != key:
        await tx.execute(SET_VALUE, KEY_NAME, key)


async def accept_key(tx: Transaction, key: int) -> None:
    """Make a key the store's own, in place of any other."""
    await tx.execute(SET_VALUE, KEY_NAME, key)
