"""Sessions, the devices they were opened on, and every way a session ends.

A row of `session_ends` is written in the transaction that ends a session, for processes that hold
something open for it. `recorded_at` is the time of the store's clock at that statement; rows become
visible when they are committed, so a reader reads again what is a few seconds older than the newest
row it knows.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from hupan.model import Account, AccountId, Caller, Session, Viewer
from hupan.store.accounts import ACCOUNT_COLUMNS, lock_account
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
        """Its position among all ends."""
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


SESSION_FIELD_COUNT = len(Session.__struct_fields__)
MAX_LOGGED_OUT_TOKENS = 100
"""Tokens of an account that signed out and are remembered; the oldest are forgotten."""
MAX_TRIMMED_ROWS = 1000
"""Rows that one change trims, if an older version let more accumulate."""

FIND_CALLER = f"""
SELECT s.account_id, s.token_hash, s.device_id, s.platform, s.signed_in_at, s.last_used_at,
  {ACCOUNT_COLUMNS}
FROM sessions s JOIN accounts a ON a.id = s.account_id
WHERE s.account_id = ?1 AND s.token_hash = ?2
"""
FIND_VIEWER = """
SELECT s.account_id AS id, s.signed_in_at, s.last_used_at, a.banned_until, a.last_seen_day,
  EXISTS (SELECT 1 FROM remarks r WHERE r.account_id = ?1) AS has_remarks
FROM sessions s JOIN accounts a ON a.id = s.account_id
WHERE s.account_id = ?1 AND s.token_hash = ?2
"""
# A query within an INSERT would cost a distributed database a commit in two phases.
LIST_SESSION_KEYS = "SELECT number, token_hash, device_id FROM sessions WHERE account_id = ?1"
PUT_SESSION = """
INSERT INTO sessions
  (account_id, token_hash, device_id, platform, signed_in_at, last_used_at, country, number)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (account_id, device_id) WHERE device_id <> '' DO UPDATE SET
  token_hash = excluded.token_hash, platform = excluded.platform,
  signed_in_at = excluded.signed_in_at, last_used_at = excluded.last_used_at,
  country = excluded.country, number = excluded.number
"""
PUT_DEVICE = """
INSERT INTO devices (account_id, device_id, platform, first_seen_at, last_seen_at)
VALUES (?1, ?2, ?3, ?4, ?4)
ON CONFLICT (account_id, device_id) DO UPDATE SET
  platform = excluded.platform, last_seen_at = excluded.last_seen_at
"""
SET_COUNTRY = "UPDATE accounts SET country = ?2 WHERE id = ?1 AND country <> ?2"
HAS_DEVICE = "SELECT 1 FROM devices WHERE account_id = ?1 AND device_id = ?2"
_RETURNING_ENDED = "RETURNING account_id, token_hash, device_id"
DELETE_SESSION = (
    f"DELETE FROM sessions WHERE account_id = ?1 AND token_hash = ?2 {_RETURNING_ENDED}"
)
DELETE_OTHER_SESSIONS = (
    f"DELETE FROM sessions WHERE account_id = ?1 AND token_hash <> ?2 {_RETURNING_ENDED}"
)
INSERT_LOGGED_OUT = """
INSERT INTO left_sessions (account_id, token_hash, left_at) VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
"""
IS_LOGGED_OUT = "SELECT 1 FROM left_sessions WHERE account_id = ?1 AND token_hash = ?2"
PURGE_LOGGED_OUT = """
DELETE FROM left_sessions WHERE (account_id, token_hash) IN
  (SELECT account_id, token_hash FROM left_sessions WHERE left_at <= ?1 LIMIT ?2)
"""
TRIM_LOGGED_OUT = """
DELETE FROM left_sessions WHERE account_id = ?1 AND token_hash IN
  (SELECT token_hash FROM left_sessions WHERE account_id = ?1
   ORDER BY left_at DESC, token_hash LIMIT ?3 OFFSET ?2)
"""
TRIM_DEVICES = """
DELETE FROM devices WHERE account_id = ?1 AND device_id <> ?2 AND device_id IN
  (SELECT device_id FROM devices WHERE account_id = ?1
   ORDER BY last_seen_at DESC, device_id LIMIT ?4 OFFSET ?3)
