"""Invitation codes that were changed, and which account invited which."""

from hupan.model import AccountId
from hupan.store.database import Reader, Transaction

INSERT_CODE_CHANGE = """
INSERT INTO invitation_changes (account_id, former_code, changed_at) VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
"""
SET_INVITATION_CODE = "UPDATE accounts SET invitation_code = ?2 WHERE id = ?1"
INSERT_INVITATION = """
INSERT INTO invitations (account_id, inviter_id, invited_at) VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
"""
INCREMENT_INVITED = """
INSERT INTO inviters (account_id, invited, last_day, invited_on_last_day) VALUES (?1, 1, ?2, 1)
ON CONFLICT (account_id) DO UPDATE SET
  invited = inviters.invited + 1,
  invited_on_last_day = CASE
    WHEN inviters.last_day = excluded.last_day THEN inviters.invited_on_last_day + 1
    ELSE 1 END,
  last_day = excluded.last_day
"""
FIND_INVITED_COUNTS = (
    "SELECT invited, last_day, invited_on_last_day FROM inviters WHERE account_id = ?1"
)
FIND_INVITER = "SELECT inviter_id FROM invitations WHERE account_id = ?1"


async def insert_code_change(
    tx: Transaction, account: AccountId, former_code: str, now: int
) -> bool:
    """Record that an account chose its code; False if it did so before."""
    return await tx.execute(INSERT_CODE_CHANGE, account, former_code, now) == 1


async def set_invitation_code(tx: Transaction, account: AccountId, code: str) -> None:
    """Set the code that an account shows; it must have been claimed."""
    await tx.execute(SET_INVITATION_CODE, account, code)


async def insert_invitation(
    tx: Transaction, account: AccountId, inviter: AccountId, now: int
) -> bool:
    """Record the inviter of an account; False if it has one already."""
    return await tx.execute(INSERT_INVITATION, account, inviter, now) == 1


async def increment_invited(tx: Transaction, inviter: AccountId, day: int) -> None:
    """Count an invited account, on a day."""
    await tx.execute(INCREMENT_INVITED, inviter, day)


async def get_invited_counts(reader: Reader, account: AccountId, day: int) -> tuple[int, int]:
    """Return how many accounts were invited: on a day (the last or later), and in total."""
    row = await reader.fetch_one(FIND_INVITED_COUNTS, account)
    if row is None:
        return 0, 0
    total, last_day, on_last_day = row
    return (on_last_day if last_day == day else 0), total


async def find_inviter(reader: Reader, account: AccountId) -> AccountId | None:
    """Return the inviter of an account, or None."""
    row = await reader.fetch_one(FIND_INVITER, account)
    return None if row is None else AccountId(row[0])
