"""Sessions that ended in the last minutes, for processes that hold something open for them.

The row is written in the transaction that ends the session. `recorded_at` is the time of the
store's clock at that statement; rows become visible when they are committed, so a reader reads
again what is a few seconds older than the newest row it knows.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from hupan.model import AccountId
from hupan.store.database import Reader, Row, Transaction

SessionEndReason: TypeAlias = Literal[
    "signed-out",
    "device-offline",
    "replaced",
    "too-many-sessions",
    "expired",
    "banned",
    "cancelled",
    "password-changed",
    "contact-changed",
    "operator",
]
"""Why a session ended; `replaced` is a new sign-in of the same device."""

INSERT_SESSION_END = """
INSERT INTO session_ends (account_id, token_hash, device_id, reason, ended_at)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (account_id, token_hash) DO UPDATE SET
  reason = excluded.reason, ended_at = excluded.ended_at, recorded_at = excluded.recorded_at
"""
LIST_SESSION_ENDS = """
SELECT account_id, token_hash, device_id, reason, ended_at, recorded_at
FROM session_ends WHERE (recorded_at, account_id, token_hash) > (?1, ?2, ?3)
ORDER BY recorded_at, account_id, token_hash LIMIT ?4
"""
PURGE_SESSION_ENDS = """
DELETE FROM session_ends WHERE (account_id, token_hash) IN
  (SELECT account_id, token_hash FROM session_ends WHERE ended_at <= ?1 LIMIT ?2)
"""


class SessionEnd(Struct, frozen=True):
    """The end of a session.

    Attributes:
        ended_at: unix seconds of the server.
        recorded_at: milliseconds of the store's clock; another one if the account is banned again.
    """

    account_id: AccountId
    token_hash: bytes
    device_id: str
    reason: SessionEndReason
    ended_at: int
    recorded_at: int

    @property
    def position(self) -> "SessionEndPosition":
        """Where it stands among all."""
        return self.recorded_at, self.account_id, self.token_hash


SessionEndPosition: TypeAlias = tuple[int, int, bytes]
"""The time of the store's clock in milliseconds, account and hash of the token."""


async def record_session_ends(
    tx: Transaction, ended: list[Row], reason: SessionEndReason, now: int
) -> int:
    """Record the end of sessions in the transaction that ends them; return their number.

    Args:
        tx: the change.
        ended: account, hash of the token and device id of each.
        reason: why they end.
        now: unix seconds.
    """
    for account, token_hash, device_id in ended:
        await tx.execute(INSERT_SESSION_END, account, token_hash, device_id, reason, now)
    return len(ended)


async def list_session_ends(
    reader: Reader, position: SessionEndPosition, max_rows: int
) -> list[SessionEnd]:
    """Return the ends that follow a position, in their order."""
    rows = await reader.fetch_all(LIST_SESSION_ENDS, *position, max_rows)
    return [SessionEnd(*row) for row in rows]


async def purge_session_ends(tx: Transaction, until: int, max_rows: int) -> int:
    """Delete up to `max_rows` ends up to a time; return their number."""
    return await tx.execute(PURGE_SESSION_ENDS, until, max_rows)
