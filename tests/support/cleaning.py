"""Used PostgreSQL databases are emptied for the next test.

A new database is three hundred files, which take longer than most tests. It is only created again
if the last test did more than change rows: if the schema differs, if a connection is still open,
or if the files have grown.
"""

import asyncio
from contextlib import suppress
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
LEAVING_SECONDS = 1.0
WAIT_SECONDS = 30.0
MOST_GROWTH_BYTES = 4 << 20
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
ORDER BY relname
"""
FINGERPRINT = """
SELECT md5(string_agg(line, ';' ORDER BY line)) FROM (
  SELECT concat_ws(' ', 'class', oid, relname, relkind, relchecks, relhasrules, relhastriggers,
                   relpersistence, reloptions) AS line
  FROM pg_class WHERE oid >= 16384
  UNION ALL
  SELECT concat_ws(' ', 'column', attrelid, attnum, attname, atttypid, attnotnull, atthasdef)
  FROM pg_attribute WHERE attrelid >= 16384
  UNION ALL SELECT concat_ws(' ', 'index', indexrelid, indisvalid) FROM pg_index
  UNION ALL SELECT concat_ws(' ', 'constraint', oid, convalidated) FROM pg_constraint
  UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgenabled) FROM pg_trigger
  UNION ALL SELECT concat_ws(' ', 'function', oid) FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'schema', oid) FROM pg_namespace WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'setting', setrole, setconfig) FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS lines
"""
SIZE = "SELECT pg_database_size(current_database())"


class Cleaner:
    """Restore databases to the state of an empty store."""

    def __init__(self, fingerprint: str, size: int, cleaning: str) -> None:
        self._fingerprint, self._size, self._cleaning = fingerprint, size, cleaning

    @classmethod
    async def like(cls, url: str) -> "Cleaner":
        """Record the state of an empty store."""
        connection = await asyncpg.connect(url)
        try:
            # Foreign keys and triggers are off: every table is emptied.
            statements = ["SET session_replication_role = replica"]
            for table in [row[0] for row in await connection.fetch(TABLES)]:
                statements.append(f"DELETE FROM {table}")  # noqa: S608 - the schema's own names
                rows = await connection.fetchval(f"SELECT json_agg(t) FROM {table} t")  # noqa: S608 - as above
                if rows is not None:
                    literal = await connection.fetchval("SELECT quote_literal($1::text)", rows)
                    statements.append(
                        f"INSERT INTO {table} "  # noqa: S608 - as above
                        f"SELECT * FROM json_populate_recordset(NULL::{table}, {literal})"
                    )
            fingerprint = await connection.fetchval(FINGERPRINT)
            size = await connection.fetchval(SIZE)
        finally:
            await connection.close()
        return cls(fingerprint, size, ";".join(statements))

    async def clean(self, url: str) -> bool:
        """Empty a store; return False if it must be dropped instead."""
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(url, command_timeout=WAIT_SECONDS)
            try:
                if not await self._is_left(connection) or not await self._is_alike(connection):
                    return False
                await connection.execute(self._cleaning)
                return True
            finally:
                await connection.close()
        return False

    async def _is_alike(self, connection: Connection) -> bool:
        if await connection.fetchval(FINGERPRINT) != self._fingerprint:
            return False
        size: int = await connection.fetchval(SIZE)
        return size <= self._size + MOST_GROWTH_BYTES

    async def _is_left(self, connection: Connection) -> bool:
        deadline = asyncio.get_running_loop().time() + LEAVING_SECONDS
        while await connection.fetchval(OTHERS):
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.005)
        return True
