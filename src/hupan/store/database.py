"""Interface of both databases (SQLite and PostgreSQL), and the deletion of all data.

SQL is written once for both: numbered parameters `?1`, plain columns, `ON CONFLICT` and
`RETURNING`. A transaction is one coroutine; on SQLite its awaits never suspend.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from hupan.localized import LocalizedError

Value: TypeAlias = str | int | bytes | None
Row: TypeAlias = tuple[Any, ...]
Result = TypeVar("Result")


class Conflict(Exception):
    """A unique key is already taken; the transaction was rolled back."""


class StoreRefused(LocalizedError):
    """The store cannot be used; the text says why."""


class DatabaseStats(NamedTuple):
    """Counters of a database since it was opened.

    Attributes:
        pending_changes: changes that wait or run now.
        committed_changes: changes that were committed.
        commits: their commits.
        failures: failed commits and reads.
        wal_bytes: size of a SQLite file's write-ahead log; 0 on PostgreSQL.
        is_partial: some accounts could not be reached recently, and others could.
        is_distributed: rows are on several machines, so reading all of them asks each.
    """

    pending_changes: int
    committed_changes: int
    commits: int
    failures: int
    wal_bytes: int = 0
    is_partial: bool = False
    is_distributed: bool = False


class Reader(Protocol):
    """Reads committed rows."""

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        """Return the first row, or None."""
        ...

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]: ...


class Transaction(Reader, Protocol):
    """Reads and writes in one transaction; an exception rolls it back."""

    async def execute(self, sql: str, *values: Value) -> int:
        """Execute a statement that returns no rows; return the number of affected rows."""
        ...

    async def lock_tables(self, *names: str) -> None:
        """Let no other transaction write to tables until this one ends; all of it is seen here."""
        ...


class Database(Reader, Protocol):
    """An open store."""

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction and return once it is durable.

        Raises:
            StoreUnavailable: the change failed and was rolled back.
            Conflict: a unique key was already taken.
        """
        ...

    async def check(self) -> None:
        """Raise StoreUnavailable if the store cannot be read or written."""
        ...

    async def close(self) -> None:
        """Finish the pending changes and close the store."""
        ...


class MeasuredDatabase(Database, Protocol):
    """An open store that a server works on."""

    def stats(self) -> DatabaseStats: ...
