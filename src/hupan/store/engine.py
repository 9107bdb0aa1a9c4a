"""What both engines offer, and what a feature's file in this folder is written against.

SQL is written once for both: numbered parameters `?1`, plain columns, `ON CONFLICT` and
`RETURNING`. A change is one coroutine; on SQLite its awaits never suspend.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

Value: TypeAlias = str | int | bytes | None
Row: TypeAlias = tuple[Any, ...]
Result = TypeVar("Result")


class Conflict(Exception):  # noqa: N818 - it names what was met
    """A unique key is taken already; nothing of the change was kept."""


class StoreRefused(Exception):  # noqa: N818 - it is said before the server starts
    """The store cannot be used as it is; the text says why, in Chinese and English."""


class Figures(NamedTuple):
    """What an engine has done so far.

    Attributes:
        waiting: changes that wait or are under way now.
        changes: those that were kept.
        groups: the commits that kept them.
        failures: commits and reads that the machine failed.
        log_bytes: how large the write-ahead log of a file is; 0 on PostgreSQL.
    """

    waiting: int
    changes: int
    groups: int
    failures: int
    log_bytes: int = 0


class Reader(Protocol):
    """Reads committed rows."""

    async def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        ...

    async def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        ...


class Transaction(Reader, Protocol):
    """Reads and writes within one change; an exception undoes the whole change."""

    async def run(self, sql: str, *values: Value) -> int:
        """Runs a statement that returns no rows; gives the number of rows it changed."""
        ...


class Engine(Reader, Protocol):
    """An open store."""

    async def change(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
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


class MeasuredEngine(Engine, Protocol):
    """An open store that a server works on."""

    def figures(self) -> Figures:
        """What was done so far."""
        ...
