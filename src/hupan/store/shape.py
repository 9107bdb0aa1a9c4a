"""What tables a store has, on either engine: read off the migrations themselves."""

from functools import cache

import apsw
from msgspec import Struct

from hupan.store.migrate import migrations

JOURNAL = "migrations"


class Column(Struct, frozen=True):
    """A column; its type is `INTEGER`, `TEXT` or `BLOB`, on either engine."""

    name: str
    type: str


class Table(Struct, frozen=True):
    """A table.

    Attributes:
        columns: in their order.
        key: the names of its primary key, the first one being what it would be distributed by.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> str:
        """All columns, as SQL lists them."""
        return ", ".join(column.name for column in self.columns)

    @property
    def order(self) -> str:
        """The primary key, as SQL lists it."""
        return ", ".join(self.key)


@cache
def tables() -> tuple[Table, ...]:
    """Every table of an up-to-date store by name, but for the journal of migrations."""
    connection = apsw.Connection(":memory:")
    for migration in migrations():
        connection.execute(migration.sql).fetchall()
    listed = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    names = [str(row[0]) for row in connection.execute(listed).fetchall()]
    connection_tables = tuple(_table(connection, name) for name in names)
    connection.close()
    return connection_tables


def _table(connection: apsw.Connection, name: str) -> Table:
    told = "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid"
    rows = connection.execute(told, (name,)).fetchall()
    columns = tuple(Column(str(row[0]), str(row[1])) for row in rows)
    in_key = sorted((int(str(row[2])), str(row[0])) for row in rows if row[2])
    return Table(name, columns, tuple(column for _, column in in_key))
