"""Interface of both databases (SQLite and PostgreSQL), and the deletion of all data.

SQL is written once for both: numbered parameters `?1`, plain columns, `ON CONFLICT` and
`RETURNING`. A change is one coroutine; on SQLite its awaits never suspend.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from hupan.localized import LocalizedError

Value: TypeAlias = str | int | bytes | None
Row: TypeAlias = tuple[Any, ...]
Result = TypeVar("Result")


class Conflict(Exception):
    """A unique key is taken already; nothing of the change was kept."""


class StoreRefused(LocalizedError):
    """The store cannot be used as it is; the text says why."""


class DatabaseStats(NamedTuple):
    """What an engine has done so far.

    Attributes:
        pending_changes: changes that wait or are under way now.
        committed_changes: those that were kept.
        commits: the commits that kept them.
        failures: commits and reads that the machine failed.
        wal_bytes: how large the write-ahead log of a file is; 0 on PostgreSQL.
    """

    pending_changes: int
    committed_changes: int
    commits: int
    failures: int
    wal_bytes: int = 0


class Reader(Protocol):
    """Reads committed rows."""

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        ...

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        ...


class Transaction(Reader, Protocol):
    """Reads and writes within one change; an exception undoes the whole change."""

    async def execute(self, sql: str, *values: Value) -> int:
        """Runs a statement that returns no rows; gives the number of rows it changed."""
        ...


class Database(Reader, Protocol):
    """An open store."""

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Runs `work` in a transaction and returns once what it did is durable.

        Raises:
            StoreUnavailable: it could not be kept; nothing of it was.
            Conflict: a unique key was taken already.
        """
        ...

    async def check(self) -> None:
        """Raises StoreUnavailable when the store cannot be read or no longer keeps anything."""
        ...

    async def close(self) -> None:
        """Finishes the changes under way and lets go of the store."""
        ...


class MeasuredDatabase(Database, Protocol):
    """An open store that a server works on."""

    def stats(self) -> DatabaseStats:
        """What was done so far."""
        ...


DATA_TABLES = (
    "accounts",
    "identities",
    "sessions",
    "left_sessions",
    "devices",
    "codes",
    "spent_captchas",
    "tallies",
    "limit_resets",
    "outbox",
    "contact_changes",
    "step_ups",
    "medals",
    "account_medals",
    "profiles",
    "remarks",
    "invitation_changes",
    "invitations",
    "inviters",
    "coin_entries",
    "coin_refusals",
    "categories",
    "listed_groups",
    "group_ranks",
    "group_texts",
    "group_postings",
    "listed_bots",
    "ignored_modules",
    "notification_settings",
)
RESET_ACCOUNT_COUNTER = "UPDATE counters SET value = 1000000 WHERE name = 'account'"


async def delete_all_data(tx: Transaction) -> None:
    """Forgets everything; ids start over."""
    for table in DATA_TABLES:
        await tx.execute(f"DELETE FROM {table}")
    await tx.execute(RESET_ACCOUNT_COUNTER)
