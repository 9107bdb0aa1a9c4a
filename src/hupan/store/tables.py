"""The tables of the schema, read from the files in `schema/`.

A new table needs no list: what a reset empties and what is erased with an account follows from its
columns.
"""

from functools import cache
from importlib.resources import files

import apsw
from msgspec import Struct

from hupan.store.database import Transaction

MIGRATIONS_TABLE = "migrations"


class Column(Struct, frozen=True):
    """A column; its type is `INTEGER`, `TEXT` or `BLOB`, on either engine."""

    name: str
    type: str


class Table(Struct, frozen=True):
    """A table.

    Attributes:
        columns: the columns in their order.
        primary_key: its columns; the first is the distribution column.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]

    @property
    def column_list(self) -> str:
        """All columns, as SQL lists them."""
        return ", ".join(column.name for column in self.columns)

    @property
    def key_list(self) -> str:
        """The primary key, as SQL lists it."""
        return ", ".join(self.primary_key)


def read_schema_files(engine: str = "sqlite") -> list[tuple[str, str]]:
    """Return name and SQL of every file in `schema/` for an engine, in order.

    `0009_x.sql` is for every database but one with a separate file, `0009_x.postgres.sql`.
    """
    folder = files("hupan.store").joinpath("schema")
    names = {entry.name for entry in folder.iterdir() if entry.name.endswith(".sql")}
    shared = sorted(name for name in names if name.count(".") == 1)
    own = [name.replace(".sql", f".{engine}.sql") for name in shared]
    texts = [folder.joinpath(o if o in names else n) for n, o in zip(shared, own, strict=True)]
    return [
        (name, text.read_text(encoding="utf-8")) for name, text in zip(shared, texts, strict=True)
    ]


@cache
def list_tables(newest: str = "") -> tuple[Table, ...]:
    """Return every table of a store by name, but for the journal of migrations.

    Args:
        newest: the last schema file that was applied to it; "" for an up-to-date store.
    """
    connection = apsw.Connection(":memory:")
    for name, sql in read_schema_files():
        if not newest or name <= newest:
            connection.execute(sql).fetchall()
    listed = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    names = [str(row[0]) for row in connection.execute(listed).fetchall()]
    connection_tables = tuple(_read_table(connection, name) for name in names)
    connection.close()
    return connection_tables


def _read_table(connection: apsw.Connection, name: str) -> Table:
    sql = "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid"
    rows = connection.execute(sql, (name,)).fetchall()
    columns = tuple(Column(str(row[0]), str(row[1])) for row in rows)
    in_key = sorted((int(str(row[2])), str(row[0])) for row in rows if row[2])
    return Table(name, columns, tuple(column for _, column in in_key))


_KEPT_BY_RESET = frozenset({"counters", "picture_removals"})
_KEPT_BY_ERASURE = {
    "coin_entries": "the journal stays, under an id without an account (security J3)",
    "picture_removals": "names of files, until the files are deleted",
    "codes": "deleted with the contact that they were sent to",
    "session_ends": "stays for minutes, until every process has closed what the session held open",
}
"""Tables with a column `account_id` whose rows outlive their account, and why."""


@cache
def data_tables() -> tuple[str, ...]:
    """Return the tables that a reset of the sandbox empties."""
    return tuple(table.name for table in list_tables() if table.name not in _KEPT_BY_RESET)


@cache
def erased_tables() -> tuple[str, ...]:
    """Return the tables whose rows are erased with their account (security A7)."""
    return tuple(
        table.name
        for table in list_tables()
        if table.name not in _KEPT_BY_ERASURE
        and any(column.name == "account_id" for column in table.columns)
    )


# Names of files outlive the rows because the files have to be deleted, too.
_KEEP_PICTURE_NAMES = """
INSERT INTO picture_removals (account_id, name, due_at)
SELECT account_id, substr(name, 1, 26), 0 FROM pictures WHERE name <> ''
ON CONFLICT DO NOTHING
"""
RESET_ACCOUNT_COUNTER = "UPDATE counters SET value = 1000000 WHERE name = 'account'"


async def remove_all_files(tx: Transaction) -> None:
    """Schedule the files of all pictures for deletion."""
    await tx.execute(_KEEP_PICTURE_NAMES)


async def delete_all_data(tx: Transaction) -> None:
    """Delete all data; ids start over."""
    await remove_all_files(tx)
    for table in data_tables():
        await tx.execute(f"DELETE FROM {table}")
    await tx.execute(RESET_ACCOUNT_COUNTER)
