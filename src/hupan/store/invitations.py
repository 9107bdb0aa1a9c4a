"""Invitation codes that were changed, and who invited whom."""

from hupan.model import AccountId
from hupan.store.engine import Reader, Transaction

NOTE_CHANGE = """
INSERT INTO invitation_changes (account_id, former_code, changed_at) VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
"""
SET_CODE = "UPDATE accounts SET invitation_code = ?2 WHERE id = ?1"
LINK = """
INSERT INTO invitations (account_id, inviter_id, invited_at) VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
"""
COUNT = """
INSERT INTO inviters (account_id, invited, last_day, invited_on_last_day) VALUES (?1, 1, ?2, 1)
ON CONFLICT (account_id) DO UPDATE SET
  invited = inviters.invited + 1,
  invited_on_last_day = CASE
    WHEN inviters.last_day = excluded.last_day THEN inviters.invited_on_last_day + 1
    ELSE 1 END,
  last_day = excluded.last_day
"""
FIND_COUNTS = "SELECT invited, last_day, invited_on_last_day FROM inviters WHERE account_id = ?1"
FIND_INVITER = "SELECT inviter_id FROM invitations WHERE account_id = ?1"


async def note_code_change(tx: Transaction, account: AccountId, former: str, now: int) -> bool:
    """Says that an account chose its code; False when it did so before."""
    return await tx.run(NOTE_CHANGE, account, former, now) == 1


async def set_invitation_code(tx: Transaction, account: AccountId, code: str) -> None:
    """Replaces the code that an account shows; it must have been claimed."""
    await tx.run(SET_CODE, account, code)


async def link_inviter(tx: Transaction, account: AccountId, inviter: AccountId, now: int) -> bool:
    """Says who invited an account; False when somebody has already."""
    return await tx.run(LINK, account, inviter, now) == 1


async def count_invited(tx: Transaction, inviter: AccountId, day: int) -> None:
    """Counts one more that an account invited, on a day."""
    await tx.run(COUNT, inviter, day)


async def find_invited_counts(reader: Reader, account: AccountId, day: int) -> tuple[int, int]:
    """How many an account invited: on a day, which is the last or later, and in all."""
    row = await reader.one(FIND_COUNTS, account)
    if row is None:
        return 0, 0
    total, last_day, on_last_day = row
    return (on_last_day if last_day == day else 0), total


async def find_inviter(reader: Reader, account: AccountId) -> AccountId | None:
    """Who invited an account; None when nobody did."""
    row = await reader.one(FIND_INVITER, account)
    return None if row is None else AccountId(row[0])
