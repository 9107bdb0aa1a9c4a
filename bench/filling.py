"""Fills a store with accounts, each with one session, for benches. Much faster than signing up."""

import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from hupan.chance import SystemChance
from hupan.domain.tokens import Tokens
from hupan.model import AccountId
from hupan.seal import Seal, digest, load_key
from hupan.store.migrate import migrate

FIRST = 1_000_001
NOW = int(time.time())
TODAY = 10**6
"""A day that is never over, so that no request of a bench counts a day."""


def fill(folder: Path, accounts: int) -> list[tuple[int, str]]:
    """Makes a store with so many accounts; gives (id, token) of each thousandth part of them."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "hupan.db"
    tokens = Tokens(Seal(load_key(folder / "secret.key")), SystemChance())
    migrate(database)
    step = max(1, accounts // 1000)
    sample: list[tuple[int, str]] = []

    def sessions() -> Iterator[tuple[int, bytes, int]]:
        for account in range(FIRST, FIRST + accounts):
            token = tokens.make(AccountId(account))
            if account % step == 0:
                sample.append((account, token))
            yield account, digest(token), NOW

    connection = apsw.Connection(str(database))
    with connection:
        connection.executemany(
            "INSERT INTO accounts (id, name, phone, invitation_code, registered_at, last_seen_day) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                (n, f"用户{n}", f"139{n:08}", f"C{n}", NOW, TODAY)
                for n in range(FIRST, FIRST + accounts)
            ),
        )
        connection.executemany(
            "INSERT INTO sessions (account_id, token_hash, device_id, platform, signed_in_at, "
            "last_used_at) VALUES (?1, ?2, 'bench', 'bench', ?3, ?3)",
            sessions(),
        )
        connection.execute(
            "UPDATE counters SET value = ?1 WHERE name = 'account'", (FIRST + accounts,)
        )
    connection.close()
    return sample
