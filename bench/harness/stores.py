"""Stores filled with accounts, kept between runs; some have one account with many rows."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import argon2
import msgspec
from msgspec import Struct

from bench import filling
from hupan.store import migrate, sqlite

SAMPLE = 5_000
PASSWORD = "ninety-frogs-by-the-lake"  # noqa: S105 - of benchmark accounts only
CROWDED = (1, 100, 10_000)
"""How many coin entries, sessions and remarks an account has each; see `Sample.crowded`."""
_NAMED = "sample.json"


class Member(Struct):
    """A signed-in account of a sample."""

    id: int
    token: str

    @property
    def email(self) -> str:
        """Return its address for sign-in."""
        return f"u{self.id}@bench.chat"


class Sample(Struct):
    """The accounts of a store that a benchmark uses.

    Attributes:
        accounts: the number of accounts in the store.
        members: some of them, evenly spread; they also have addresses and PASSWORD.
        crowded: by number of rows, an account with that many coin entries, sessions and remarks,
            and about which `friends` have remarks.
        made_by: a fingerprint of the code that filled it.
    """

    accounts: int
    members: list[Member]
    crowded: dict[int, Member]
    made_by: str


class Store(Struct):
    """A folder and its sample."""

    folder: Path
    sample: Sample

    @property
    def file(self) -> Path:
        """Return the SQLite file."""
        return self.folder / "hupan.db"


def rows_of(accounts: int) -> int:
    """Return the number of progress steps of filling a store."""
    return 2 * accounts


def kept(folder: Path, accounts: int, on_progress: Callable[[int], None]) -> Store:
    """Return the store with that many accounts; fill it unless an earlier run did."""
    place = folder / f"{accounts}-accounts"
    made_by = _fingerprint()
    named = place / _NAMED
    if named.exists():
        sample = msgspec.json.decode(named.read_bytes(), type=Sample)
        if (sample.made_by, sample.accounts) == (made_by, accounts):
            return Store(place, sample)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, mode=0o700)
    sampled = [Member(*one) for one in filling.fill(place, accounts, SAMPLE, on_progress)]
    crowded, members = sampled[: len(CROWDED)], sampled[len(CROWDED) :]
    sample = Sample(accounts, members, dict(zip(CROWDED, crowded, strict=True)), made_by)
    _equip(place / "hupan.db", sample)
    named.touch(mode=0o600)  # it contains tokens
    named.write_bytes(msgspec.json.encode(sample))
    return Store(place, sample)


def _fingerprint() -> str:
    """Return a hash of the schema and of the code that fills the store."""
    schema = sorted(Path(migrate.__file__).parent.glob("schema/*.sql"))
    files = [*schema, Path(sqlite.__file__), Path(filling.__file__), Path(__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _equip(file: Path, sample: Sample) -> None:
    """Set the members' passwords, and add rows to the crowded accounts."""
    hashed = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(PASSWORD)
    connection = sqlite.connect(file)
    with connection:
        connection.executemany(
            "UPDATE accounts SET email = ?2, password_hash = ?3 WHERE id = ?1",
            [(one.id, one.email, hashed) for one in sample.members],
        )
        connection.executemany(
            "INSERT INTO identities (kind, value, account_id) VALUES ('email', ?1, ?2)",
            [(one.email, one.id) for one in sample.members],
        )
        for count, member in sample.crowded.items():
            _crowd(connection, member.id, count)
    connection.execute("PRAGMA optimize").fetchall()
    connection.close()


def _crowd(connection: apsw.Connection, account: int, count: int) -> None:
    connection.executemany(
        "INSERT INTO coin_entries (account_id, number, key, typ, reason, remark, actor, "
        "before_cents, change_cents, after_cents, counter_account, counter_cents, created_at) "
        "VALUES (?1, ?2, ?3, 2, 'bench', '', 'bench', ?4, 100, ?5, 'bench', -100, ?6)",
        (
            (account, n, f"bench-{n}", 100 * (n - 1), 100 * n, filling.NOW)
            for n in range(1, count + 1)
        ),
    )
    connection.execute("UPDATE accounts SET coin_cents = ?2 WHERE id = ?1", (account, 100 * count))
    connection.executemany(
        "INSERT INTO sessions (account_id, token_hash, device_id, platform, signed_in_at, "
        "last_used_at) VALUES (?1, ?2, ?3, 'bench', ?4, ?4)",
        (
            (account, hashlib.sha256(b"%d" % n).digest(), f"bench-{n}", filling.NOW)
            for n in range(1, count)
        ),
    )
    connection.executemany(
        "INSERT INTO remarks (account_id, friend_id, name, phone, others) "
        "VALUES (?1, ?2, 'bench', '', '')",
        ((account, filling.FIRST + n) for n in range(count)),
    )
