"""Runs the statements of `store/` on a connection to PostgreSQL."""

import re
from functools import lru_cache
from typing import cast

from hupan.store.engine import Row, Value
from hupan.store.postgres_pool import Connection

_PARAMETER = re.compile(r"\?([0-9]+)")


@lru_cache(maxsize=4096)
def spoken(sql: str) -> str:
    """The statement as PostgreSQL reads it: `$1` for `?1`, and locks that SQLite needs no word for.

    SQLite has one writer and takes `/* FOR UPDATE */` for a remark.
    """
    return _PARAMETER.sub(r"$\1", sql).replace("/* FOR UPDATE */", "FOR UPDATE")


class Statements:
    """Runs statements on one connection, within the transaction that it is in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        return cast("Row | None", await self._connection.fetchrow(spoken(sql), *values))

    async def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        return cast("list[Row]", await self._connection.fetch(spoken(sql), *values))

    async def run(self, sql: str, *values: Value) -> int:
        """The number of rows changed."""
        done = await self._connection.execute(spoken(sql), *values)
        count = done.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0
