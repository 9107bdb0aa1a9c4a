"""Fill a store with accounts, each with one session, much faster than by signing up."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hupan.crypto import SecretBox, load_or_create_key
from hupan.domain.sessions import Tokens, sha256_digest
from hupan.model import AccountId
from hupan.rng import SystemRandomSource
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import connect

FIRST = 1_000_001
NOW = int(time.time())
TODAY = 10**6
"""A day that never ends, so that no request of a benchmark counts a day."""
TELL_EVERY = 10_000


def fill(
    folder: Path,
    accounts: int,
    parts: int = 1000,
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> list[tuple[int, str]]:
    """Create a store with accounts; return (id, token) of an even sample of them.

    Args:
        folder: must not have a store yet.
        accounts: the number of accounts.
        parts: the size of the sample, or up to twice as many.
        on_progress: is called with the number of rows added since the last call; two per account.
    """
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "hupan.db"
    tokens = Tokens(SecretBox(load_or_create_key(folder / "secret.key")), SystemRandomSource())
    migrate_file(database)
    step = max(1, accounts // parts)
    sample: list[tuple[int, str]] = []

    def sessions() -> Iterator[tuple[int, bytes, int]]:
        for account in range(FIRST, FIRST + accounts):
            token = tokens.make(AccountId(account))
            if account % step == 0:
                sample.append((account, token))
            yield account, sha256_digest(token), NOW
            tell(account)

    def people() -> Iterator[tuple[int, str, str, str, int, int]]:
        for n in range(FIRST, FIRST + accounts):
            yield n, f"用户{n}", f"139{n:08}", f"C{n}", NOW, TODAY
            tell(n)

    def tell(account: int) -> None:
        if account % TELL_EVERY == 0:
            on_progress(TELL_EVERY)

    connection = connect(database)
    with connection:
        connection.executemany(
            "INSERT INTO accounts (id, name, phone, invitation_code, registered_at, last_seen_day) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            people(),
        )
        connection.executemany(
            "INSERT INTO identities (kind, value, account_id) VALUES ('phone', ?1, ?2)",
            ((f"139{n:08}", n) for n in range(FIRST, FIRST + accounts)),
        )
        connection.executemany(
            "INSERT INTO sessions (account_id, token_hash, device_id, platform, signed_in_at, "
            "last_used_at) VALUES (?1, ?2, 'bench', 'bench', ?3, ?3)",
            sessions(),
        )
        connection.executemany(
            "INSERT INTO account_search (initial, choice, folded, id, name, avatar_url, "
            "banned_until) VALUES ('用', 2, ?1, ?2, ?1, '', 0)",
            ((f"用户{n}", n) for n in range(FIRST, FIRST + accounts)),
        )
        for name in ("account", "search-filled"):
            connection.execute(
                "UPDATE counters SET value = ?2 WHERE name = ?1", (name, FIRST + accounts)
            )
    connection.close()
    return sample
