"""Signing in with an e-mail address and a password."""

from typing import TypeAlias

from hupan.clock import Clock
from hupan.domain.codes import attempt_key
from hupan.domain.hash_queue import hash_client
from hupan.domain.limiter import Limiter
from hupan.domain.origins import NOWHERE, Origin
from hupan.domain.outcome import granted
from hupan.domain.passwords import Passwords
from hupan.domain.refusals import (
    AccountCancelled,
    Banned,
    Busy,
    Refusal,
    TooManyTries,
    WrongEmailOrPassword,
)
from hupan.domain.sessions import Device, Sessions
from hupan.domain.settings import Limits
from hupan.domain.targets import Target, Targets
from hupan.domain.tries import limit_key, network_share, password_tries, sign_ins
from hupan.model import Account, AccountId, Limit
from hupan.store.accounts import find_owner, find_password_hash, hold_account, set_password_hash
from hupan.store.engine import Engine, Transaction

Counted: TypeAlias = tuple[str, tuple[Limit, ...]]
"""What an attempt was counted under, and against which limits."""


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
        self._limits_anywhere = limits.wrong_passwords_anywhere
        self._sign_ins = limits.sign_ins

    async def sign_in(self, email: str, password: str, on: Device, origin: Origin = NOWHERE) -> str:
        """Opens a session and gives its token.

        Raises:
            InvalidField, WrongEmailOrPassword, AccountCancelled, Banned, TooManyTries, Busy
            OSError: passwords cannot be hashed now.
        """
        target = self._targets.email(email, "email")
        # Counted once it is its turn: right ones that come together do not use the tries up.
        async with self._passwords.turn(hash_client(limit_key(target), origin)):
            owner = await find_owner(self._engine, target.kind, target.key)
            stored = "" if owner is None else await find_password_hash(self._engine, owner)
            counted = await self._engine.change(lambda tx: self._count(tx, target, on, origin))
            try:
                right = await self._passwords.verify(stored if counted else "", password)
                renewed = await self._renewed(stored, password) if right else stored
            except (Busy, OSError):  # nothing was tried, so nothing counts
                await self._engine.change(lambda tx: self._uncount(tx, counted))
                raise
        if not right or owner is None:
            raise WrongEmailOrPassword

        async def change(tx: Transaction) -> str | Refusal:
            account = await hold_account(tx, owner)  # before tallies (decision 0017)
            await self._uncount(tx, counted)
            # Told after the right password alone, so it tells nobody else anything (E1, E3).
            now, subject = int(self._clock.now()), sign_ins(target.key)
            if not await self._limiter.take(tx, subject, self._sign_ins, now):
                return TooManyTries()
            return await self._open(tx, target, owner, account, stored, renewed, on)

        return granted(await self._engine.change(change))

    async def _count(
        self, tx: Transaction, target: Target, on: Device, origin: Origin
    ) -> list[Counted]:
        """Counts a try; returns what it was counted under, nothing when there may be none.

        The owner's own devices have tries of their own. All others have some for each network, and
        some for all networks together, so no single stranger locks the owner's new devices out
        (C5, X11). Each way counts as often, to take as long (E2).
        """
        now = int(self._clock.now())
        subject, own = password_tries(target.key), await attempt_key(tx, target, on.id)
        counted: list[Counted] = []
        for share, limits in (
            (own or network_share(origin.network), self._limits),
            (own, self._limits_anywhere),
        ):
            if not await self._limiter.take(tx, subject + share, limits, now):
                await self._uncount(tx, counted)
                return []
            counted.append((subject + share, limits))
        return counted

    async def _uncount(self, tx: Transaction, counted: list[Counted]) -> None:
        for subject, limits in counted:
            await self._limiter.give_back(tx, subject, limits, int(self._clock.now()))

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
        account: Account | None,
        verified: str,
        renewed: str,
        on: Device,
    ) -> str | Refusal:
        """Opens the session if address and password are still what was verified."""
        now = int(self._clock.now())
        same_owner = await find_owner(tx, target.kind, target.key) == owner
        if not same_owner or await find_password_hash(tx, owner) != verified:
            return WrongEmailOrPassword()
        if account is None:
            return AccountCancelled()
        if account.is_banned(now):
            return Banned()
        if renewed != verified:
            await set_password_hash(tx, owner, renewed)
        return await self._sessions.open(tx, owner, on)