"""
# The first request of a day counts it; `WHERE` lets no other one of that day through.
RECORD_ACTIVE_DAY = """
UPDATE accounts SET
  online_days = online_days + 1,
  days_in_a_row = CASE WHEN last_seen_day = ?2 - 1 THEN days_in_a_row + 1 ELSE 1 END,
  last_seen_day = ?2, last_active_at = ?3
WHERE id = ?1 AND last_seen_day < ?2
"""
SET_SESSION_LAST_USED = (
    "UPDATE sessions SET last_used_at = ?3 WHERE account_id = ?1 AND token_hash = ?2"
)


async def find_caller(reader: Reader, account: AccountId, token_hash: bytes) -> Caller | None:
    """Return the session of a token with its account, in one read."""
    row = await reader.fetch_one(FIND_CALLER, account, token_hash)
    if row is None:
        return None
    return Caller(Session(*row[:SESSION_FIELD_COUNT]), Account(*row[SESSION_FIELD_COUNT:]))


async def find_viewer(reader: Reader, account: AccountId, token_hash: bytes) -> Viewer | None:
    """Return only the columns that decide whether a session may view other accounts."""
    row = await reader.fetch_one(FIND_VIEWER, account, token_hash)
    return None if row is None else Viewer(*row)


async def lock_caller(tx: Transaction, account: AccountId, token_hash: bytes) -> Caller | None:
    """Return the session of a token, with its account locked until the transaction ends.

    In two steps: what ended the session may have had the account just before.
    """
    await lock_account(tx, account)
    return await find_caller(tx, account, token_hash)


async def put_session(tx: Transaction, session: Session, country: str = "") -> None:
    """Insert a session; it replaces the one of its account and device (wire.md 5, security T3).

    One without a device id replaces none: the device is unknown.
    """
    account, device_id = session.account_id, session.device_id
    existing = await tx.fetch_all(LIST_SESSION_KEYS, account)
    await tx.execute(
        PUT_SESSION,
        session.account_id,
        session.token_hash,
        session.device_id,
        session.platform,
        session.signed_in_at,
        session.last_used_at,
        country,
        max((int(number) for number, _, _ in existing), default=0) + 1,
    )
    replaced = [(account, token_hash, device) for _, token_hash, device in existing if device]
    await record_session_ends(
        tx, [row for row in replaced if row[2] == device_id], "replaced", session.signed_in_at
    )
    await tx.execute(
        PUT_DEVICE,
        session.account_id,
        session.device_id,
        session.platform,
        session.signed_in_at,
    )


async def set_country(tx: Transaction, account: AccountId, country: str) -> None:
    """Set the country of an account's last sign-in, "" for unknown."""
    await tx.execute(SET_COUNTRY, account, country)


async def has_device(reader: Reader, account: AccountId, device_id: str) -> bool:
    """Return whether a device ever signed in to an account."""
    return await reader.fetch_one(HAS_DEVICE, account, device_id) is not None


async def record_active_day(
    tx: Transaction, account: AccountId, token_hash: bytes, day: int, now: int
) -> None:
    """Count a day online, once, and record that the session was used."""
    await tx.execute(RECORD_ACTIVE_DAY, account, day, now)
    await tx.execute(SET_SESSION_LAST_USED, account, token_hash, now)


async def log_out_session(tx: Transaction, session: Session, now: int) -> None:
    ended = await tx.fetch_all(DELETE_SESSION, session.account_id, session.token_hash)
    if await record_session_ends(tx, ended, "signed-out", now):
        await tx.execute(INSERT_LOGGED_OUT, session.account_id, session.token_hash, now)
        await trim_logged_out(tx, session.account_id)


async def delete_sessions(
    tx: Transaction,
    account: AccountId,
    reason: SessionEndReason,
    now: int,
    *,
    except_token_hash: bytes = b"",
) -> int:
    """Delete an account's sessions, but for that of `except_token_hash`.

    Returns how many ended.
    """
    ended = await tx.fetch_all(DELETE_OTHER_SESSIONS, account, except_token_hash)
    return await record_session_ends(tx, ended, reason, now)


