"""Signing in with a code that came by SMS."""

from hupan.clock import Clock
from hupan.domain.accounts import Accounts
from hupan.domain.codes import Codes, attempt_key
from hupan.domain.outcome import granted
from hupan.domain.refusals import AccountCancelled, Banned, Refusal, SignUpClosed, WrongCode
from hupan.domain.sessions import Device, Sessions
from hupan.domain.settings import Rules
from hupan.domain.targets import Target, Targets
from hupan.model import Account
from hupan.store.accounts import find_owner, hold_account
from hupan.store.codes import Code
from hupan.store.engine import Engine, Transaction


class CodeLogins:
    """Signs in with a code that came by SMS; an unknown number becomes a new account."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        targets: Targets,
        codes: Codes,
        accounts: Accounts,
        sessions: Sessions,
        rules: Rules,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._codes = codes
        self._accounts = accounts
        self._sessions = sessions
        self._rules = rules

    async def sign_in(self, mobile: str, code: str, on: Device) -> str:
        """Opens a session and gives its token.

        Raises:
            InvalidField, WrongCode, SignUpClosed, AccountCancelled, Banned
        """
        target = self._targets.phone(mobile, "mobile")

        async def change(tx: Transaction) -> str | Refusal:
            now = int(self._clock.now())
            device_key = await attempt_key(tx, target, on.id)
            spent = await self._codes.spend(tx, target, code, device_key=device_key, now=now)
            if isinstance(spent, Refusal):
                return spent
            account = await self._account(tx, target, spent)
            if isinstance(account, Refusal):
                return account
            return (
                Banned()
                if account.is_banned(now)
                else await self._sessions.open(tx, account.id, on)
            )

        return granted(await self._engine.change(change))

    async def _account(self, tx: Transaction, target: Target, spent: Code) -> Account | Refusal:
        """The account that a code opens, by its class and by who owns the number now (D1)."""
        owner = await find_owner(tx, target.kind, target.key)
        if spent.kind == "new" and owner is None:
            return await self._sign_up(tx, target)
        if spent.kind == "own" and owner == spent.account_id:
            return await hold_account(tx, owner) or AccountCancelled()
        return WrongCode()

    async def _sign_up(self, tx: Transaction, target: Target) -> Account | Refusal:
        if not self._rules.sign_up_open:
            return SignUpClosed()
        return await self._accounts.create(tx, phone=target, email=None)
