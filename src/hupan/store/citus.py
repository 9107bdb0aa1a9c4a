"""Distribution of the tables over several machines with Citus.

A table is distributed by the first column of its primary key, so all rows of an account are
colocated. Small tables that every request reads are reference tables. A table is split into shards
by PostgreSQL's hash of that column.
"""

from collections.abc import Callable, Iterator
from typing import Final

from hupan.store.database import Database, Reader, StoreRefused
from hupan.store.tables import MIGRATIONS_TABLE, list_tables

SHARDS: Final = 32
"""How many shards Citus makes by default."""
_HASH_BLOCK: Final = 12
_HASH_MASK: Final = 0xFFFFFFFF
_HASH_SEED: Final = 0x9E3779B9 + 3923095
REFERENCE_TABLES = frozenset(
    {
        "medals",
        "introspection_clients",
        "categories",
        "listed_bots",
        "listed_groups",
        "group_ranks",
        "group_texts",
        "group_postings",
        "products",
    }
)
"""Tables written by operators, and by each order of a product; read with rows of any account."""
_DISTRIBUTE_MIGRATIONS = f"SELECT create_reference_table('{MIGRATIONS_TABLE}')"
"""Every machine has the migrations, so that each can be named as a host."""
COLOCATION_TABLE = "accounts"
"""Tables distributed by `account_id` are colocated with this one."""
_HAS_DISTRIBUTED_TABLES = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
CODES_TABLE = "codes"
"""A code and the message with it have the same target: they are colocated."""
OnDistributed = Callable[[str, int, int], None]
"""Called with a table that is about to be distributed, the tables done, and all tables."""
_HAS_CITUS = "SELECT to_regproc('create_distributed_table') IS NOT NULL"
_HAS_TRUNCATION = "SELECT to_regproc('truncate_local_data_after_distributing_table') IS NOT NULL"
_HAS_LOCAL_ROWS = "SELECT pg_relation_size(CAST(?1 AS regclass)) > 0"
_TRUNCATE_LOCAL_ROWS = "SELECT truncate_local_data_after_distributing_table(CAST(?1 AS regclass))"
_IS_DISTRIBUTED = "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid = CAST(?1 AS regclass)"


def distribution_column(table: str) -> str | None:
    """Return the distribution column of a table; None for a reference table."""
    if table in REFERENCE_TABLES:
        return None
    return next(one.primary_key[0] for one in list_tables() if one.name == table)


def distribution_statements() -> Iterator[tuple[str, str]]:
    """Yield each table's distribution statement; accounts first, for colocation."""
    names = sorted(
        (one.name for one in list_tables()), key=lambda name: (name != COLOCATION_TABLE, name)
    )
    for name in names:
        column = distribution_column(name)
        if column is None:
            yield name, f"SELECT create_reference_table('{name}')"
        elif column == "account_id":
            yield name, _distribution_statement(name, column, f"'{COLOCATION_TABLE}'")
        elif name == "outbox":
            yield name, _distribution_statement(name, column, f"'{CODES_TABLE}'")
        else:
            yield name, _distribution_statement(name, column, "'none'")
    yield MIGRATIONS_TABLE, _DISTRIBUTE_MIGRATIONS


async def is_distributed(reader: Reader) -> bool:
    """Return whether a PostgreSQL server distributes tables over machines."""
    row = await reader.fetch_one(_HAS_DISTRIBUTED_TABLES)
    return row is not None and bool(row[0])


async def distribute_tables(database: Database, on_progress: OnDistributed) -> list[str]:
    """Distribute every table that is not distributed yet; return their names.

    Each table is one statement, which moves all its rows or none: a run that was interrupted can
    be repeated. Citus leaves copies of the rows on the coordinator; they are removed, those of
    earlier runs too.

    Args:
        database: the database, opened without a short timeout.
        on_progress: called with the table that is being distributed.

    Raises:
        StoreRefused: the server has no Citus; it says what is missing.
    """
    if not await _is_true(database, _HAS_CITUS):
        raise StoreRefused(
            "该数据库没有 citus 扩展：请在协调节点安装 Citus，执行 CREATE EXTENSION citus，"
            "加入工作节点后再运行本命令",
            "this database lacks the extension citus: install Citus on the coordinator, run CREATE "
            "EXTENSION citus, add the workers, then run this command again",
        )
    can_truncate = await _is_true(database, _HAS_TRUNCATION)
    distributed = []
    statements = list(distribution_statements())
    for done, (name, sql) in enumerate(statements):
        on_progress(name, done, len(statements))
        distributed_count = await database.fetch_one(_IS_DISTRIBUTED, name)
        if distributed_count is not None and distributed_count[0] == 0:
            await database.fetch_all(sql)
            distributed.append(name)
        if can_truncate and await _is_true(database, _HAS_LOCAL_ROWS, name):
            await database.fetch_all(_TRUNCATE_LOCAL_ROWS, name)
    on_progress("", len(statements), len(statements))
    return distributed


async def _is_true(database: Database, sql: str, *values: str) -> bool:
    row = await database.fetch_one(sql, *values)
    return row is not None and bool(row[0])


def _distribution_statement(name: str, column: str, colocate_with: str) -> str:
    return (
        f"SELECT create_distributed_table('{name}', '{column}', colocate_with => {colocate_with})"
    )


def shard_of(key: str | int | bytes) -> int:
    """Return which of the `SHARDS` equal ranges of hashes a value belongs to."""
    hashed = hash_number(key) if isinstance(key, int) else hash_bytes(_encode(key))
    return ((hashed + 0x80000000) & _HASH_MASK) * SHARDS >> 32


def hash_number(number: int) -> int:
    """Return `hashint8` of a number, unsigned."""
    low, high = number & _HASH_MASK, number >> 32 & _HASH_MASK
    low ^= high if number >= 0 else ~high & _HASH_MASK
    start = (_HASH_SEED + 4) & _HASH_MASK
    return _finish((start + low) & _HASH_MASK, start, start)


def hash_bytes(data: bytes) -> int:
    """Return `hash_any` of bytes on a little-endian machine, unsigned."""
    a = b = c = (_HASH_SEED + len(data)) & _HASH_MASK
    rest = data
    while len(rest) >= _HASH_BLOCK:
        a = (a + int.from_bytes(rest[:4], "little")) & _HASH_MASK
        b = (b + int.from_bytes(rest[4:8], "little")) & _HASH_MASK
        c = (c + int.from_bytes(rest[8:_HASH_BLOCK], "little")) & _HASH_MASK
        a, b, c = _mix(a, b, c)
        rest = rest[_HASH_BLOCK:]
    a = (a + int.from_bytes(rest[:4], "little")) & _HASH_MASK
    b = (b + int.from_bytes(rest[4:8], "little")) & _HASH_MASK
    c = (
        c + (int.from_bytes(rest[8:], "little") << 8)
    ) & _HASH_MASK  # its lowest byte is the length's
    return _finish(a, b, c)


def _encode(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _HASH_MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for bits in (4, 6, 8, 16, 19, 4):  # each step moves to the next of the three words
        a = ((a - c) & _HASH_MASK) ^ _rotate(c, bits)
        c = (c + b) & _HASH_MASK
        a, b, c = b, c, a
    return a, b, c


def _finish(a: int, b: int, c: int) -> int:
    for bits in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotate(b, bits)) & _HASH_MASK
        a, b, c = b, c, a
    return b
