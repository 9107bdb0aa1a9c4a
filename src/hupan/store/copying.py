"""Copies one store into another, row by row in primary-key order; resumable.

A copy resumes after its last row, so it needs no other state. Until it is complete it carries a
mark, and no server serves from it.
"""

from msgspec import Struct

from hupan.store.database import Database, Reader, Row, StoreRefused, Transaction
from hupan.store.running_servers import AFTER_PREFIX, PREFIX
from hupan.store.tables import Column, Table

ROWS_PER_BATCH = 500
COPY_MARK_NAME = "being-copied"
_FIND_COPY_MARK = f"SELECT value FROM counters WHERE name = '{COPY_MARK_NAME}'"
_SET_COPY_MARK = f"""
INSERT INTO counters (name, value) VALUES ('{COPY_MARK_NAME}', 1) ON CONFLICT (name) DO NOTHING
"""
_DELETE_COPY_MARK = f"DELETE FROM counters WHERE name = '{COPY_MARK_NAME}'"
_IS_COPIED = f"(name < '{PREFIX}' OR name >= '{AFTER_PREFIX}') AND name <> '{COPY_MARK_NAME}'"
_CLEAR_COUNTERS = f"DELETE FROM counters WHERE {_IS_COPIED}"
MODULUS = 1_000_003
"""Sums are of remainders, so that no sum grows past what an integer holds."""


class TableTotals(Struct, frozen=True):
    """Row count and column sums of a table, equal in source and copy."""

    rows: int
    sums: tuple[int, ...]


async def ensure_copy_complete(reader: Reader) -> None:
    """Raise unless every copy into the store was completed.

    Raises:
        StoreRefused: it has.
    """
    if await reader.fetch_one(_FIND_COPY_MARK) is not None:
        raise StoreRefused(
            "该数据库的复制尚未完成，请重新运行 hupan database copy",
            "a copy into this store is not complete: run hupan database copy again",
        )


async def begin_copy(target: Database, tables: tuple[Table, ...]) -> None:
    """Mark an empty store as being copied; a marked one is resumed.

    Raises:
        StoreRefused: it holds something else.
    """
    if await target.fetch_one(_FIND_COPY_MARK) is not None:
        return
    for table in tables:
        if table.name != "counters" and await target.fetch_one(
            f"SELECT 1 FROM {table.name} LIMIT 1"
        ):
            raise StoreRefused(
                f"目标数据库不是空的：{table.name}",
                f"the store to copy to is not empty: {table.name}",
            )

    async def change(tx: Transaction) -> None:
        await tx.execute(_CLEAR_COUNTERS)
        await tx.execute(_SET_COPY_MARK)

    await target.run_transaction(change)


async def end_copy(target: Database) -> None:
    """Remove the mark: the copy is complete."""
    await target.run_transaction(lambda tx: tx.execute(_DELETE_COPY_MARK))


async def copy_rows(source: Database, target: Database, table: Table) -> int:
    """Copy the next rows of a table; return their number, 0 at the end."""
    rows = await fetch_next_rows(source, table, await _last_key(target, table))
    if rows:
        await target.run_transaction(lambda tx: insert_rows(tx, table, rows))
    return len(rows)


async def fetch_next_rows(source: Reader, table: Table, last: Row | None) -> list[Row]:
    """Return the rows after a primary key, or the first ones; [] at the end."""
    return await source.fetch_all(_next_rows(table, after=last is not None), *(last or ()))


async def count_rows(reader: Reader, table: Table) -> int:
    """Return the number of rows of a table, without what belongs to the store itself."""
    row = await reader.fetch_one(f"SELECT count(*) FROM {table.name}{_where_copied(table)}")
    return 0 if row is None else int(row[0])


async def get_table_totals(reader: Reader, table: Table) -> TableTotals:
    """Return the totals of a table; equal rows have equal totals on either engine."""
    sums = ", ".join(_sum(column) for column in table.columns)
    row = await reader.fetch_one(f"SELECT count(*), {sums} FROM {table.name}{_where_copied(table)}")
    figures = [int(figure) for figure in row or (0,)]
    return TableTotals(figures[0], tuple(figures[1:]))


def _sum(column: Column) -> str:
    value = column.name if column.type == "INTEGER" else f"length({column.name})"
    return f"coalesce(sum({value} % {MODULUS}), 0)"


def _where_copied(table: Table) -> str:
    return f" WHERE {_IS_COPIED}" if table.name == "counters" else ""


async def _last_key(target: Database, table: Table) -> Row | None:
    order = ", ".join(f"{column} DESC" for column in table.primary_key)
    sql = (
        f"SELECT {table.key_list} FROM {table.name}{_where_copied(table)} ORDER BY {order} LIMIT 1"
    )
    row = await target.fetch_one(sql)
    return None if row is None else tuple(row)


def _next_rows(table: Table, *, after: bool) -> str:
    parameters = ", ".join(f"?{number}" for number in range(1, len(table.primary_key) + 1))
    condition = _where_copied(table)
    if after:
        condition += f"{' AND' if condition else ' WHERE'} ({table.key_list}) > ({parameters})"
    return (
        f"SELECT {table.column_list} FROM {table.name}{condition} "
        f"ORDER BY {table.key_list} LIMIT {ROWS_PER_BATCH}"
    )


async def insert_rows(tx: Transaction, table: Table, rows: list[Row]) -> None:
    sql = make_insert(table)
    for row in rows:
        await tx.execute(sql, *row)


def make_insert(table: Table) -> str:
    """Return the statement that inserts a row; its parameters are the columns in their order."""
    parameters = ", ".join(f"?{number}" for number in range(1, len(table.columns) + 1))
    return f"INSERT INTO {table.name} ({table.column_list}) VALUES ({parameters})"
