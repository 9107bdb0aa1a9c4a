"""Drafts for the account's sockets in other processes (wire.md 8.1, decision 36).

They go through the store, as ends of sessions do, so every process is reached: a worker, a node,
and also through a pooler. Drafts are a hint: a later one replaces an earlier one, what exceeds a
bound is dropped, and no request awaits them. In the store they are encrypted, and deleted once they
are read.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic

from hupan.background import BackgroundTask
from hupan.crypto import SecretBox
from hupan.domain.presence import Connection, Presence
from hupan.metrics import IncrementMetric, ignore_metric
from hupan.model import AccountId, StoreUnavailable
from hupan.store.database import Database, Transaction
from hupan.store.drafts import (
    DraftRow,
    count_drafts,
    delete_drafts,
    insert_draft,
    list_drafts,
)

ROUND_SECONDS = 0.2
HELD_SECONDS = 0.8
"""How long a draft is kept for processes whose sockets the store does not know yet."""
STALE_SECONDS = 5.0
"""After this time without a round, waiting drafts are too old to be shown."""
LINGER_SECONDS = 10.0
"""How long others may still send to this process after its last socket is gone."""
MAX_HELD = 256
MAX_HELD_OF_ACCOUNT = 64
"""An account that writes in hundreds of chats at once leaves room for others."""
MAX_ACCOUNTS_PER_ROUND = 64
MAX_DRAFTS_PER_ROUND = 200
MAX_DRAFTS_FOR_PROCESS = 1000
_PURPOSE = "draft"
_ACCOUNT_BYTES = 8


class _Draft:
    """A draft in memory, and the processes that have it."""

    __slots__ = ("account", "content", "expires_at", "number", "sent_to")

    def __init__(self, account: AccountId, content: bytes, number: int, expires_at: float) -> None:
        self.account = account
        self.content = content
        self.number = number
        self.expires_at = expires_at
        self.sent_to: set[int] = set()


class Drafts:
    """Passes drafts on to the account's other sockets, in this process and in others.

    Args:
        database: the store.
        secret_box: encrypts what is in the store.
        presence: knows the sockets.
        process: the number of this process.
        count: counts rounds that failed.
        time: seconds of a clock that never jumps.
    """

    def __init__(
        self,
        database: Database,
        secret_box: SecretBox,
        presence: Presence,
        process: int,
        count: IncrementMetric = ignore_metric,
        time: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._secret_box = secret_box
        self._presence = presence
        self._process = process
        self._time = time
        self._last_number = 0
        self._held: dict[tuple[int, str], _Draft] = {}
        self._seen: dict[int, int] = {}
        self._read_at: float | None = None
        self._ends_at = -1.0  # of the time to linger
        self._task = BackgroundTask(
            "drafts",
            self.run_round,
            interval_seconds=ROUND_SECONDS,
            expected_errors=(StoreUnavailable,),
            max_retry_seconds=1.0,
            count=count,
        )

    def start(self) -> None:
        """Start to send and to receive, on the running loop."""
        self._task.start()

    async def stop(self) -> None:
        """Stop; what was not sent is dropped."""
        await self._task.stop()

    def pass_on(self, sender: Connection, chat: str, message: bytes) -> None:
        """Send a draft to the account's other sockets; one of the same chat replaces it.

        Args:
            sender: the socket that it comes from.
            chat: the chat that the draft is for.
            message: as sockets get it.
        """
        self._presence.pass_on(sender, message)
        key = (sender.number, chat)
        self._held.pop(key, None)
        of_account = sum(one.account == sender.account for one in self._held.values())
        if len(self._held) < MAX_HELD and of_account < MAX_HELD_OF_ACCOUNT:
            self._last_number += 1
            expires_at = self._time() + HELD_SECONDS
            self._held[key] = _Draft(sender.account, message, self._last_number, expires_at)

    async def run_round(self) -> None:
        """Receive what waits for this process, and send what it holds.

        Raises:
            StoreUnavailable: the store fails.
        """
        now = self._time()
        self._held = {key: one for key, one in self._held.items() if one.expires_at > now}
        if len(self._presence):
            self._ends_at = now + LINGER_SECONDS
        elif now >= self._ends_at:
            self._read_at = None
            self._seen.clear()
            return
        await self._receive(now)
        await self._send()

    async def _receive(self, now: float) -> None:
        is_stale = self._read_at is not None and now - self._read_at > STALE_SECONDS
        rows = await list_drafts(self._database, self._process, MAX_DRAFTS_PER_ROUND)
        self._read_at = now
        if not rows:
            return
        newest = dict(self._seen)
        for row in rows:
            if row.number > self._seen.get(row.source, 0) and not is_stale:
                self._deliver(row.content)
            newest[row.source] = row.number
        self._seen = newest  # until they are deleted, they are read again
        await self._database.run_transaction(
            partial(self._delete, {row.source: row.number for row in rows})
        )
        self._seen.clear()

    def _deliver(self, content: bytes) -> None:
        draft = self._secret_box.decrypt(_PURPOSE, content)
        if draft is not None:
            account = AccountId(int.from_bytes(draft[:_ACCOUNT_BYTES]))
            self._presence.deliver(account, draft[_ACCOUNT_BYTES:])

    async def _delete(self, newest: dict[int, int], tx: Transaction) -> None:
        for source, number in newest.items():
            await delete_drafts(tx, self._process, source, number)

    async def _send(self) -> None:
        accounts = list(dict.fromkeys(one.account for one in self._held.values()))
        batches: dict[int, list[_Draft]] = {}
        for account in accounts[:MAX_ACCOUNTS_PER_ROUND]:
            processes = await self._presence.other_processes(account)
            for draft in self._held.values():
                for process in processes if draft.account == account else ():
                    if process not in draft.sent_to:
                        batches.setdefault(process, []).append(draft)
            await asyncio.sleep(0)  # reads of a file never yield to other tasks
        for process, drafts in batches.items():
            drafts.sort(key=lambda draft: draft.number)
            part = drafts[:MAX_DRAFTS_PER_ROUND]
            await self._database.run_transaction(partial(self._insert, process, part))
            for draft in part:
                draft.sent_to.add(process)

    async def _insert(self, process: int, drafts: list[_Draft], tx: Transaction) -> None:
        free = MAX_DRAFTS_FOR_PROCESS - await count_drafts(tx, process)
        for draft in drafts[: max(0, free)]:
            content = draft.account.to_bytes(_ACCOUNT_BYTES) + draft.content
            sealed = self._secret_box.encrypt(_PURPOSE, content)
            await insert_draft(tx, process, DraftRow(self._process, draft.number, sealed))
