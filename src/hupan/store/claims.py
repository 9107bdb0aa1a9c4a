"""Claims of identities, and what their accounts show: read apart, for they may lie far apart."""

from msgspec import Struct

from hupan.model import AccountId
from hupan.store.accounts import IdentityKind
from hupan.store.engine import Reader, Transaction

LIST = """
SELECT value, kind, account_id FROM identities WHERE (value, kind) > (?1, ?2)
ORDER BY value, kind LIMIT ?3
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


async def list_claims(reader: Reader, after: tuple[str, str], most: int) -> list[Claim]:
    """The claims behind a (value, kind), in their order."""
    return [Claim(*row) for row in await reader.all(LIST, *after, most)]


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
