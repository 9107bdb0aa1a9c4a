"""Asks a PostgreSQL store for rows, beside the servers that use it."""

import asyncio
from collections.abc import Callable

from hupan.store.database import Row
from hupan.store.postgres import PostgresDatabase
from hupan.store.postgres_pool import PostgresDsn, make_pool


def rows_on(url: str) -> Callable[[str], list[Row]]:
    """The rows of a query, as tuples."""

    async def ask(sql: str) -> list[Row]:
        engine = PostgresDatabase(await make_pool(PostgresDsn(url)))
        try:
            return [tuple(row) for row in await engine.fetch_all(sql)]
        finally:
            await engine.close()

    return lambda sql: asyncio.run(ask(sql))
