"""All data of a sandbox's store: read at one moment, and put back in one transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256

from hupan.store.database import Row, Transaction, Value
from hupan.store.tables import Table, data_tables, list_tables, remove_all_files

MAX_ROWS = 200_000
_OF_PROCESSES = ("sockets", "socket_processes", "session_ends")
"""Tables about the processes that run now."""
RESTORED_COUNTERS = ("account", "groups-shown", "groups-draft")
LIST_COUNTERS = (
    "SELECT name, value FROM counters WHERE name IN ('account', 'groups-shown', 'groups-draft')"
)
SET_COUNTER = "UPDATE counters SET value = ?2 WHERE name = ?1"
# Versions of the group index are never used twice, so one that is being built cannot collide.
RAISE_COUNTER = "UPDATE counters SET value = ?2 WHERE name = ?1 AND value < ?2"
_NEVER_LOWERED = "groups-draft"
# Files that were deleted meanwhile are written again, and must not be deleted after that.
FORGET_REMOVALS = "DELETE FROM picture_removals WHERE name = ?1"
_MAX_BATCH_ROWS = 64


class TooManyRows(Exception):
    """The store has more rows than a snapshot may."""


@cache
def snapshot_tables() -> tuple[Table, ...]:
    """Return the tables that a snapshot has."""
    names = set(data_tables()) - set(_OF_PROCESSES)
    return tuple(table for table in list_tables() if table.name in names)


@cache
def schema_digest() -> str:
    """Return a digest that identifies the version of these tables, on either engine."""
    digest = sha256()
    for table in snapshot_tables():
        columns = ",".join(f"{column.name} {column.type}" for column in table.columns)
        digest.update(f"{table.name}({columns})\n".encode())
    return digest.hexdigest()[:16]


async def read_counters(tx: Transaction) -> dict[str, int]:
    """Return the counters that belong to the data."""
    return {str(row[0]): int(row[1]) for row in await tx.fetch_all(LIST_COUNTERS)}


async def read_tables(tx: Transaction) -> dict[str, list[Row]]:
    """Return all rows of each table, as of one moment.

    Raises:
        TooManyRows: there are more than `MAX_ROWS`.
    """
    await _lock_all(tx)
    rows: dict[str, list[Row]] = {}
    left = MAX_ROWS
    for table in snapshot_tables():
        sql = f"SELECT {table.column_list} FROM {table.name} LIMIT ?1"
        rows[table.name] = found = [tuple(row) for row in await tx.fetch_all(sql, left + 1)]
        left -= len(found)
        if left < 0:
            raise TooManyRows
    return rows


async def replace_tables(
    tx: Transaction,
    rows: Mapping[str, Sequence[Row]],
    counters: Mapping[str, int],
    kept_pictures: Iterable[str],
) -> None:
    """Replace all data by that of a snapshot.

    Args:
        tx: the transaction.
        rows: the rows of each table.
        counters: those of `read_counters`.
        kept_pictures: names, without extension, of the pictures in the snapshot.

    Raises:
        Conflict: the rows contradict each other or the schema.
    """
    await _lock_all(tx)
    await remove_all_files(tx)
    for table in snapshot_tables():
        await tx.execute(f"DELETE FROM {table.name}")
        for batch in _batches(rows.get(table.name, ())):
            values = [value for row in batch for value in row]
            await tx.execute(_insert_sql(table, len(batch)), *values)
    for name in kept_pictures:
        await tx.execute(FORGET_REMOVALS, name)
    for name in RESTORED_COUNTERS:
        if name in counters:
            sql = RAISE_COUNTER if name == _NEVER_LOWERED else SET_COUNTER
            await tx.execute(sql, name, counters[name])


async def _lock_all(tx: Transaction) -> None:
    await tx.lock_tables("counters", *(table.name for table in snapshot_tables()))


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield parts of few sizes, so that there are few statements."""
    start, size = 0, _MAX_BATCH_ROWS
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        yield rows[start : start + size]
        start += size


@cache
def _insert_sql(table: Table, row_count: int) -> str:
    width = len(table.columns)
    one = [
        "(" + ", ".join(f"?{row * width + column + 1}" for column in range(width)) + ")"
        for row in range(row_count)
    ]
    return f"INSERT INTO {table.name} ({table.column_list}) VALUES {', '.join(one)}"


_MAX_INTEGER = 2**63 - 1


def is_row_of(table: Table, row: Sequence[Value]) -> bool:
    """Return whether values fit the columns of a table, by number and type."""
    return len(row) == len(table.columns) and all(
        value is None or _fits(value, column.type)
        for column, value in zip(table.columns, row, strict=True)
    )


def _fits(value: str | int | bytes, column_type: str) -> bool:
    match column_type:
        case "INTEGER":
            return isinstance(value, int) and -_MAX_INTEGER <= value <= _MAX_INTEGER
        case "TEXT":
            return isinstance(value, str) and "\0" not in value
        case _:
            return isinstance(value, bytes)
