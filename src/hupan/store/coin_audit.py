"""Looks for breaks in the journal of coins (security J3); reads much, so no request asks for it."""

from msgspec import Struct

from hupan.model import AccountId
from hupan.store.engine import Reader

# An entry follows the one before it, and its two sides are each other's opposite.
BROKEN_ENTRIES = """
SELECT account_id, number FROM (
  SELECT account_id, number, before_cents, change_cents, after_cents, counter_cents,
    COALESCE(lag(number) OVER journal, 0) AS last_number,
    COALESCE(lag(after_cents) OVER journal, 0) AS last_cents
  FROM coin_entries WHERE account_id >= ?1 AND account_id <= ?2
  WINDOW journal AS (PARTITION BY account_id ORDER BY number)
) AS chain
WHERE number <> last_number + 1 OR before_cents <> last_cents
  OR before_cents + change_cents <> after_cents OR change_cents + counter_cents <> 0
  OR change_cents = 0 OR after_cents < 0
ORDER BY account_id, number LIMIT ?3
"""
WRONG_BALANCES = """
SELECT a.id, 0 FROM accounts a
WHERE a.id >= ?1 AND a.id <= ?2 AND a.coin_cents <> COALESCE(
  (SELECT e.after_cents FROM coin_entries e
   WHERE e.account_id = a.id ORDER BY e.number DESC LIMIT 1), 0)
ORDER BY a.id LIMIT ?3
"""


class CoinFault(Struct, frozen=True):
    """A break in an account's journal.

    Attributes:
        number: of the entry that does not follow or does not add up; 0 when the balance is not
            what the newest entry left.
    """

    account_id: AccountId
    number: int


async def list_coin_faults(
    reader: Reader, first: AccountId, last: AccountId, most: int
) -> list[CoinFault]:
    """Up to so many faults of either kind in the accounts from one id to another."""
    rows = [
        *await reader.all(BROKEN_ENTRIES, first, last, most),
        *await reader.all(WRONG_BALANCES, first, last, most),
    ]
    return [CoinFault(*row) for row in rows]
