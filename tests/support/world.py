"""Accounts, sessions, contacts and coins on their own store, with a clock that stands still."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Self, TypeAlias
from zoneinfo import ZoneInfo

import pytest

from hupan.addresses import ContactAddress, ContactParser
from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.accounts import AccountCreator, Bans, Medals, VipMemberships
from hupan.domain.codes import CodePurpose, Codes
from hupan.domain.coins import CoinChange, Coins
from hupan.domain.contacts import Contacts, StepUps
from hupan.domain.deletion import AccountDeletion
from hupan.domain.devices import Devices
from hupan.domain.hash_worker import HashCost
from hupan.domain.hashing import PasswordHasher
from hupan.domain.invitations import Invitations
from hupan.domain.outbox import NoticeQueue, OutboxWriter
from hupan.domain.passwords import (
    PasswordPolicy,
    PasswordResets,
    load_common_passwords,
)
from hupan.domain.recovery import ContactUndo
from hupan.domain.sessions import CodeLogins, Device, SessionPolicy, Sessions, Tokens
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import AppError, Banned, NotSignedIn
from hupan.model import NO_ACCOUNT, Account, AccountId, Caller, CoinEntry, CoinType, Limit, Session
from hupan.ratelimit.stored import StoredLimiter
from hupan.rng import SeededRandomSource
from hupan.rules import (
    DAY_SECONDS,
    ContactRules,
    InvitationRules,
    PasswordRules,
    ServerRules,
    StoredLimits,
)
from hupan.store.accounts import find_account, find_identity_owner
from hupan.store.database import Database, Result, Row, Transaction, Value
from tests.support.stores import make_engine

NOW = 1_754_669_040  # 2025-08-09 00:04:00 in Shanghai
SHANGHAI = ZoneInfo("Asia/Shanghai")
ERASED_AFTER_DAYS = 15
ON = Device("pad", "ios")
CHEAP = HashCost(8, 1)
NO_LIMITS = StoredLimits(enabled=False, wrong_codes=(), wrong_passwords=(), code_sends=())
CODE_LIMITS = StoredLimits(
    enabled=True,
    wrong_codes=(Limit("wrong-codes-day", 20, DAY_SECONDS),),
    wrong_passwords=(),
    code_sends=(),
)
Notice: TypeAlias = tuple[str, str]
"""The recipient and the purpose of a notice."""
INSERT_ACCOUNT = """
INSERT INTO accounts (id, name, invitation_code, registered_at) VALUES (?1, 'somebody', ?2, 0)
"""
BALANCE = "SELECT coin_cents FROM accounts WHERE id = ?1"


class StandingClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = float(NOW)

    def now(self) -> float:
        """Return the time it was set to."""
        return self.time


class CountingEngine:
    """The real store, counting its transactions."""

    def __init__(self, engine: Database) -> None:
        self.engine = engine
        self.transactions = 0
        self.fetch_one, self.fetch_all = engine.fetch_one, engine.fetch_all
        self.check, self.close = engine.check, engine.close

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Count and run a transaction."""
        self.transactions += 1
        return await self.engine.run_transaction(work)


