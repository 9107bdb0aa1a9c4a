"""Presence: which sessions are connected by a socket, in this process and in the others.

This process knows its own sockets at once. The store has those of all processes, written in batches
after the fact: no request waits for these rows, and they only show connections. Whether a
session is valid is asked where sessions are: at the login, whenever the feed reports its end,
and every ten minutes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import Protocol, TypeAlias

from hupan.background import BackgroundTask
from hupan.clock import Clock
from hupan.domain.session_ends import SessionEndFeed, SessionEndSubscription
from hupan.domain.sessions import Sessions
from hupan.errors import Banned, NotSignedIn
from hupan.metrics import IncrementMetric, ignore_metric
from hupan.model import AccountId, Caller, StoreUnavailable
from hupan.store.database import Database, Transaction
from hupan.store.drafts import purge_drafts
from hupan.store.presence import (
    SocketRow,
    delete_process,
    delete_socket,
    insert_socket,
    list_processes,
    list_sockets,
    list_surplus,
    mark_surplus,
    purge_process_sockets,
    renew_process,
)
from hupan.store.sessions import SessionEnd

MAX_SOCKETS_PER_ACCOUNT = 10
ROUND_SECONDS = 0.3
"""How soon the store knows of a socket."""
SURPLUS_SECONDS = 2.0
"""How soon a process closes what is too many because of sockets of other processes."""
RENEW_SECONDS = 10.0
ALIVE_MS = 40_000
"""A process without a sign of life for this long has no sockets."""
FORGET_MS = 300_000
"""After this time, its rows are deleted."""
RECHECK_SECONDS = 600.0
"""How often the session of a socket is looked up again; that counts as its use (security T4)."""
MAX_RECHECKS_PER_ROUND = 50
MAX_WRITES_PER_ROUND = 256
PARALLEL_WRITES = 8
PURGE_BATCH_SIZE = 500
_log = logging.getLogger("hupan.presence")


class Link(Protocol):
    """A socket, as the rules see it."""

    def end(self) -> None:
        """Close it because its session has ended."""
        ...

    def give_way(self) -> None:
        """Close it because the account has too many sockets."""
        ...

    def pass_on(self, message: bytes) -> None:
        """Send a message of another socket; may be dropped."""
        ...


class Connection:
    """A link with its session, since its login.

    Attributes:
        number: names it within this process.
        connected_at_ms: unix milliseconds; they determine which of several is the oldest.
    """

    __slots__ = ("account", "connected_at_ms", "link", "number", "token_hash")

    def __init__(self, link: Link, account: AccountId, token_hash: bytes, number: int) -> None:
        self.link = link
        self.account = account
        self.token_hash = token_hash
        self.number = number
        self.connected_at_ms = 0

    @property
    def connected_at(self) -> int:
        """The same in unix seconds."""
        return self.connected_at_ms // 1000


class Presence:
    """Connections of this process, and what the store knows of those of other processes.

    Args:
        database: the store.
        clock: the time of connections.
        sessions: looks sessions up.
        session_ends: the feed of ended sessions.
        process: the number of this process.
        count: counts what happens to sockets, and rounds that failed.
        time: seconds of a clock that never jumps.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sessions: Sessions,
        session_ends: SessionEndFeed,
        process: int,
        count: IncrementMetric = ignore_metric,
        time: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._time = time
        self._sessions = sessions
        self._session_ends = session_ends
        self._process = process
        self._count = count
        self._last_number = 0
        self._by_account: dict[AccountId, dict[int, Connection]] = {}
        self._by_number: dict[int, Connection] = {}
        self._logging_in: dict[int, Connection] = {}
        # When each was last looked up, oldest first.
        self._checked: dict[Connection, float] = {}
        # What the store is to learn: rows to insert, and to delete.
        self._to_insert: dict[int, Connection] = {}
        self._to_delete: dict[int, Connection] = {}
        self._subscription: SessionEndSubscription | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._alive_at: dict[int, int] = {}
        self._renew_at = self._look_at = 0.0
        self._task = BackgroundTask(
            "presence",
            self.run_round,
            interval_seconds=ROUND_SECONDS,
            expected_errors=(StoreUnavailable,),
            max_retry_seconds=2.0,
            count=count,
        )

    def __len__(self) -> int:
        """Return how many sockets of this process are logged in."""
        return len(self._by_number)

    def start(self) -> None:
        """Start to write and to look up, on the running loop."""
        self._task.start()

    async def stop(self) -> None:
        """Stop, and remove the rows of this process from the store, if possible."""
        await self._task.stop()
        if not self._alive_at:
            return
        try:
            await self._purge(self._process)
        except StoreUnavailable:
            _log.warning("the sockets of this process stay in the store until they expire")

    async def log_in(
        self,
        link: Link,
        token: str,
        replaced: Connection | None,
        on_caller: Callable[[Caller], object] = lambda _caller: None,
    ) -> Connection:
        """Connect a link to the session of a token, in place of its former one (wire.md 8.1).

        Args:
            link: the socket.
            token: the token of the session.
            replaced: the former connection of the link.
            on_caller: called with the session's account.

        Raises:
            NotSignedIn, Banned: as for a request with this token.
            StoreUnavailable: it cannot be looked up now.
        """
        account, token_hash = self._sessions.session_key(token)
        self._last_number += 1
        connection = Connection(link, account, token_hash, self._last_number)
        self._subscribe()
        self._logging_in[connection.number] = connection
        try:
            caller = await self._sessions.get(token)
        finally:
            is_ended = self._logging_in.pop(connection.number, None) is None
            self._unsubscribe_if_idle()
        if is_ended:  # while it was looked up
            caller = await self._sessions.get(token)
        if replaced is not None:
            self.log_out(replaced)
        self._connect(connection, caller)
        on_caller(caller)
        return connection

    def log_out(self, connection: Connection) -> None:
        """Forget a connection: its link is gone, or has another session now."""
        if self._by_number.pop(connection.number, None) is None:
            return
        of_account = self._by_account[connection.account]
        del of_account[connection.number]
        if not of_account:
            del self._by_account[connection.account]
        self._checked.pop(connection, None)
        if self._to_insert.pop(connection.number, None) is None:
            self._to_delete[connection.number] = connection
        self._unsubscribe_if_idle()

    def pass_on(self, sender: Connection, message: bytes) -> None:
        """Send a message to the account's other sockets in this process."""
        for connection in tuple(self._by_account.get(sender.account, {}).values()):
            if connection is not sender:
                connection.link.pass_on(message)

    def deliver(self, account: AccountId, message: bytes) -> None:
        """Send a message of another process to the sockets of an account in this one."""
        for connection in tuple(self._by_account.get(account, {}).values()):
            connection.link.pass_on(message)

    async def other_processes(self, account: AccountId) -> set[int]:
        """Return the other processes to which sockets of an account are connected."""
        rows = await list_sockets(self._database, account)
        others = [row for row in rows if row.process != self._process]
        if others:
            await self._learn_who_lives(others)
        return {row.process for row in others if self._is_alive(row.process)}

    async def connected_since(self, account: AccountId) -> dict[bytes, int]:
        """Return since when sessions of an account are connected, by the hash of their token."""
        since: dict[bytes, int] = {}
        for connection in self._by_account.get(account, {}).values():
            _note_earliest(since, connection.token_hash, connection.connected_at)
        others = [
            row
            for row in await list_sockets(self._database, account)
            if row.process != self._process
        ]
        if others:
            await self._learn_who_lives(others)
        for row in others:
            if self._is_alive(row.process):
                _note_earliest(since, row.token_hash, row.connected_at_ms // 1000)
        return since

    async def recheck_all(self) -> None:
        """Look up every session again, as ends may have been missed."""
        for connection in tuple(self._by_number.values()):
            await self._recheck(connection)
            await asyncio.sleep(0)

    async def run_round(self) -> None:
        """Write changes, close surplus sockets, and look up the sessions that are due.

        Raises:
            StoreUnavailable: the store fails; what was not written is written later.
        """
        if not (self._by_number or self._to_delete or self._alive_at):
            return
        now = self._time()
        await self._renew_if_due(now)
        await self._write_changes()
        if now >= self._look_at:
            self._look_at = now + SURPLUS_SECONDS
            await self._close_surplus()
        for connection in list(self._due_checks(now)):
            await self._recheck(connection)

    async def _close_surplus(self) -> None:
        for number in await list_surplus(self._database, self._process, MAX_WRITES_PER_ROUND):
            if (surplus := self._by_number.get(number)) is not None:
                self._give_way(surplus)

    def _subscribe(self) -> None:
        if self._subscription is None:
            self._subscription = self._session_ends.subscribe(self._on_session_end, self._on_gap)

    def _unsubscribe_if_idle(self) -> None:
        is_idle = not self._by_number and not self._logging_in
        if is_idle and self._subscription is not None:
            self._subscription.cancel()
            self._subscription = None

    def _connect(self, connection: Connection, caller: Caller) -> None:
        account = caller.account.id
        connection.connected_at_ms = int(self._clock.now() * 1000)
        self._subscribe()
        of_account = self._by_account.setdefault(account, {})
        of_account[connection.number] = self._by_number[connection.number] = connection
        self._to_insert[connection.number] = connection
        self._checked[connection] = self._time()
        if len(of_account) > MAX_SOCKETS_PER_ACCOUNT:
            self._give_way(next(iter(of_account.values())))

    def _give_way(self, connection: Connection) -> None:
        self._count("sockets", "surplus")
        self.log_out(connection)
        connection.link.give_way()

    def _end(self, connection: Connection) -> None:
        self._count("sockets", "ended")
        self.log_out(connection)
        connection.link.end()

    def _on_session_end(self, end: SessionEnd) -> None:
        for number, connection in tuple(self._logging_in.items()):
            if connection.token_hash == end.token_hash:
                del self._logging_in[number]
        for connection in tuple(self._by_account.get(end.account_id, {}).values()):
            if connection.token_hash == end.token_hash:
                self._spawn(connection)

    def _spawn(self, connection: Connection) -> None:
        task = asyncio.ensure_future(self._recheck(connection, is_told=True))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_gap(self) -> None:
        for connection in self._checked:
            self._checked[connection] = -RECHECK_SECONDS

    async def _recheck(self, connection: Connection, *, is_told: bool = False) -> None:
        """Close a connection whose session is not valid.

        Args:
            connection: the connection.
            is_told: whether the feed reported its end; trusted while the store is down.
        """
        try:
            await self._sessions.check(connection.account, connection.token_hash)
        except (NotSignedIn, Banned):
            self._end_if_connected(connection)
        except StoreUnavailable:
            if is_told:
                self._end_if_connected(connection)

    def _end_if_connected(self, connection: Connection) -> None:
        if connection.number in self._by_number:
            self._end(connection)

    def _due_checks(self, now: float) -> Iterator[Connection]:
        due: list[Connection] = []
        for connection, checked_at in self._checked.items():
            if now - checked_at < RECHECK_SECONDS or len(due) >= MAX_RECHECKS_PER_ROUND:
                break
            due.append(connection)
        for connection in due:
            if self._checked.pop(connection, None) is not None:
                self._checked[connection] = now
                yield connection

    async def _renew_if_due(self, now: float) -> None:
        if now < self._renew_at:
            return
        await self._database.run_transaction(lambda tx: renew_process(tx, self._process))
        self._alive_at = alive_at = await list_processes(self._database)
        self._renew_at = now + RENEW_SECONDS
        for process, at in alive_at.items():
            if alive_at.get(self._process, 0) - at > FORGET_MS:
                await self._purge(process)

    async def _learn_who_lives(self, rows: list[SocketRow]) -> None:
        # Reports of other processes are compared with that of this process, which must be fresh
        # too.
        try:
            await self._renew_if_due(self._time())
            if any(row.process not in self._alive_at for row in rows):
                self._alive_at |= await list_processes(self._database)
        except StoreUnavailable:
            _log.warning("the list of connected clients may be inaccurate")

    def _is_alive(self, process: int) -> bool:
        own = self._alive_at.get(self._process, 0)
        return own - self._alive_at.get(process, 0) <= ALIVE_MS

    async def _purge(self, process: int) -> None:
        change = partial(purge_process_sockets, process=process, max_rows=PURGE_BATCH_SIZE)
        while await self._database.run_transaction(change) == PURGE_BATCH_SIZE:
            pass
        await self._database.run_transaction(lambda tx: purge_drafts(tx, process))
        await self._database.run_transaction(lambda tx: delete_process(tx, process))

    async def _write_changes(self) -> None:
        """Write in one change for each account, some at a time.

        Raises:
            StoreUnavailable: one of them failed; it is written later.
        """
        changes: dict[AccountId, _Changes] = {}
        for connection in self._to_delete.values():
            changes.setdefault(connection.account, ([], []))[1].append(connection)
            if len(changes) >= MAX_WRITES_PER_ROUND:
                break
        for connection in self._to_insert.values():
            changes.setdefault(connection.account, ([], []))[0].append(connection)
            if len(changes) >= MAX_WRITES_PER_ROUND:
                break
        pending = list(changes.items())
        for start in range(0, len(pending), PARALLEL_WRITES):
            part = pending[start : start + PARALLEL_WRITES]
            writes = (self._write_account(account, *change) for account, change in part)
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome

    async def _write_account(
        self, account: AccountId, inserts: list[Connection], deletes: list[Connection]
    ) -> None:
        change = partial(self._change_account, account, inserts, deletes)
        is_written = False
        try:
            await self._database.run_transaction(change)
            is_written = True
        finally:
            for connection in inserts:
                if connection.number not in self._by_number:  # it left meanwhile
                    self._to_delete[connection.number] = connection
                elif is_written:
                    self._to_insert.pop(connection.number, None)
        for connection in deletes:
            self._to_delete.pop(connection.number, None)

    async def _change_account(
        self,
        account: AccountId,
        inserts: list[Connection],
        deletes: list[Connection],
        tx: Transaction,
    ) -> None:
        for connection in deletes:
            await delete_socket(tx, account, self._process, connection.number)
        for connection in inserts:
            row = SocketRow(
                self._process, connection.number, connection.token_hash, connection.connected_at_ms
            )
            await insert_socket(tx, account, row)
        if not inserts:
            return
        rows = [row for row in await list_sockets(tx, account) if self._is_alive(row.process)]
        rows.sort(key=lambda row: (row.connected_at_ms, row.process, row.number))
        for row in rows[: max(0, len(rows) - MAX_SOCKETS_PER_ACCOUNT)]:
            await mark_surplus(tx, account, row.process, row.number)


_Changes: TypeAlias = tuple[list[Connection], list[Connection]]
"""Changes of one account: to insert, and to delete."""


def _note_earliest(since: dict[bytes, int], token_hash: bytes, connected_at: int) -> None:
    since[token_hash] = min(since.get(token_hash, connected_at), connected_at)
