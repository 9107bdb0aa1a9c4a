"""Claims of identities, and what their accounts show: read apart, for they may lie far apart."""

from msgspec import Struct

from hupan.model import AccountId
from hupan.store.accounts import IdentityKind
from hupan.store.engine import Reader, Transaction

# The processes of a store share the walk: each takes the next ids, and behind the last account it
# begins anew.
LAST_ACCOUNT = "SELECT value FROM counters WHERE name = 'account'"
TAKE_IDS = """
INSERT INTO counters (name, value) VALUES ('claims-walked', ?1)
ON CONFLICT (name) DO UPDATE SET value = CASE
  WHEN counters.value >= ?2 THEN excluded.value ELSE counters.value + ?3 END
RETURNING value
"""
LIST = """
SELECT value, kind, account_id FROM identities WHERE account_id > ?1 AND account_id <= ?2
ORDER BY account_id
"""
FIND = "SELECT account_id FROM identities WHERE value = ?1 AND kind = ?2 AND account_id = ?3"
# In two steps where it counts: what held the account may have changed it (decision 0017).
HOLD = "SELECT id FROM accounts WHERE id = ?1 /* FOR UPDATE */"
SHOWN = """
SELECT a.phone, a.email, a.invitation_code, COALESCE(c.former_code, '')
FROM accounts a LEFT JOIN invitation_changes c ON c.account_id = a.id WHERE a.id = ?1
"""


class Claim(Struct, frozen=True):
    """An identity and the account that it leads to; an identity is kept in its normal form."""

    value: str
    kind: IdentityKind
    account_id: AccountId


async def take_ids(tx: Transaction, start: int, count: int) -> range:
    """The ids whose claims are to be looked at next; the first ones follow `start`."""
    last = await tx.one(LAST_ACCOUNT) or (start,)
    row = await tx.one(TAKE_IDS, start + count, int(last[0]), count) or (start + count,)
    end = int(row[0])
    return range(end - count + 1, end + 1)


async def list_claims(reader: Reader, ids: range) -> list[Claim]:
    """The claims of the accounts with these ids, which follow each other."""
    return [Claim(*row) for row in await reader.all(LIST, ids.start - 1, ids.stop - 1)]


async def is_borne_out(reader: Reader, claim: Claim) -> bool:
    """Whether the account of a claim is there and shows it, or once showed the invitation code.

    An account that was cancelled keeps what it has until it is erased (security A7).
    """
    row = await reader.one(SHOWN, claim.account_id)
    if row is None:
        return False
    phone, email, *codes = row
    if claim.kind == "invitation":
        return claim.value in codes
    return claim.value == str(phone if claim.kind == "phone" else email).lower()


async def hold_claim(tx: Transaction, claim: Claim) -> bool:
    """Holds the account of a claim, if there is one; False when the claim itself is gone."""
    await tx.one(HOLD, claim.account_id)
    return await tx.one(FIND, claim.value, claim.kind, claim.account_id) is not None
