"""Signing in with an e-mail address and a password."""

from hupan.clock import Clock
from hupan.domain.limiter import Limiter
from hupan.domain.outcome import granted
from hupan.domain.passwords import Passwords
from hupan.domain.refusals import AccountCancelled, Banned, Refusal, WrongEmailOrPassword
from hupan.domain.sessions import Device, Sessions
from hupan.domain.settings import Limits
from hupan.domain.targets import Target, Targets
from hupan.model import AccountId
from hupan.store.accounts import find_account, find_owner, find_password_hash, set_password_hash
from hupan.store.engine import Engine, Transaction


class PasswordLogins:
    """Signs in with an address and a password; one answer and one duration for all that is wrong.

    Whether the address is known, has a password, is banned or out of tries: each path costs one
    read, one count and one argon2 verification (security E1, E2, E3).
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        targets: Targets,
        passwords: Passwords,
        sessions: Sessions,
        limiter: Limiter,
        limits: Limits,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._passwords = passwords
        self._sessions = sessions
        self._limiter = limiter
        self._limits = limits.wrong_passwords

    async def sign_in(self, email: str, password: str, on: Device) -> str:
        """Opens a session and gives its token.

        Raises:
            InvalidField, WrongEmailOrPassword, AccountCancelled, Banned, Busy
        """
        target = self._targets.email(email, "email")
        owner = await find_owner(self._engine, target.kind, target.key)
        stored = "" if owner is None else await find_password_hash(self._engine, owner)
        may_try = await self._engine.change(lambda tx: self._count(tx, target))
        right = await self._passwords.verify(stored if may_try else "", password)
        if not right or owner is None:
            raise WrongEmailOrPassword
        renewed = await self._renewed(stored, password)
        return granted(
            await self._engine.change(lambda tx: self._open(tx, target, owner, stored, renewed, on))
        )

    async def _count(self, tx: Transaction, target: Target) -> bool:
        now = int(self._clock.now())
        return await self._limiter.take(tx, subject(target), self._limits, now)

    async def _renewed(self, stored: str, password: str) -> str:
        """The hash to store from now on: today's parameters (security P4)."""
        if not self._passwords.is_outdated(stored):
            return stored
        return await self._passwords.hash(password)

    async def _open(
        self,
        tx: Transaction,
        target: Target,
        owner: AccountId,
        verified: str,
        renewed: str,
        on: Device,
    ) -> str | Refusal:
        """Opens the session if address and password are still what was verified."""
        now = int(self._clock.now())
        await self._limiter.give_back(tx, subject(target), self._limits, now)
        same_owner = await find_owner(tx, target.kind, target.key) == owner
        if not same_owner or await find_password_hash(tx, owner) != verified:
            return WrongEmailOrPassword()
        account = await find_account(tx, owner)
        if account is None:
            return AccountCancelled()
        if account.is_banned(now):
            return Banned()
        if renewed != verified:
            await set_password_hash(tx, owner, renewed)
        return await self._sessions.open(tx, owner, on)


def subject(target: Target) -> str:
    """What wrong passwords of an address are counted under."""
    return f"password:{target.key}"
