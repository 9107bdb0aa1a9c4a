"""What will happen when time passes: codes that expire, bans and VIP that end, erasures (K-6)."""

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.sessions import SessionPolicy
from hupan.store.database import Database, Reader, Row
from hupan.store.pending import (
    list_ban_ends,
    list_code_ends,
    list_erasures,
    list_messages,
    list_removals,
    list_sessions_to_expire,
    list_step_up_ends,
    list_vip_ends,
)

PendingKind: TypeAlias = Literal[
    "code", "message", "ban", "vip", "erasure", "session", "step-up", "file"
]
ListRows: TypeAlias = Callable[[Reader, int, int], Awaitable[list[Row]]]
_LISTS: tuple[tuple[PendingKind, ListRows], ...] = (
    ("code", list_code_ends),
    ("message", list_messages),
    ("ban", list_ban_ends),
    ("vip", list_vip_ends),
    ("erasure", list_erasures),
    ("step-up", list_step_up_ends),
    ("file", list_removals),
)
_ACTING = ("message", "erasure", "file")
"""The kinds of events that need an action when they are due; all others simply end."""


class PendingEvent(Struct, frozen=True, order=True):
    """What happens at a time.

    Attributes:
        at: the time in unix seconds.
        subject: the address or the account.
    """

    at: int
    kind: PendingKind
    subject: str


class PendingEvents:
    """Reads what is pending."""

    def __init__(self, database: Database, clock: Clock, policy: SessionPolicy) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy

    async def list_next(self, max_events: int) -> list[PendingEvent]:
        """Return what happens next, soonest first."""
        now = int(self._clock.now())
        events = await self._list_sessions(now, max_events)
        for kind, list_rows in _LISTS:
            rows = await list_rows(self._database, now, max_events)
            events += [PendingEvent(int(at), kind, str(subject)) for at, subject in rows]
        return sorted(events)[:max_events]

    async def find_next_action(self) -> int | None:
        """Return the next time at which something is done, None if there is none."""
        now = int(self._clock.now())
        times = [
            int(at)
            for kind, list_rows in _LISTS
            if kind in _ACTING
            for at, _ in await list_rows(self._database, now, 1)
        ]
        return min(times, default=None)

    async def _list_sessions(self, now: int, max_events: int) -> list[PendingEvent]:
        policy = self._policy
        signed_in_until, used_until = policy.cutoffs(now)
        rows = await list_sessions_to_expire(
            self._database, signed_in_until, used_until, max_events
        )
        ends = [
            (min(signed_in + policy.absolute_seconds, used + policy.idle_seconds), account)
            for signed_in, used, account, _ in rows
        ]
        return [PendingEvent(end, "session", str(account)) for end, account in ends if end > now]
