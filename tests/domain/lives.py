"""Accounts, sessions and how both end, on a store of their own with a clock that stands."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from hupan.chance import SeededChance
from hupan.domain.accounts import Accounts
from hupan.domain.code_login import CodeLogins
from hupan.domain.codes import CodeKind, Codes
from hupan.domain.contact_proofs import ContactProofs
from hupan.domain.days import Days
from hupan.domain.devices import Devices
from hupan.domain.endings import Endings
from hupan.domain.limiter import Limiter
from hupan.domain.messages import Messages
from hupan.domain.notices import Notices
from hupan.domain.refusals import Banned, NotSignedIn
from hupan.domain.sessions import Device, Sessions
from hupan.domain.settings import DAY, ContactRules, Limits, Rules, SessionLife
from hupan.domain.targets import Target, Targets
from hupan.domain.tokens import Tokens
from hupan.model import Account, AccountId, Caller, Limit
from hupan.seal import KEY_BYTES, Seal
from hupan.store.accounts import find_account
from hupan.store.engine import Engine, Result, Row, Transaction, Value
from tests.domain.purses import StandingClock
from tests.stores import make_engine

SHANGHAI = ZoneInfo("Asia/Shanghai")
ERASED_AFTER_DAYS = 15
WRONG_CODES = (Limit("wrong-codes-day", 20, DAY),)


class CountingEngine:
    """The real store; it counts the changes that it is asked for."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.changes = 0
        self.one, self.all = engine.one, engine.all
        self.check, self.close = engine.check, engine.close

    async def change(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Hands the change on."""
        self.changes += 1
        return await self.engine.change(work)


class Lives:
    """Everything that begins and ends sessions and accounts."""

    def __init__(self, engine: Engine, life: SessionLife, seal: Seal) -> None:
        self.engine = CountingEngine(engine)
        self.clock = clock = StandingClock()
        chance = SeededChance("lives")
        limits = Limits(enabled=True, wrong_codes=WRONG_CODES, wrong_passwords=(), sends=())
        limiter, rules, targets = Limiter(enabled=True), Rules(zone=SHANGHAI), Targets()
        self.notices = Notices(Messages(seal, chance), lambda: None)
        self.codes = Codes(seal, chance, limiter, limits, 300)
        self.accounts = Accounts(clock, chance, rules)
        self.sessions = Sessions(
            self.engine, clock, Tokens(seal, chance), Days(SHANGHAI), life, self.notices
        )
        self.devices = Devices(self.engine, clock, life)
        self.endings = Endings(
            self.engine,
            clock,
            targets,
            self.codes,
            self.notices,
            ContactProofs(ContactRules()),
            ERASED_AFTER_DAYS * DAY,
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

        return (await self.engine.change(change)).id

    async def open(self, account: AccountId, device_id: str = "") -> str:
        """Signs an account in on a device, by default on one that it never used; the token."""
        on = Device(device_id or f"device {next(self._names)}", "android")
        return await self.engine.change(lambda tx: self.sessions.open(tx, account, on))

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

    async def issue(self, target: Target, kind: CodeKind, owner: AccountId) -> str:
        """A code of a class, as if it had been asked for now."""
        now = int(self.clock.now())
        return await self.engine.change(lambda tx: self.codes.issue(tx, target, kind, owner, now))

    async def cancel(self, account: AccountId, phone: str) -> str:
        """Cancels an account as its owner does; gives the token that was used."""
        token = await self.open(account)
        code = await self.issue(sms(phone), "own", account)
        await self.endings.cancel((await self.caller(token)).session, phone, "", code)
        return token

    async def exists(self, account: AccountId) -> bool:
        """Whether anybody can find an account."""
        return await find_account(self.engine, account) is not None

    async def told(self, purpose: str) -> list[str]:
        """Who is to be told something, in order."""
        sql = "SELECT target FROM outbox WHERE purpose = ?1 ORDER BY target"
        return [row[0] for row in await self.engine.all(sql, purpose)]

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """The rows of a query."""
        return await self.engine.all(sql, *values)

    def pass_days(self, days: float) -> None:
        """Moves the clock."""
        self.clock.time += days * DAY


def sms(phone: str) -> Target:
    """A phone number."""
    return Target("sms", phone, phone)


def mail(email: str) -> Target:
    """An address."""
    return Target("email", email.lower(), email)


@contextmanager
def open_lives(
    path: Path, life: SessionLife | None = None, seal: Seal | None = None
) -> Iterator[Lives]:
    """Lives on a new store, closed at the end; each use brings an event loop of its own."""
    engine = make_engine(path)
    try:
        yield Lives(engine, life or SessionLife(), seal or Seal(b"k" * KEY_BYTES))
    finally:
        asyncio.run(engine.close())
