"""Identity of a store: made by a server or a sandbox, and the fingerprint of its key.

Both are rows of `counters`, so that every copy has them. A store from before there were any is a
server's, and takes the key that lies beside it (security X9).
"""

from pathlib import Path

import apsw
from msgspec import Struct

from hupan.store.checksums import localize_sqlite_error
from hupan.store.cluster_state import FIND_VALUE, SET_VALUE
from hupan.store.copying import COPY_MARK_NAME
from hupan.store.database import DATA_TABLES, Reader, StoreRefused, Transaction
from hupan.store.sqlite import SqliteExecutor, connect
from hupan.store.writer import run_sync

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
        "database accept-key; every session and code ends then"
    ),
)


class StoreIdentity(Struct, frozen=True):
    """What a store knows of itself.

    Attributes:
        is_sandbox: whether a sandbox made it.
        key_fingerprint: the fingerprint of its key; 0 while it has none.
        is_served: whether a server or a sandbox has ever served from it.
        is_being_copied: whether it is half a copy, which nobody serves from.
    """

    is_sandbox: bool = False
    key_fingerprint: int = 0
    is_served: bool = False
    is_being_copied: bool = False


async def read_identity(reader: Reader) -> StoreIdentity:
    """What a store that is up to date knows of itself."""
    found = {}
    for name in (KEY_NAME, SANDBOX_NAME, SERVED_NAME, COPY_MARK_NAME):
        row = await reader.fetch_one(FIND_VALUE, name)
        found[name] = 0 if row is None else int(row[0])
    return StoreIdentity(
        found[SANDBOX_NAME] > 0, found[KEY_NAME], found[SERVED_NAME] > 0, found[COPY_MARK_NAME] > 0
    )


def read_file_identity(path: Path) -> StoreIdentity:
    """What a SQLite file knows of itself; it may be older than this version, or empty.

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
    """What a SQLite file knows of itself, without anything made or changed; None if unreadable.

    A log means that a server runs, or was killed; without one the file alone is the store, and
    needs no files beside it that a reader would make.
    """
    log = path.with_name(f"{path.name}-wal")
    try:
        is_alone = not log.exists() or log.stat().st_size == 0
        place = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_alone else ''}"
        connection = apsw.Connection(
            place, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, vfs="unix"
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
    """Goes on with a store of the own kind, and with one that nobody served from yet.

    Raises:
        StoreRefused: a server would serve from a sandbox's store, or the other way round.
    """
    if identity.is_being_copied:
        return  # that is told instead
    if identity.is_sandbox and not is_sandbox:
        raise StoreRefused(*_SANDBOX_STORE_MESSAGE)
    if is_sandbox and not identity.is_sandbox and identity.is_served:
        raise StoreRefused(*_SERVER_STORE_MESSAGE)


def check_same_key(identity: StoreIdentity, key: int) -> None:
    """Goes on with the store's own key, or with any when it has none yet or is a sandbox's.

    Raises:
        StoreRefused: its key is another one.
    """
    if identity.is_being_copied or identity.is_sandbox:
        return
    if identity.key_fingerprint not in (0, key):
        raise StoreRefused(*_WRONG_KEY_MESSAGE)


def check_key_exists(identity: StoreIdentity, path: Path) -> None:
    """Goes on where a key lies, or none is missed.

    A sandbox takes a new one: its data may be thrown away, and without `--data-dir` so is its key.

    Raises:
        StoreRefused: the store had a key, and it is not there.
    """
    if identity.is_being_copied or identity.is_sandbox:
        return
    if (identity.key_fingerprint or identity.is_served) and not path.exists():
        raise StoreRefused(
            f"缺少该数据库的密钥文件 {path}，请从备份恢复；若确已丢失，请运行 "
            "hupan database accept-key（所有登录和验证码将失效）",
            f"the key of this store is missing: restore it to {path}. If it is lost, run hupan "
            "database accept-key; every session and code ends then",
        )


def check_store_exists(database: Path, key: Path) -> None:
    """Goes on where a store lies, or there is no key of one.

    Raises:
        StoreRefused: there is a key alone, so a new store would hide that the old one is gone.
    """
    is_missing = not database.exists() or database.stat().st_size == 0
    if is_missing and key.exists():
        raise StoreRefused(
            f"此处有密钥却没有数据库，数据库可能已被移走；请放回原处：{database}。"
            "若要新建空数据库，请运行 hupan database create",
            "there is a key here and no store: perhaps the store was moved away. Put it back to "
            f"{database}; to begin with an empty one, run hupan database create",
        )


async def claim_store(tx: Transaction, key: int, *, is_sandbox: bool) -> None:
    """Gives a new store its kind and its key, or finds both as they should be.

    Raises:
        StoreRefused: one of them is another.
    """
    identity = await read_identity(tx)
    check_same_kind(identity, is_sandbox=is_sandbox)
    check_same_key(identity, key)
    if is_sandbox and not identity.is_sandbox:
        for table in DATA_TABLES:
            if await tx.fetch_one(f"SELECT 1 FROM {table} LIMIT 1"):
                raise StoreRefused(*_SERVER_STORE_MESSAGE)
        await tx.execute(SET_VALUE, SANDBOX_NAME, 1)
    if identity.key_fingerprint != key:
        await tx.execute(SET_VALUE, KEY_NAME, key)


async def accept_key(tx: Transaction, key: int) -> None:
    """Makes a key the store's own, whatever it was."""
    await tx.execute(SET_VALUE, KEY_NAME, key)
