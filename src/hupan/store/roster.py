"""Reading many accounts: for operators, never on the path of a request."""

from hupan.model import Account, AccountId
from hupan.store.accounts import ACCOUNT_COLUMNS
from hupan.store.engine import Reader

PAGE = f"""
SELECT {ACCOUNT_COLUMNS} FROM accounts a
WHERE a.id > ?1 AND a.erase_at = 0 ORDER BY a.id LIMIT ?2
"""


async def list_accounts(reader: Reader, above: AccountId, most: int) -> list[Account]:
    """Accounts with ids above one, in the order of their ids."""
    return [Account(*row) for row in await reader.all(PAGE, above, most)]
