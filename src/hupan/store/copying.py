"""Copies a store into another one, row by row in the order of the primary keys.

Where it broke off is where the copy's last row is, so it needs no notes to go on. While it lasts
the copy bears a mark, and no server serves from it.
"""

from msgspec import Struct

from hupan.store.engine import Engine, Reader, Row, StoreRefused, Transaction
from hupan.store.shape import Column, Table

ROWS_AT_ONCE = 500
MARK = "being-copied"
_MARKED = f"SELECT value FROM counters WHERE name = '{MARK}'"
_SET_MARK = f"""
INSERT INTO counters (name, value) VALUES ('{MARK}', 1) ON CONFLICT (name) DO NOTHING
"""
_CLEAR_MARK = f"DELETE FROM counters WHERE name = '{MARK}'"
_MODULUS = 1_000_003
"""Sums are of remainders, so that no sum grows past what an integer holds."""


class Totals(Struct, frozen=True):
    """What must be alike in a copied table: its rows, and a sum for each of its columns."""

    rows: int
    sums: tuple[int, ...]


async def refuse_half_a_copy(reader: Reader) -> None:
    """Goes on unless a copy into the store has begun and not ended.

    Raises:
        StoreRefused: it has.
    """
    if await reader.one(_MARKED) is not None:
        raise StoreRefused(
            "该数据库的复制尚未完成，请重新运行 hupan database copy / "
            "a copy into this store has not ended: run hupan database copy again"
        )


async def begin_copy(target: Engine, tables: tuple[Table, ...]) -> None:
    """Marks an empty store, or goes on with one that bears the mark.

    Raises:
        StoreRefused: it holds something else.
    """
    if await target.one(_MARKED) is not None:
        return
    for table in tables:
        if table.name != "counters" and await target.one(f"SELECT 1 FROM {table.name} LIMIT 1"):
            raise StoreRefused(
                f"目标数据库不是空的 / the store to copy to is not empty: {table.name}"
            )

    async def change(tx: Transaction) -> None:
        await tx.run("DELETE FROM counters WHERE name <> ''")
        await tx.run(_SET_MARK)

    await target.change(change)


async def end_copy(target: Engine) -> None:
    """Takes the mark away: the copy is whole."""
    await target.change(lambda tx: tx.run(_CLEAR_MARK))


async def copy_rows(source: Engine, target: Engine, table: Table) -> int:
    """Copies the next rows of a table; 0 when all are there."""
    last = await _last_key(target, table)
    rows = await source.all(_next_rows(table, after=last is not None), *(last or ()))
    if rows:
        await target.change(lambda tx: _put(tx, table, rows))
    return len(rows)


async def count_rows(reader: Reader, table: Table) -> int:
    """How many rows a table has, the mark of a copy aside."""
    row = await reader.one(f"SELECT count(*) FROM {table.name}{_but_mark(table)}")
    return 0 if row is None else int(row[0])


async def totals(reader: Reader, table: Table) -> Totals:
    """The figures of a table, alike on both engines when its rows are."""
    sums = ", ".join(_sum(column) for column in table.columns)
    row = await reader.one(f"SELECT count(*), {sums} FROM {table.name}{_but_mark(table)}")
    figures = [int(figure) for figure in row or (0,)]
    return Totals(figures[0], tuple(figures[1:]))


def _sum(column: Column) -> str:
    value = column.name if column.type == "INTEGER" else f"length({column.name})"
    return f"coalesce(sum({value} % {_MODULUS}), 0)"


def _but_mark(table: Table) -> str:
    return f" WHERE name <> '{MARK}'" if table.name == "counters" else ""


async def _last_key(target: Engine, table: Table) -> Row | None:
    order = ", ".join(f"{column} DESC" for column in table.key)
    sql = f"SELECT {table.order} FROM {table.name}{_but_mark(table)} ORDER BY {order} LIMIT 1"
    row = await target.one(sql)
    return None if row is None else tuple(row)


def _next_rows(table: Table, *, after: bool) -> str:
    places = ", ".join(f"?{number}" for number in range(1, len(table.key) + 1))
    condition = f" WHERE ({table.order}) > ({places})" if after else ""
    return (
        f"SELECT {table.names} FROM {table.name}{condition} "
        f"ORDER BY {table.order} LIMIT {ROWS_AT_ONCE}"
    )


async def _put(tx: Transaction, table: Table, rows: list[Row]) -> None:
    places = ", ".join(f"?{number}" for number in range(1, len(table.columns) + 1))
    sql = f"INSERT INTO {table.name} ({table.names}) VALUES ({places})"
    for row in rows:
        await tx.run(sql, *row)
