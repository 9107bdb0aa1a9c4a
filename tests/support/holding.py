"""Accounts with contacts and passwords on a store of their own, with a clock that stands."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

from hupan.addresses import ContactAddress, ContactParser
from hupan.crypto import SecretBox
from hupan.domain.accounts import AccountCreator
from hupan.domain.codes import CodePurpose, Codes
from hupan.domain.contacts import Contacts, StepUps
from hupan.domain.hash_worker import HashCost
from hupan.domain.hashing import PasswordHasher
from hupan.domain.login import CodeLogins
from hupan.domain.outbox import NoticeQueue, OutboxWriter
from hupan.domain.passwords import PasswordPolicy, PasswordResets, load_common_passwords
from hupan.domain.recovery import ContactUndo
from hupan.domain.sessions import Device, Sessions, Tokens
from hupan.domain.timekeeping import DayCalendar
from hupan.model import NO_ACCOUNT, Account, AccountId, Session
from hupan.ratelimit.stored import StoredLimiter
from hupan.rng import SeededRandomSource
from hupan.rules import ContactRules, PasswordRules, ServerRules, SessionPolicy, StoredLimits
from hupan.store.accounts import find_account, find_identity_owner
from hupan.store.database import Database, Transaction
from tests.support.stores import make_engine
from tests.support.world import StandingClock

ON = Device("pad", "ios")
CHEAP = HashCost(8, 1)
NO_LIMITS = StoredLimits(enabled=False, wrong_codes=(), wrong_passwords=(), code_sends=())
Told: TypeAlias = tuple[str, str]


class Holding:
    """Everything that contacts and passwords are made of."""

    def __init__(self, engine: Database, limits: StoredLimits) -> None:
        seal = SecretBox(b"k" * 32)
        self.engine = engine
        self.clock = StandingClock()
        self.targets = ContactParser()
        self.password_hasher = PasswordHasher(CHEAP, 1)
        rules, limiter = (
            ServerRules(zone=ZoneInfo("Asia/Shanghai")),
            StoredLimiter(enabled=limits.enabled),
        )
        self.notices = NoticeQueue(OutboxWriter(seal, SeededRandomSource("messages")), self._wake)
        self.codes = Codes(seal, SeededRandomSource("codes"), limiter, limits, 300)
        self.accounts = AccountCreator(self.clock, SeededRandomSource("accounts"), rules)
        tokens = Tokens(seal, SeededRandomSource("tokens"))
        self.sessions = Sessions(
            engine, self.clock, tokens, DayCalendar(rules.zone), SessionPolicy(), self.notices
        )
        contact_rules = ContactRules()
        self.contacts = Contacts(
            engine,
            self.clock,
            self.targets,
            self.codes,
            self.notices,
            StepUps(contact_rules),
        )
        self.undo = ContactUndo(engine, self.clock, self.notices, contact_rules)
        self.logins = CodeLogins(
            engine, self.clock, self.targets, self.codes, self.accounts, self.sessions, rules
        )
        self.resets = PasswordResets(
            engine,
            self.clock,
            self.targets,
            self.codes,
            self.password_hasher,
            PasswordPolicy(load_common_passwords(), PasswordRules()),
            self.notices,
        )
        self.woken = 0

    async def account(self, *, phone: str = "", email: str = "") -> Account:
        """A new account."""

        async def change(tx: Transaction) -> AccountId:
            made = await self.accounts.create(
                tx, phone=self.target(phone), email=self.target(email)
            )
            return made.id

        return await self.is_retryable(await self.engine.run_transaction(change))

    async def is_retryable(self, account: AccountId) -> Account:
        """An account as it stands now."""
        found = await find_account(self.engine, account)
        assert found is not None
        return found

    async def session(self, account: AccountId, on: Device = ON) -> Session:
        """A new session of an account."""
        token = await self.engine.run_transaction(lambda tx: self.sessions.open(tx, account, on))
        return (await self.sessions.get(token)).session

    def target(self, address: str) -> ContactAddress | None:
        """The target of an address."""
        if not address:
            return None
        return (self.targets.parse_email if "@" in address else self.targets.parse_phone)(
            address, "field"
        )

    async def code(self, address: str, kind: CodePurpose | None = None) -> str:
        """A code for an address; of its class by default, or of the one that is asked for."""
        target = self.target(address)
        assert target is not None

        async def change(tx: Transaction) -> str:
            owner = await find_identity_owner(tx, target.identity_kind, target.key)
            asked = kind or ("own" if owner else "new")
            now = int(self.clock.now())
            return await self.codes.issue(tx, target, asked, owner or NO_ACCOUNT, now)

        return await self.engine.run_transaction(change)

    async def told(self) -> list[Told]:
        """The notices that wait to be sent: to whom, and of what."""
        rows = await self.engine.fetch_all(
            "SELECT target, purpose FROM outbox WHERE purpose LIKE 'notice-%' ORDER BY target"
        )
        return [(row[0], row[1]) for row in rows]

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        row = await self.engine.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608 - a test's own name
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        """Lets go of the store and the threads."""
        self.password_hasher.close()
        asyncio.run(self.engine.close())

    def _wake(self) -> None:
        self.woken += 1


@contextmanager
def open_holding(path: Path, limits: StoredLimits = NO_LIMITS) -> Iterator[Holding]:
    """A new store, closed at the end; each use brings an event loop of its own."""
    holding = Holding(make_engine(path), limits)
    try:
        yield holding
    finally:
        holding.close()