class World:
    """The services of the domain on one store.

    Args:
        limits: the stored limits; by default only that of wrong codes.
    """

    def __init__(
        self,
        engine: Database,
        *,
        limits: StoredLimits = CODE_LIMITS,
        policy: SessionPolicy | None = None,
        invitations: InvitationRules | None = None,
        secret_box: SecretBox | None = None,
    ) -> None:
        self.engine = CountingEngine(engine)
        self.clock = clock = StandingClock()
        self.targets = targets = ContactParser()
        secret_box = secret_box or SecretBox(b"k" * KEY_BYTES)
        rules, contact_rules = ServerRules(zone=SHANGHAI), ContactRules()
        days, policy = DayCalendar(SHANGHAI), policy or SessionPolicy()
        self.wakeups = 0
        self.notices = NoticeQueue(
            OutboxWriter(secret_box, SeededRandomSource("messages")), self._wake
        )
        self.codes = Codes(
            secret_box,
            SeededRandomSource("codes"),
            StoredLimiter(enabled=limits.enabled),
            limits,
            300,
        )
        self.accounts = AccountCreator(clock, SeededRandomSource("accounts"), rules)
        tokens = Tokens(secret_box, SeededRandomSource("tokens"))
        self.sessions = Sessions(self.engine, clock, tokens, days, policy, self.notices)
        self.devices = Devices(self.engine, clock, policy)
        self.contacts = Contacts(
            self.engine, clock, targets, self.codes, self.notices, StepUps(contact_rules)
        )
        self.undo = ContactUndo(self.engine, clock, self.notices, contact_rules)
        self.account_deletion = AccountDeletion(
            self.engine,
            clock,
            targets,
            self.codes,
            self.notices,
            StepUps(contact_rules),
            ERASED_AFTER_DAYS * DAY_SECONDS,
        )
        self.code_logins = CodeLogins(
            self.engine, clock, targets, self.codes, self.accounts, self.sessions, rules
        )
        self.coins = Coins(self.engine, clock)
        self.bans = Bans(self.engine, clock)
        self.vip = VipMemberships(self.engine, clock)
        self.medals = Medals(self.engine)
        self.invitations = Invitations(
            self.engine, clock, days, self.coins, invitations or InvitationRules()
        )
        self._bare_ids, self._device_names = count(1_000_001), count(1)

    @cached_property
    def password_hasher(self) -> PasswordHasher:
        """Return a hasher of the smallest cost, started on first use."""
        return PasswordHasher(CHEAP, 1)

    @cached_property
    def resets(self) -> PasswordResets:
        """Return the password resets by e-mail."""
        return PasswordResets(
            self.engine,
            self.clock,
            self.targets,
            self.codes,
            self.password_hasher,
            PasswordPolicy(load_common_passwords(), PasswordRules()),
            self.notices,
        )

    async def account(self, *, phone: str = "", email: str = "", invited_by: str = "") -> Account:
        """Create an account."""

        async def change(tx: Transaction) -> AccountId:
            account = await self.accounts.create(
                tx, phone=self.target(phone), email=self.target(email)
            )
            if invited_by:
                await self.invitations.accept(tx, account.id, invited_by, "invitedBy")
            return account.id

        return await self.reload(await self.engine.run_transaction(change))

    async def account_id(self, *, phone: str = "", email: str = "") -> AccountId:
        """Create an account and return its id."""
        return (await self.account(phone=phone, email=email)).id

    async def bare_account(self, cents: int = 0) -> AccountId:
        """Insert the row of an account, with coins that were added under the key `start`."""
        account = AccountId(next(self._bare_ids))

        async def change(tx: Transaction) -> None:
            await tx.execute(INSERT_ACCOUNT, account, str(account))

        await self.engine.run_transaction(change)
        if cents:
            await self.coins.change(coin_change(account, cents, "start"))
        return account

    async def reload(self, account: AccountId) -> Account:
        """Return an account as it is stored now."""
        found = await find_account(self.engine, account)
        assert found is not None
        return found

    async def exists(self, account: AccountId) -> bool:
        """Return whether an account can be found."""
        return await find_account(self.engine, account) is not None

    async def sign_in(self, account: AccountId, device_id: str = "") -> str:
        """Sign in on a device, by default on a new one, and return the token."""
        on = Device(device_id or f"device {next(self._device_names)}", "android")
        return await self.engine.run_transaction(lambda tx: self.sessions.open(tx, account, on))

    async def session(self, account: AccountId, on: Device = ON) -> Session:
        """Open a session on a device."""
        token = await self.engine.run_transaction(lambda tx: self.sessions.open(tx, account, on))
        return (await self.sessions.get(token)).session

    async def caller(self, token: str) -> Caller:
        """Return the caller of a token."""
        return await self.sessions.get(token)

    async def is_signed_in(self, token: str) -> bool:
        """Return whether a token is still valid; the call counts as use."""
        try:
            await self.sessions.get(token)
        except (NotSignedIn, Banned):
            return False
        return True

    def target(self, address: str) -> ContactAddress | None:
        """Parse a phone number or an address."""
        if not address:
            return None
        return (self.targets.parse_email if "@" in address else self.targets.parse_phone)(
            address, "field"
        )

    async def code(self, address: str, purpose: CodePurpose | None = None) -> str:
        """Issue a code for an address, by default with the purpose that the server would choose."""
        target = self.target(address)
        assert target is not None
        owner = await find_identity_owner(self.engine, target.identity_kind, target.key)
        chosen = purpose or ("own" if owner else "new")
        return await self.issue(target, chosen, owner or NO_ACCOUNT)

    async def issue(self, target: ContactAddress, purpose: CodePurpose, owner: AccountId) -> str:
        """Issue a code of a purpose now."""
        now = int(self.clock.now())
        return await self.engine.run_transaction(
            lambda tx: self.codes.issue(tx, target, purpose, owner, now)
        )

    async def cancel(self, account: AccountId, phone: str) -> str:
        """Cancel an account as its owner does, and return the token that was used."""
        token = await self.sign_in(account)
        code = await self.issue(phone_address(phone), "own", account)
        await self.account_deletion.cancel((await self.caller(token)).session, phone, "", code)
        return token

    async def coin_answer(self, change: CoinChange) -> CoinEntry | type[AppError]:
        """Return the entry of a change of coins, or the class of its error."""
        try:
            return await self.coins.change(change)
        except AppError as error:
            return type(error)

    async def balance(self, account: AccountId) -> int:
        """Return the coins of an account in cents."""
        return int((await self.row(BALANCE, account))[0])

    async def queued_notices(self) -> list[Notice]:
        """Return the notices in the outbox, by recipient."""
        rows = await self.engine.fetch_all(
            "SELECT target, purpose FROM outbox WHERE purpose LIKE 'notice-%' ORDER BY target"
        )
        return [(row[0], row[1]) for row in rows]

    async def recipients(self, purpose: str) -> list[str]:
        """Return the recipients of the queued notices of a purpose, in order."""
        sql = "SELECT target FROM outbox WHERE purpose = ?1 ORDER BY target"
        return [row[0] for row in await self.engine.fetch_all(sql, purpose)]

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Return the rows of a query."""
        return await self.engine.fetch_all(sql, *values)

    async def row(self, sql: str, *values: Value) -> Row:
        """Return the one row of a query."""
        row = await self.engine.fetch_one(sql, *values)
        assert row is not None
        return row

    async def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        return int((await self.row(f"SELECT count(*) FROM {table}"))[0])  # noqa: S608 - a test's own name

    def pass_days(self, days: float) -> None:
        """Advance the clock."""
        self.clock.time += days * DAY_SECONDS

    def __enter__(self) -> Self:
        """Return itself; a coroutine needs `async with`, for closing starts an event loop."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self
        pytest.fail("write `async with open_world(…)` in a coroutine")

    def __exit__(self, *exc: object) -> None:
        """Close it in a new event loop."""
        asyncio.run(self.__aexit__())

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the store and stop the hasher."""
        if "password_hasher" in vars(self):
            self.password_hasher.close()
        await self.engine.close()

    def _wake(self) -> None:
        self.wakeups += 1


def phone_address(phone: str) -> ContactAddress:
    """Return the address of a phone number."""
    return ContactAddress("sms", phone, phone)


def email_address(email: str) -> ContactAddress:
    """Return the address of an e-mail."""
    return ContactAddress("email", email.lower(), email)


def coin_change(account: AccountId, cents: int, key: str) -> CoinChange:
    """Return a change of coins."""
    return CoinChange(
        account=account, change_cents=cents, typ=CoinType.REWARD, reason="奖励", key=key
    )


def open_world(
    path: Path,
    *,
    limits: StoredLimits = CODE_LIMITS,
    policy: SessionPolicy | None = None,
    invitations: InvitationRules | None = None,
    secret_box: SecretBox | None = None,
) -> World:
    """Open a new store, to be closed by `with` or, in an event loop, by `async with`."""
    return World(
        make_engine(path),
        limits=limits,
        policy=policy,
        invitations=invitations,
        secret_box=secret_box,
    )
