"""How a store is spread over many machines by Citus: what its tables are distributed by.

A table is distributed by the first column of its primary key, so that all rows of an account lie
beside each other. Small tables that everybody reads are on every machine.
"""

from collections.abc import Iterator

from hupan.store.engine import Engine, StoreRefused
from hupan.store.shape import JOURNAL, tables

REFERENCE = frozenset(
    {
        "medals",
        "categories",
        "listed_bots",
        "listed_groups",
        "group_ranks",
        "group_texts",
        "group_postings",
    }
)
"""Written by operators alone, read together with rows of any account."""
_JOURNAL = f"SELECT create_reference_table('{JOURNAL}')"
"""Every machine tells which migrations it has, so that each can be named as a host."""
LEADER = "accounts"
"""Whatever is distributed by an account's id lies where the account lies."""
_HAS_CITUS = "SELECT to_regproc('create_distributed_table') IS NOT NULL"
_IS_SPREAD = "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid = CAST(?1 AS regclass)"


def distribution_column(table: str) -> str | None:
    """What a table is distributed by; None for one that is on every machine."""
    if table in REFERENCE:
        return None
    return next(one.key[0] for one in tables() if one.name == table)


def statements() -> Iterator[tuple[str, str]]:
    """For each table, the statement that spreads it; accounts first, for others lie beside them."""
    names = sorted((one.name for one in tables()), key=lambda name: (name != LEADER, name))
    for name in names:
        column = distribution_column(name)
        if column is None:
            yield name, f"SELECT create_reference_table('{name}')"
        elif column == "account_id":
            yield name, _distribute(name, column, f"'{LEADER}'")
        else:
            yield name, _distribute(name, column, "'none'")
    yield JOURNAL, _JOURNAL


async def spread(engine: Engine) -> list[str]:
    """Spreads every table that is not yet spread; gives their names.

    Raises:
        StoreRefused: the server has no Citus; it says what is missing.
    """
    row = await engine.one(_HAS_CITUS)
    if row is None or not row[0]:
        raise StoreRefused(
            "该数据库没有 citus 扩展：请在协调节点安装 Citus 并执行 CREATE EXTENSION citus / "
            "this database has no extension citus: install Citus on the coordinator and run "
            "CREATE EXTENSION citus, add the workers, then run this again"
        )
    done = []
    for name, sql in statements():
        spread_already = await engine.one(_IS_SPREAD, name)
        if spread_already is not None and spread_already[0] == 0:
            await engine.all(sql)
            done.append(name)
    return done


def _distribute(name: str, column: str, beside: str) -> str:
    return f"SELECT create_distributed_table('{name}', '{column}', colocate_with => {beside})"
