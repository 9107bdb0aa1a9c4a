"""Accounts, sessions and how both end, on a store of their own with a clock that stands."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from hupan.addresses import ContactAddress, ContactParser
from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.accounts import AccountCreator
from hupan.domain.codes import CodePurpose, Codes
from hupan.domain.contacts import StepUps
from hupan.domain.deletion import AccountDeletion
from hupan.domain.devices import Devices
from hupan.domain.login import CodeLogins
from hupan.domain.outbox import NoticeQueue, OutboxWriter
from hupan.domain.sessions import Device, Sessions, Tokens
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import Banned, NotSignedIn
from hupan.model import Account, AccountId, Caller, Limit
from hupan.ratelimit.stored import StoredLimiter
from hupan.rng import SeededRandomSource
from hupan.rules import DAY_SECONDS, ContactRules, ServerRules, SessionPolicy, StoredLimits
from hupan.store.accounts import find_account
from hupan.store.database import Database, Result, Row, Transaction, Value
from tests.support.stores import make_engine
from tests.support.world import StandingClock

SHANGHAI = ZoneInfo("Asia/Shanghai")
ERASED_AFTER_DAYS = 15
WRONG_CODES = (Limit("wrong-codes-day", 20, DAY_SECONDS),)


class CountingEngine:
    """The real store; it counts the changes that it is asked for."""

    def __init__(self, engine: Database) -> None:
        self.engine = engine
        self.transactions = 0
        self.fetch_one, self.fetch_all = engine.fetch_one, engine.fetch_all
        self.check, self.close = engine.check, engine.close

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Hands the change on."""
        self.transactions += 1
        return await self.engine.run_transaction(work)


class Lives:
    """Everything that begins and ends sessions and accounts."""

    def __init__(self, engine: Database, life: SessionPolicy, seal: SecretBox) -> None:
        self.engine = CountingEngine(engine)
        self.clock = clock = StandingClock()
        chance = SeededRandomSource("lives")
        limits = StoredLimits(
            enabled=True, wrong_codes=WRONG_CODES, wrong_passwords=(), code_sends=()
        )
        limiter, rules, targets = (
            StoredLimiter(enabled=True),
            ServerRules(zone=SHANGHAI),
            ContactParser(),
        )
        self.notices = NoticeQueue(OutboxWriter(seal, chance), lambda: None)
        self.codes = Codes(seal, chance, limiter, limits, 300)
        self.accounts = AccountCreator(clock, chance, rules)
        self.sessions = Sessions(
            self.engine, clock, Tokens(seal, chance), DayCalendar(SHANGHAI), life, self.notices
        )
        self.devices = Devices(self.engine, clock, life)
        self.account_deletion = AccountDeletion(
            self.engine,
            clock,
            targets,
            self.codes,
            self.notices,
            StepUps(ContactRules()),
            ERASED_AFTER_DAYS * DAY_SECONDS,
        )
        self.code_logins = CodeLogins(
            self.engine, clock, targets, self.codes, self.accounts, self.sessions, rules
        )
        self._names = count(1)

    async def account(self, *, phone: str = "", email: str = "") -> AccountId:
        """A new account with what is bound to it."""

        async def change(tx: Transaction) -> Account:
            return await self.accounts.create(
                tx, phone=sms(phone) if phone else None, email=mail(email) if email else None
            )

        return (await self.engine.run_transaction(change)).id

    async def open(self, account: AccountId, device_id: str = "") -> str:
        """Signs an account in on a device, by default on one that it never used; the token."""
        on = Device(device_id or f"device {next(self._names)}", "android")
        return await self.engine.run_transaction(lambda tx: self.sessions.open(tx, account, on))

    async def caller(self, token: str) -> Caller:
        """Who a token belongs to."""
        return await self.sessions.get(token)

    async def lives(self, token: str) -> bool:
        """Whether a token is still good; asking counts as use."""
        try:
            await self.sessions.get(token)
        except (NotSignedIn, Banned):
            return False
        return True

    async def issue(self, target: ContactAddress, kind: CodePurpose, owner: AccountId) -> str:
        """A code of a class, as if it had been asked for now."""
        now = int(self.clock.now())
        return await self.engine.run_transaction(
            lambda tx: self.codes.issue(tx, target, kind, owner, now)
        )

    async def cancel(self, account: AccountId, phone: str) -> str:
        """Cancels an account as its owner does; gives the token that was used."""
        token = await self.open(account)
        code = await self.issue(sms(phone), "own", account)
        await self.account_deletion.cancel((await self.caller(token)).session, phone, "", code)
        return token

    async def exists(self, account: AccountId) -> bool:
        """Whether anybody can find an account."""
        return await find_account(self.engine, account) is not None

    async def told(self, purpose: str) -> list[str]:
        """Who is to be told something, in order."""
        sql = "SELECT target FROM outbox WHERE purpose = ?1 ORDER BY target"
        return [row[0] for row in await self.engine.fetch_all(sql, purpose)]

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """The rows of a query."""
        return await self.engine.fetch_all(sql, *values)

    def pass_days(self, days: float) -> None:
        """Moves the clock."""
        self.clock.time += days * DAY_SECONDS


def sms(phone: str) -> ContactAddress:
    """A phone number."""
    return ContactAddress("sms", phone, phone)


def mail(email: str) -> ContactAddress:
    """An address."""
    return ContactAddress("email", email.lower(), email)


@contextmanager
def open_lives(
    path: Path, life: SessionPolicy | None = None, seal: SecretBox | None = None
) -> Iterator[Lives]:
    """Lives on a new store, closed at the end; each use brings an event loop of its own."""
    engine = make_engine(path)
    try:
        yield Lives(engine, life or SessionPolicy(), seal or SecretBox(b"k" * KEY_BYTES))
    finally:
        asyncio.run(engine.close())
