"""Accounts with contacts and passwords on a store of their own, with a clock that stands."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

from hupan.chance import SeededChance
from hupan.domain.accounts import Accounts
from hupan.domain.argon2id import HashCost
from hupan.domain.code_login import CodeLogins
from hupan.domain.codes import NOBODY, CodeKind, Codes
from hupan.domain.common_passwords import load_common_passwords
from hupan.domain.contact_proofs import ContactProofs
from hupan.domain.contact_undo import ContactUndo
from hupan.domain.contacts import Contacts
from hupan.domain.days import Days
from hupan.domain.limiter import Limiter
from hupan.domain.messages import Messages
from hupan.domain.notices import Notices
from hupan.domain.password_reset import PasswordResets
from hupan.domain.password_strength import PasswordStrength
from hupan.domain.passwords import Passwords
from hupan.domain.sessions import Device, Sessions
from hupan.domain.settings import ContactRules, Limits, PasswordRules, Rules, SessionLife
from hupan.domain.targets import Target, Targets
from hupan.domain.tokens import Tokens
from hupan.model import Account, AccountId, Session
from hupan.seal import Seal
from hupan.store.accounts import find_account, find_owner
from hupan.store.engine import Engine, Transaction
from tests.domain.standing import StandingClock
from tests.stores import make_engine

ON = Device("pad", "ios")
CHEAP = HashCost(8, 1)
NO_LIMITS = Limits(enabled=False, wrong_codes=(), wrong_passwords=(), sends=())
Told: TypeAlias = tuple[str, str]


class Holding:
    """Everything that contacts and passwords are made of."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        seal = Seal(b"k" * 32)
        self.engine = engine
        self.clock = StandingClock()
        self.targets = Targets()
        self.passwords = Passwords(CHEAP, 1)
        rules, limiter = Rules(zone=ZoneInfo("Asia/Shanghai")), Limiter(enabled=limits.enabled)
        self.notices = Notices(Messages(seal, SeededChance("messages")), self._wake)
        self.codes = Codes(seal, SeededChance("codes"), limiter, limits, 300)
        self.accounts = Accounts(self.clock, SeededChance("accounts"), rules)
        tokens = Tokens(seal, SeededChance("tokens"))
        self.sessions = Sessions(
            engine, self.clock, tokens, Days(rules.zone), SessionLife(), self.notices
        )
        contact_rules = ContactRules()
        self.contacts = Contacts(
            engine,
            self.clock,
            self.targets,
            self.codes,
            self.notices,
            ContactProofs(contact_rules),
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
            self.passwords,
            PasswordStrength(load_common_passwords(), PasswordRules()),
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

        return await self.again(await self.engine.change(change))

    async def again(self, account: AccountId) -> Account:
        """An account as it stands now."""
        found = await find_account(self.engine, account)
        assert found is not None
        return found

    async def session(self, account: AccountId, on: Device = ON) -> Session:
        """A new session of an account."""
        token = await self.engine.change(lambda tx: self.sessions.open(tx, account, on))
        return (await self.sessions.get(token)).session

    def target(self, address: str) -> Target | None:
        """The target of an address."""
        if not address:
            return None
        return (self.targets.email if "@" in address else self.targets.phone)(address, "field")

    async def code(self, address: str, kind: CodeKind | None = None) -> str:
        """A code for an address; of its class by default, or of the one that is asked for."""
        target = self.target(address)
        assert target is not None

        async def change(tx: Transaction) -> str:
            owner = await find_owner(tx, target.kind, target.key)
            asked = kind or ("own" if owner else "new")
            now = int(self.clock.now())
            return await self.codes.issue(tx, target, asked, owner or NOBODY, now)

        return await self.engine.change(change)

    async def told(self) -> list[Told]:
        """The notices that wait to be sent: to whom, and of what."""
        rows = await self.engine.all(
            "SELECT target, purpose FROM outbox WHERE purpose LIKE 'notice-%' ORDER BY target"
        )
        return [(row[0], row[1]) for row in rows]

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        row = await self.engine.one(f"SELECT count(*) FROM {table}")  # noqa: S608 - a test's own name
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        """Lets go of the store and the threads."""
        self.passwords.close()
        asyncio.run(self.engine.close())

    def _wake(self) -> None:
        self.woken += 1


@contextmanager
def open_holding(path: Path, limits: Limits = NO_LIMITS) -> Iterator[Holding]:
    """A new store, closed at the end; each use brings an event loop of its own."""
    holding = Holding(make_engine(path), limits)
    try:
        yield holding
    finally:
        holding.close()
