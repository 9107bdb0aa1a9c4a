"""Every statement that reads accounts excludes cancelled ones (security A7).

Otherwise a cancelled account would be shown until it is erased.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import hupan.store

READS = ("FROM accounts", "JOIN accounts")
MAY_SEE_THEM = {
    "account_search.LOCK_NAME": "the search row of a cancelled account is deleted by its name",
    "account_search.LIST_IDS_IN_RANGE": "ids, of which each is then looked at",
    "accounts.FIND_ACCOUNT_IDENTITIES": "their contacts stay claimed until they are erased",
    "accounts.FIND_FIRST_REGISTERED_SINCE": "operators see them until they are erased",
    "accounts.FIND_IDS_BY_NAME_PREFIX": "operators see them until they are erased",
    "accounts.FIND_PASSWORD_HASH": "a right password is told that the account was cancelled",
    "accounts.LOCK_ACCOUNT_ID": "their contacts stay claimed until they are erased",
    "coins.FIND_INCONSISTENT_BALANCES": "balances are audited until they are erased",
    "integrity.LIST_CHECKED_ACCOUNTS": "their rows are checked until they are erased",
    "integrity.LIST_SUSPECT_SESSIONS": "their rows are checked until they are erased",
    "integrity.LOCK_CHECKED_ACCOUNT": "their rows are checked until they are erased",
    "integrity.NEXT_ACCOUNT": "their rows are checked until they are erased",
    "sessions.FIND_CALLER": "all sessions ended in the change that cancelled",
    "sessions.FIND_VIEWER": "all sessions ended in the change that cancelled",
}
"""Names of statements, and why they need no test of `erase_at`."""


def statements() -> Iterator[tuple[str, str]]:
    """Yield every SQL text of the store: `module.NAME` and the text."""
    for module in pkgutil.iter_modules(hupan.store.__path__):
        for name, value in vars(import_module(f"hupan.store.{module.name}")).items():
            if isinstance(value, str) and name.isupper():
                yield f"{module.name}.{name}", value


def test_every_reader_of_accounts_passes_over_cancelled_ones() -> None:
    """Each statement that reads accounts tests `erase_at`, or is listed with a reason."""
    blind = {
        name
        for name, sql in statements()
        if any(read in sql for read in READS) and "erase_at" not in sql
    }
    assert blind == set(MAY_SEE_THEM), (
        "add `erase_at = 0` to the statement, or say in MAY_SEE_THEM why it reads them all"
    )
