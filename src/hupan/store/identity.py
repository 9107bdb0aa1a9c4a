"""What a store knows of itself: whether a server or a sandbox made it, and which key is its own.

Both are rows of `counters`, so that every copy has them. A store from before there were any is a
server's, and takes the key that lies beside it (security X9).
"""

from pathlib import Path

import apsw
from msgspec import Struct

from hupan.store.copying import MARK
from hupan.store.engine import Reader, StoreRefused, Transaction
from hupan.store.marks import FIND, SET
from hupan.store.page_sums import told
from hupan.store.reset import TABLES
from hupan.store.sqlite import Statements, connect
from hupan.store.writer import drive

KEY, SANDBOX, SERVED = "key", "sandbox", "process"
_HAS_COUNTERS = "SELECT 1 FROM sqlite_schema WHERE name = 'counters'"
_IS_SANDBOX = (
    "这是沙盒的数据库，其中的账号是演示数据，不能用于正式服务；请换一个数据目录 / "
    "a sandbox made this store, and its accounts are anybody's: name another folder or database"
)
_IS_SERVER = (
    "这是正式服务器的数据库，沙盒会清空它；请换一个数据目录 / "
    "this store is a server's, and a sandbox would empty it: name another folder or database"
)
_OTHER_KEY = (
    "secret.key 不是该数据库的密钥，请恢复原密钥；若确已丢失，请运行 "
    "hupan database accept-key（所有登录和验证码将失效） / "
    "secret.key is not the key of this store: put its own back. If that is lost, run hupan "
    "database accept-key; every session and code ends then"
)
_NO_KEY = (
    "缺少该数据库的密钥文件，请从备份恢复；若确已丢失，请运行 "
    "hupan database accept-key（所有登录和验证码将失效） / "
    "the key of this store is missing: restore it beside the store. If it is lost, run hupan "
    "database accept-key; every session and code ends then. The key belongs at"
)
_NO_STORE = (
    "此处有密钥却没有数据库，数据库可能已被移走；请放回原处。若要新建空数据库，请运行 "
    "hupan database create / "
    "a key lies here and no store: perhaps the store was moved away. Put it back; to begin with "
    "an empty one, run hupan database create. The store belongs at"
)


class Identity(Struct, frozen=True):
    """What a store knows of itself.

    Attributes:
        is_sandbox: whether a sandbox made it.
        key: the fingerprint of its key; 0 while it has none.
        is_served: whether a server or a sandbox has ever served from it.
        is_being_copied: whether it is half a copy, which nobody serves from.
    """

    is_sandbox: bool = False
    key: int = 0
    is_served: bool = False
    is_being_copied: bool = False


async def read_identity(reader: Reader) -> Identity:
    """What a store that is up to date knows of itself."""
    found = {}
    for name in (KEY, SANDBOX, SERVED, MARK):
        row = await reader.one(FIND, name)
        found[name] = 0 if row is None else int(row[0])
    return Identity(found[SANDBOX] > 0, found[KEY], found[SERVED] > 0, found[MARK] > 0)


def identity_in(path: Path) -> Identity:
    """What a SQLite file knows of itself; it may be older than this version, or empty.

    Raises:
        StoreRefused: it cannot be read.
    """
    connection = connect(path)
    try:
        if not connection.execute(_HAS_COUNTERS).fetchall():
            return Identity()
        return drive(read_identity(Statements(connection)))
    except apsw.Error as error:
        raise StoreRefused(
            f"无法读取数据库 / cannot read the store {path}: {told(error)}"
        ) from error
    finally:
        connection.close()


def identity_at_rest(path: Path) -> Identity | None:
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
            return Identity()
        return drive(read_identity(Statements(connection)))
    except apsw.Error:
        return None
    finally:
        connection.close()


def refuse_other_kind(identity: Identity, *, is_sandbox: bool) -> None:
    """Goes on with a store of the own kind, and with one that nobody served from yet.

    Raises:
        StoreRefused: a server would serve from a sandbox's store, or the other way round.
    """
    if identity.is_being_copied:
        return  # that is told instead
    if identity.is_sandbox and not is_sandbox:
        raise StoreRefused(_IS_SANDBOX)
    if is_sandbox and not identity.is_sandbox and identity.is_served:
        raise StoreRefused(_IS_SERVER)


def refuse_other_key(identity: Identity, key: int) -> None:
    """Goes on with the store's own key, or with any when it has none yet or is a sandbox's.

    Raises:
        StoreRefused: its key is another one.
    """
    if identity.is_being_copied or identity.is_sandbox:
        return
    if identity.key not in (0, key):
        raise StoreRefused(_OTHER_KEY)


def refuse_lost_key(identity: Identity, path: Path) -> None:
    """Goes on where a key lies, or none is missed.

    A sandbox takes a new one: its data may be thrown away, and without `--data-dir` so is its key.

    Raises:
        StoreRefused: the store had a key, and it is not there.
    """
    if identity.is_being_copied or identity.is_sandbox:
        return
    if (identity.key or identity.is_served) and not path.exists():
        raise StoreRefused(f"{_NO_KEY} {path}")


def refuse_lost_store(database: Path, key: Path) -> None:
    """Goes on where a store lies, or there is no key of one.

    Raises:
        StoreRefused: there is a key alone, so a new store would hide that the old one is gone.
    """
    is_missing = not database.exists() or database.stat().st_size == 0
    if is_missing and key.exists():
        raise StoreRefused(f"{_NO_STORE} {database}")


async def claim(tx: Transaction, key: int, *, is_sandbox: bool) -> None:
    """Gives a new store its kind and its key, or finds both as they should be.

    Raises:
        StoreRefused: one of them is another.
    """
    identity = await read_identity(tx)
    refuse_other_kind(identity, is_sandbox=is_sandbox)
    refuse_other_key(identity, key)
    if is_sandbox and not identity.is_sandbox:
        for table in TABLES:
            if await tx.one(f"SELECT 1 FROM {table} LIMIT 1"):
                raise StoreRefused(_IS_SERVER)
        await tx.run(SET, SANDBOX, 1)
    if identity.key != key:
        await tx.run(SET, KEY, key)


async def accept_key(tx: Transaction, key: int) -> None:
    """Makes a key the store's own, whatever it was."""
    await tx.run(SET, KEY, key)
