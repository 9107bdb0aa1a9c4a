"""Sessions and the devices they were opened on."""

from hupan.model import Account, AccountId, Caller, Session, Viewer
from hupan.store.accounts import ACCOUNT_COLUMNS, hold_account
from hupan.store.engine import Reader, Transaction

SESSION_FIELDS = len(Session.__struct_fields__)
MOST_LEFT = 100
"""Tokens of an account that signed out and are remembered; the oldest are forgotten."""
MOST_TRIMMED = 1000
"""Rows that one change trims, where an older version let more pile up."""

FIND_CALLER = f"""
SELECT s.account_id, s.token_hash, s.device_id, s.platform, s.signed_in_at, s.last_used_at,
  {ACCOUNT_COLUMNS}
FROM sessions s JOIN accounts a ON a.id = s.account_id
WHERE s.account_id = ?1 AND s.token_hash = ?2
"""
FIND_VIEWER = """
SELECT s.account_id, s.signed_in_at, s.last_used_at, a.banned_until, a.last_seen_day,
  EXISTS (SELECT 1 FROM remarks r WHERE r.account_id = ?1)
FROM sessions s JOIN accounts a ON a.id = s.account_id
WHERE s.account_id = ?1 AND s.token_hash = ?2
"""
OPEN = """
INSERT INTO sessions
  (account_id, token_hash, device_id, platform, signed_in_at, last_used_at, country, number)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, coalesce(max(number), 0) + 1
FROM sessions WHERE account_id = ?1
ON CONFLICT (account_id, device_id) WHERE device_id <> '' DO UPDATE SET
  token_hash = excluded.token_hash, platform = excluded.platform,
  signed_in_at = excluded.signed_in_at, last_used_at = excluded.last_used_at,
  country = excluded.country, number = excluded.number
"""
NOTE_DEVICE = """
INSERT INTO devices (account_id, device_id, platform, first_seen_at, last_seen_at)
VALUES (?1, ?2, ?3, ?4, ?4)
ON CONFLICT (account_id, device_id) DO UPDATE SET
  platform = excluded.platform, last_seen_at = excluded.last_seen_at
"""
NOTE_COUNTRY = "UPDATE accounts SET country = ?2 WHERE id = ?1 AND country <> ?2"
KNOWS_DEVICE = "SELECT 1 FROM devices WHERE account_id = ?1 AND device_id = ?2"
END = "DELETE FROM sessions WHERE account_id = ?1 AND token_hash = ?2"
END_ALL = "DELETE FROM sessions WHERE account_id = ?1 AND token_hash <> ?2"
NOTE_LEFT = """
INSERT INTO left_sessions (account_id, token_hash, left_at) VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
"""
HAS_LEFT = "SELECT 1 FROM left_sessions WHERE account_id = ?1 AND token_hash = ?2"
PURGE_LEFT = """
DELETE FROM left_sessions WHERE (account_id, token_hash) IN
  (SELECT account_id, token_hash FROM left_sessions WHERE left_at <= ?1 LIMIT ?2)
"""
TRIM_LEFT = """
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
NOTE_DAY = """
UPDATE accounts SET
  online_days = online_days + 1,
  days_in_a_row = CASE WHEN last_seen_day = ?2 - 1 THEN days_in_a_row + 1 ELSE 1 END,
  last_seen_day = ?2, last_active_at = ?3
WHERE id = ?1 AND last_seen_day < ?2
"""
NOTE_USE = "UPDATE sessions SET last_used_at = ?3 WHERE account_id = ?1 AND token_hash = ?2"


async def find_caller(reader: Reader, account: AccountId, token_hash: bytes) -> Caller | None:
    """The session that a token opened, with its account, in one read."""
    row = await reader.one(FIND_CALLER, account, token_hash)
    if row is None:
        return None
    return Caller(Session(*row[:SESSION_FIELDS]), Account(*row[SESSION_FIELDS:]))


async def find_viewer(reader: Reader, account: AccountId, token_hash: bytes) -> Viewer | None:
    """Of the same no more than tells whether it may look at others."""
    row = await reader.one(FIND_VIEWER, account, token_hash)
    return None if row is None else Viewer(*row)


async def hold_caller(tx: Transaction, account: AccountId, token_hash: bytes) -> Caller | None:
    """The same, with the account held until the change ends.

    In two steps: what ended the session may have had the account just before.
    """
    await hold_account(tx, account)
    return await find_caller(tx, account, token_hash)


async def open_session(tx: Transaction, session: Session, country: str = "") -> None:
    """Writes a session; the one of the same account and device ends (wire.md 5, security T3).

    One without a device id ends none: nothing tells whether it comes from the same device.
    """
    await tx.run(
        OPEN,
        session.account_id,
        session.token_hash,
        session.device_id,
        session.platform,
        session.signed_in_at,
        session.last_used_at,
        country,
    )
    await tx.run(
        NOTE_DEVICE,
        session.account_id,
        session.device_id,
        session.platform,
        session.signed_in_at,
    )


async def note_country(tx: Transaction, account: AccountId, country: str) -> None:
    """Keeps the country of an account's last sign-in, "" when it is not known."""
    await tx.run(NOTE_COUNTRY, account, country)


async def knows_device(reader: Reader, account: AccountId, device_id: str) -> bool:
    """Whether a device ever signed in to an account."""
    return await reader.one(KNOWS_DEVICE, account, device_id) is not None


async def note_day(
    tx: Transaction, account: AccountId, token_hash: bytes, day: int, now: int
) -> None:
    """Counts a day online, once, and says that the session was used."""
    await tx.run(NOTE_DAY, account, day, now)
    await tx.run(NOTE_USE, account, token_hash, now)


async def leave_session(tx: Transaction, session: Session, now: int) -> None:
    """Ends one session by signing out."""
    if await tx.run(END, session.account_id, session.token_hash):
        await tx.run(NOTE_LEFT, session.account_id, session.token_hash, now)
        await trim_left(tx, session.account_id)


async def end_sessions(tx: Transaction, account: AccountId, *, but: bytes = b"") -> int:
    """Ends every session of an account, but for the one whose token has the hash `but`.

    Gives how many ended.
    """
    return await tx.run(END_ALL, account, but)


async def has_left(reader: Reader, account: AccountId, token_hash: bytes) -> bool:
    """Whether a token signed out, not long ago."""
    return await reader.one(HAS_LEFT, account, token_hash) is not None


async def purge_left(tx: Transaction, until: int, most: int) -> int:
    """Delete tokens that signed out up to a time, up to `most` of them; return how many."""
    return await tx.run(PURGE_LEFT, until, most)


async def trim_left(tx: Transaction, account: AccountId) -> None:
    """Keep the newest `MOST_LEFT` tokens of an account that signed out (security X5)."""
    await tx.run(TRIM_LEFT, account, MOST_LEFT, MOST_TRIMMED)


async def trim_devices(tx: Transaction, account: AccountId, device_id: str, most: int) -> None:
    """Keep the devices that an account used last, `device_id` in any case (security X5)."""
    await tx.run(TRIM_DEVICES, account, device_id, most, MOST_TRIMMED)
