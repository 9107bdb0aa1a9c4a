"""Pending events, the next of each kind first, for the clock of a sandbox."""

from hupan.model import PERMANENT_BAN_END
from hupan.store.database import Reader, Row
from hupan.store.outbox import PRIORITIES

LIST_CODE_ENDS = """
SELECT expires_at, target FROM codes WHERE expires_at > ?1 ORDER BY expires_at LIMIT ?2
"""
LIST_MESSAGES = """
SELECT due_at, target FROM outbox WHERE channel = ?3 AND priority = ?4 AND due_at > ?1
ORDER BY due_at LIMIT ?2
"""
LIST_BAN_ENDS = """
SELECT banned_until, id FROM accounts
WHERE banned_until > 0 AND banned_until > ?1 AND banned_until < ?3 AND erase_at = 0
ORDER BY banned_until LIMIT ?2
"""
LIST_VIP_ENDS = """
SELECT vip_until, id FROM accounts WHERE vip_until > 0 AND vip_until > ?1 AND erase_at = 0
ORDER BY vip_until LIMIT ?2
"""
LIST_ERASURES = """
SELECT erase_at, id FROM accounts WHERE erase_at > 0 AND erase_at > ?1 ORDER BY erase_at LIMIT ?2
"""
LIST_SESSIONS_BY_USE = """
SELECT signed_in_at, last_used_at, account_id, token_hash FROM sessions WHERE last_used_at > ?1
ORDER BY last_used_at LIMIT ?2
"""
LIST_SESSIONS_BY_SIGN_IN = """
SELECT signed_in_at, last_used_at, account_id, token_hash FROM sessions WHERE signed_in_at > ?1
ORDER BY signed_in_at LIMIT ?2
"""
LIST_STEP_UP_ENDS = """
SELECT ends_at, account_id FROM step_ups WHERE ends_at > ?1 ORDER BY ends_at LIMIT ?2
"""
LIST_REMOVALS = """
SELECT due_at, account_id FROM picture_removals WHERE due_at > ?1 ORDER BY due_at LIMIT ?2
"""


async def list_code_ends(reader: Reader, after: int, max_rows: int) -> list[Row]:
    """Return when codes expire, and their recipients."""
    return await reader.fetch_all(LIST_CODE_ENDS, after, max_rows)


async def list_messages(reader: Reader, after: int, max_rows: int) -> list[Row]:
    """Return when messages are tried again, and their recipients."""
    return [
        row
        for channel in ("sms", "email")
        for priority in PRIORITIES
        for row in await reader.fetch_all(LIST_MESSAGES, after, max_rows, channel, priority)
    ]


async def list_ban_ends(reader: Reader, after: int, max_rows: int) -> list[Row]:
    """Return when bans end, and of which accounts; without those that never do."""
    return await reader.fetch_all(LIST_BAN_ENDS, after, max_rows, PERMANENT_BAN_END)


async def list_vip_ends(reader: Reader, after: int, max_rows: int) -> list[Row]:
    """Return when VIP ends, and of which accounts."""
    return await reader.fetch_all(LIST_VIP_ENDS, after, max_rows)


async def list_erasures(reader: Reader, after: int, max_rows: int) -> list[Row]:
    """Return when cancelled accounts are erased, and which."""
    return await reader.fetch_all(LIST_ERASURES, after, max_rows)


async def list_sessions_to_expire(
    reader: Reader, signed_in_after: int, used_after: int, max_rows: int
) -> list[Row]:
    """Return sign-in, last use, account and token hash of the sessions that expire next."""
    by_use = await reader.fetch_all(LIST_SESSIONS_BY_USE, used_after, max_rows)
    by_sign_in = await reader.fetch_all(LIST_SESSIONS_BY_SIGN_IN, signed_in_after, max_rows)
    return list({(row[2], bytes(row[3])): row for row in (*by_use, *by_sign_in)}.values())


async def list_step_up_ends(reader: Reader, after: int, max_rows: int) -> list[Row]:
    """Return when proofs of a contact end, and of which accounts."""
    return await reader.fetch_all(LIST_STEP_UP_ENDS, after, max_rows)


async def list_removals(reader: Reader, after: int, max_rows: int) -> list[Row]:
    """Return when files of pictures are deleted, and of which accounts."""
    return await reader.fetch_all(LIST_REMOVALS, after, max_rows)
