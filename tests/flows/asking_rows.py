"""Asks a PostgreSQL store for rows, beside the servers that use it."""

import asyncio
from collections.abc import Callable

from hupan.store.engine import Row
from hupan.store.postgres import PostgresEngine
from hupan.store.postgres_place import Place
from hupan.store.postgres_pool import open_pool


def rows_on(url: str) -> Callable[[str], list[Row]]:
    """The rows of a query, as tuples."""

    async def ask(sql: str) -> list[Row]:
        engine = PostgresEngine(await open_pool(Place(url)))
        try:
            return [tuple(row) for row in await engine.all(sql)]
        finally:
            await engine.close()

    return lambda sql: asyncio.run(ask(sql))
