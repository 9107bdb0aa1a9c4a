"""Credentials of accounts that the sandbox itself created, for its pages."""

from collections import OrderedDict
from collections.abc import Iterable

from msgspec import Struct

MAX_KNOWN_ACCOUNTS = 1000
"""The oldest are forgotten; the accounts stay."""


class KnownAccount(Struct, frozen=True):
    """What is needed to sign in; "" for what the account does not have."""

    id: str
    phone: str
    email: str
    password: str
    token: str


class KnownAccounts:
    """The newest of them, by id."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, KnownAccount] = OrderedDict()
        self._change_count = 0

    @property
    def change_count(self) -> int:
        """How often an account was added or all were forgotten."""
        return self._change_count

    def add(self, account: KnownAccount) -> None:
        self._by_id[account.id] = account
        self._change_count += 1
        while len(self._by_id) > MAX_KNOWN_ACCOUNTS:
            self._by_id.popitem(last=False)

    def find(self, account_id: str) -> KnownAccount | None:
        return self._by_id.get(account_id)

    def newest(self) -> KnownAccount | None:
        """Return the account that was created last."""
        return next(reversed(self._by_id.values()), None)

    def export(self) -> list[KnownAccount]:
        """Return all, oldest first."""
        return list(self._by_id.values())

    def restore(self, accounts: Iterable[KnownAccount]) -> None:
        """Replace all."""
        self.clear()
        for account in accounts:
            self.add(account)

    def clear(self) -> None:
        self._by_id.clear()
        self._change_count += 1
