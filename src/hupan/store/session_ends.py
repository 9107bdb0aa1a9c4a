"""How sessions end but by signing out: of one device, the oldest, the expired, all of them."""

from msgspec import Struct

from hupan.model import AccountId, Session
from hupan.store.engine import Reader, Transaction
from hupan.store.sessions import end_sessions, trim_left

LIST_LIVE = """
SELECT account_id, token_hash, device_id, platform, signed_in_at, last_used_at
FROM sessions WHERE account_id = ?1 AND signed_in_at > ?2 AND last_used_at > ?3
ORDER BY number DESC
"""
LIST_WITH_PLACES = """
SELECT number, device_id, platform, country, signed_in_at, last_used_at
FROM sessions WHERE account_id = ?1 AND signed_in_at > ?2 AND last_used_at > ?3
ORDER BY number DESC
"""
NOTE_NUMBER_LEFT = """
INSERT INTO left_sessions (account_id, token_hash, left_at)
SELECT account_id, token_hash, ?3 FROM sessions WHERE account_id = ?1 AND number = ?2
ON CONFLICT DO NOTHING
"""
END_NUMBER = "DELETE FROM sessions WHERE account_id = ?1 AND number = ?2"
NOTE_DEVICE_LEFT = """
INSERT INTO left_sessions (account_id, token_hash, left_at)
SELECT account_id, token_hash, ?3 FROM sessions WHERE account_id = ?1 AND device_id = ?2
ON CONFLICT DO NOTHING
"""
END_DEVICE = "DELETE FROM sessions WHERE account_id = ?1 AND device_id = ?2"
NOTE_ALL_LEFT = """
INSERT INTO left_sessions (account_id, token_hash, left_at)
SELECT account_id, token_hash, ?2 FROM sessions WHERE account_id = ?1
ON CONFLICT DO NOTHING
"""
END_EXPIRED = """
DELETE FROM sessions WHERE account_id = ?1 AND (signed_in_at <= ?2 OR last_used_at <= ?3)
"""
END_OLDEST = """
DELETE FROM sessions WHERE account_id = ?1 AND number <=
  (SELECT number FROM sessions WHERE account_id = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)
"""
PURGE_OLD = """
DELETE FROM sessions WHERE (account_id, token_hash) IN
  (SELECT account_id, token_hash FROM sessions WHERE signed_in_at <= ?1 LIMIT ?2)
"""
PURGE_UNUSED = """
DELETE FROM sessions WHERE (account_id, token_hash) IN
  (SELECT account_id, token_hash FROM sessions WHERE last_used_at <= ?1 LIMIT ?2)
"""


async def list_live(
    reader: Reader, account: AccountId, *, signed_in_after: int, used_after: int
) -> list[Session]:
    """The sessions of an account that were opened and used after two times; newest first."""
    rows = await reader.all(LIST_LIVE, account, signed_in_after, used_after)
    return [Session(*row) for row in rows]


class LiveSession(Struct, frozen=True):
    """A session as people are shown it, without anything that opens it.

    Attributes:
        number: names it among those of its account.
        country: where it was opened from, "" where that is not known.
    """

    number: int
    device_id: str
    platform: str
    country: str
    signed_in_at: int
    last_used_at: int


async def list_with_places(
    reader: Reader, account: AccountId, *, signed_in_after: int, used_after: int
) -> list[LiveSession]:
    """The same sessions with their numbers and places."""
    rows = await reader.all(LIST_WITH_PLACES, account, signed_in_after, used_after)
    return [LiveSession(*row) for row in rows]


async def end_numbered(tx: Transaction, account: AccountId, number: int, now: int) -> int:
    """Ends the session with a number as if it had signed out; gives how many ended."""
    await tx.run(NOTE_NUMBER_LEFT, account, number, now)
    await trim_left(tx, account)
    return await tx.run(END_NUMBER, account, number)


async def end_device(tx: Transaction, account: AccountId, device_id: str, now: int) -> bool:
    """Ends the session of one device as if it had signed out; False when it has none."""
    await tx.run(NOTE_DEVICE_LEFT, account, device_id, now)
    await trim_left(tx, account)
    return await tx.run(END_DEVICE, account, device_id) > 0


async def leave_all(tx: Transaction, account: AccountId, now: int) -> int:
    """Ends every session of an account as if each had signed out; gives how many there were."""
    await tx.run(NOTE_ALL_LEFT, account, now)
    await trim_left(tx, account)
    return await end_sessions(tx, account)


async def end_expired(
    tx: Transaction, account: AccountId, *, signed_in_until: int, used_until: int
) -> None:
    """Ends the sessions of an account that were opened or last used up to two times."""
    await tx.run(END_EXPIRED, account, signed_in_until, used_until)


async def end_oldest(tx: Transaction, account: AccountId, most: int) -> int:
    """Leaves an account its newest sessions, `most` of them; gives how many ended."""
    return await tx.run(END_OLDEST, account, most)


async def purge_sessions(
    tx: Transaction, *, signed_in_until: int, used_until: int, most: int
) -> None:
    """Forgets sessions of all accounts that were opened or last used up to two times.

    Args:
        tx: the change.
        signed_in_until: unix seconds.
        used_until: unix seconds.
        most: of each of the two kinds, so that the change stays short.
    """
    await tx.run(PURGE_OLD, signed_in_until, most)
    await tx.run(PURGE_UNUSED, used_until, most)