async def record_banned_sessions(tx: Transaction, account: AccountId, now: int) -> None:
    """Record that a banned account's sessions may not be used; they stay."""
    rows = await tx.fetch_all(LIST_SESSION_KEYS, account)
    banned = [(account, token_hash, device_id) for _, token_hash, device_id in rows]
    await record_session_ends(tx, banned, "banned", now)


async def is_logged_out(reader: Reader, account: AccountId, token_hash: bytes) -> bool:
    """Return whether a token logged out recently."""
    return await reader.fetch_one(IS_LOGGED_OUT, account, token_hash) is not None


async def purge_logged_out(tx: Transaction, until: int, max_rows: int) -> int:
    """Delete up to `max_rows` tokens that logged out up to a time; return their number."""
    return await tx.execute(PURGE_LOGGED_OUT, until, max_rows)


async def trim_logged_out(tx: Transaction, account: AccountId) -> None:
    """Keep the newest `MAX_LOGGED_OUT_TOKENS` logged-out tokens of an account (security X5)."""
    await tx.execute(TRIM_LOGGED_OUT, account, MAX_LOGGED_OUT_TOKENS, MAX_TRIMMED_ROWS)


async def trim_devices(
    tx: Transaction, account: AccountId, keep_device_id: str, max_devices: int
) -> None:
    """Keep the devices used last by an account, and `keep_device_id` in any case (security X5)."""
    await tx.execute(TRIM_DEVICES, account, keep_device_id, max_devices, MAX_TRIMMED_ROWS)


LIST_LIVE_SESSIONS = """
SELECT account_id, token_hash, device_id, platform, signed_in_at, last_used_at
FROM sessions WHERE account_id = ?1 AND signed_in_at > ?2 AND last_used_at > ?3
ORDER BY number DESC
"""
LIST_SESSION_SUMMARIES = """
SELECT number, device_id, platform, country, signed_in_at, last_used_at
FROM sessions WHERE account_id = ?1 AND signed_in_at > ?2 AND last_used_at > ?3
ORDER BY number DESC
"""
LOG_OUT_NUMBER = """
INSERT INTO left_sessions (account_id, token_hash, left_at)
SELECT account_id, token_hash, ?3 FROM sessions WHERE account_id = ?1 AND number = ?2
ON CONFLICT DO NOTHING
"""
DELETE_SESSION_NUMBER = (
    f"DELETE FROM sessions WHERE account_id = ?1 AND number = ?2 {_RETURNING_ENDED}"
)
LOG_OUT_DEVICE = """
INSERT INTO left_sessions (account_id, token_hash, left_at)
SELECT account_id, token_hash, ?3 FROM sessions WHERE account_id = ?1 AND device_id = ?2
ON CONFLICT DO NOTHING
"""
DELETE_DEVICE_SESSION = (
    f"DELETE FROM sessions WHERE account_id = ?1 AND device_id = ?2 {_RETURNING_ENDED}"
)
LOG_OUT_ALL = """
INSERT INTO left_sessions (account_id, token_hash, left_at)
SELECT account_id, token_hash, ?2 FROM sessions WHERE account_id = ?1
ON CONFLICT DO NOTHING
"""
DELETE_EXPIRED_SESSIONS = f"""
DELETE FROM sessions WHERE account_id = ?1 AND (signed_in_at <= ?2 OR last_used_at <= ?3)
{_RETURNING_ENDED}
"""
DELETE_OLDEST_SESSIONS = f"""
DELETE FROM sessions WHERE account_id = ?1 AND number <=
  (SELECT number FROM sessions WHERE account_id = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)
{_RETURNING_ENDED}
"""
PURGE_OLD_SESSIONS = f"""
DELETE FROM sessions WHERE (account_id, token_hash) IN
  (SELECT account_id, token_hash FROM sessions WHERE signed_in_at <= ?1 LIMIT ?2)
{_RETURNING_ENDED}
"""
PURGE_UNUSED_SESSIONS = f"""
DELETE FROM sessions WHERE (account_id, token_hash) IN
  (SELECT account_id, token_hash FROM sessions WHERE last_used_at <= ?1 LIMIT ?2)
{_RETURNING_ENDED}
"""
DELETE_FUTURE_SESSIONS = f"DELETE FROM sessions WHERE signed_in_at > ?1 {_RETURNING_ENDED}"


