"""Looks at the rows where money and credentials lie; reads all of them, so no request asks for it.

Written for both engines. A row that cannot be read at all raises `StoreUnavailable` instead.
"""

from collections.abc import Mapping

from hupan.model import AccountId
from hupan.store.coin_audit import list_coin_faults
from hupan.store.engine import Reader

MOST_FAULTS = 100
_LAST = AccountId(2**63 - 1)

CHECKS: Mapping[str, str] = {
    "identities: leads to no account": """
SELECT i.account_id FROM identities i LEFT JOIN accounts a ON a.id = i.account_id
WHERE a.id IS NULL LIMIT ?1
""",
    "identities: a phone number that its account does not show": """
SELECT i.account_id FROM identities i JOIN accounts a ON a.id = i.account_id
WHERE i.kind = 'phone' AND i.value <> a.phone LIMIT ?1
""",
    "identities: an address that its account does not show": """
SELECT i.account_id FROM identities i JOIN accounts a ON a.id = i.account_id
WHERE i.kind = 'email' AND i.value <> lower(a.email) LIMIT ?1
""",
    "accounts: shows a phone number that is not its own": """
SELECT a.id FROM accounts a LEFT JOIN identities i
  ON i.kind = 'phone' AND i.value = a.phone AND i.account_id = a.id
WHERE a.phone <> '' AND i.value IS NULL LIMIT ?1
""",
    "accounts: shows an address that is not its own": """
SELECT a.id FROM accounts a LEFT JOIN identities i
  ON i.kind = 'email' AND i.value = lower(a.email) AND i.account_id = a.id
WHERE a.email <> '' AND i.value IS NULL LIMIT ?1
""",
    "accounts: a password hash that is none": """
SELECT id FROM accounts
WHERE password_hash <> '' AND password_hash NOT LIKE '$argon2id$v=19$m=%,p=1$%' LIMIT ?1
""",
    "sessions: of no account": """
SELECT s.account_id FROM sessions s LEFT JOIN accounts a ON a.id = s.account_id
WHERE a.id IS NULL LIMIT ?1
""",
    "sessions: a hash of a token that is none": """
SELECT account_id FROM sessions WHERE length(token_hash) <> 32 LIMIT ?1
""",
    "codes: more tries than there can be": """
SELECT account_id FROM codes WHERE attempts < 0 OR attempts > 5 LIMIT ?1
""",
}


async def check_rows(reader: Reader) -> list[str]:
    """What is wrong, as `table: what: account`; [] when nothing is. Nobody's data stand in it.

    Raises:
        StoreUnavailable: a row could not be read.
    """
    found = []
    for fault, sql in CHECKS.items():
        rows = await reader.all(sql, MOST_FAULTS)
        found += [f"{fault}: account {row[0]}" for row in rows]
    for coins in await list_coin_faults(reader, AccountId(0), _LAST, MOST_FAULTS):
        place = f"entry {coins.number}" if coins.number else "the balance"
        found.append(
            f"coin_entries: {place} does not follow from what was before: "
            f"account {coins.account_id}"
        )
    return found