async def list_live_sessions(
    reader: Reader, account: AccountId, *, signed_in_after: int, used_after: int
) -> list[Session]:
    """Return the sessions of an account opened and used after two times, newest first."""
    rows = await reader.fetch_all(LIST_LIVE_SESSIONS, account, signed_in_after, used_after)
    return [Session(*row) for row in rows]


class SessionSummary(Struct, frozen=True):
    """A session for display, without its token.

    Attributes:
        number: names it among those of its account.
        country: where it was opened from, "" if that is not known.
    """

    number: int
    device_id: str
    platform: str
    country: str
    signed_in_at: int
    last_used_at: int


async def list_session_summaries(
    reader: Reader, account: AccountId, *, signed_in_after: int, used_after: int
) -> list[SessionSummary]:
    """Return the same sessions with numbers and countries."""
    rows = await reader.fetch_all(LIST_SESSION_SUMMARIES, account, signed_in_after, used_after)
    return [SessionSummary(*row) for row in rows]


async def log_out_number(tx: Transaction, account: AccountId, number: int, now: int) -> int:
    """Log out the session with a number for an operator; return how many ended."""
    await tx.execute(LOG_OUT_NUMBER, account, number, now)
    await trim_logged_out(tx, account)
    ended = await tx.fetch_all(DELETE_SESSION_NUMBER, account, number)
    return await record_session_ends(tx, ended, "operator", now)


async def log_out_device(tx: Transaction, account: AccountId, device_id: str, now: int) -> bool:
    """Log out the session of a device; False if it has none."""
    await tx.execute(LOG_OUT_DEVICE, account, device_id, now)
    await trim_logged_out(tx, account)
    ended = await tx.fetch_all(DELETE_DEVICE_SESSION, account, device_id)
    return await record_session_ends(tx, ended, "device-offline", now) > 0


async def log_out_all(
    tx: Transaction, account: AccountId, reason: SessionEndReason, now: int
) -> int:
    """Log out every session of an account; return their number."""
    await tx.execute(LOG_OUT_ALL, account, now)
    await trim_logged_out(tx, account)
    return await delete_sessions(tx, account, reason, now)


async def delete_expired_sessions(
    tx: Transaction, account: AccountId, *, signed_in_until: int, used_until: int, now: int
) -> None:
    """Delete the sessions of an account opened or last used up to two times."""
    ended = await tx.fetch_all(DELETE_EXPIRED_SESSIONS, account, signed_in_until, used_until)
    await record_session_ends(tx, ended, "expired", now)


async def delete_oldest_sessions(
    tx: Transaction, account: AccountId, max_sessions: int, now: int
) -> int:
    """Keep the newest `max_sessions` of an account; return how many were deleted."""
    ended = await tx.fetch_all(DELETE_OLDEST_SESSIONS, account, max_sessions)
    return await record_session_ends(tx, ended, "too-many-sessions", now)


async def purge_sessions(
    tx: Transaction, *, signed_in_until: int, used_until: int, max_rows: int, now: int
) -> None:
    """Delete sessions of all accounts opened or last used up to two times.

    Args:
        tx: the change.
        signed_in_until: unix seconds.
        used_until: unix seconds.
        max_rows: the maximum of each of the two kinds, so that the change stays short.
        now: unix seconds.
    """
    for sql, until in (
        (PURGE_OLD_SESSIONS, signed_in_until),
        (PURGE_UNUSED_SESSIONS, used_until),
    ):
        ended = await tx.fetch_all(sql, until, max_rows)
        await record_session_ends(tx, ended, "expired", now)


async def delete_future_sessions(tx: Transaction, now: int) -> None:
    """Delete sessions that were opened in the future because a clock was wrong."""
    ended = await tx.fetch_all(DELETE_FUTURE_SESSIONS, now)
    await record_session_ends(tx, ended, "expired", now)
