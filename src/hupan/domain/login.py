"""Login by SMS code and by e-mail and password (security D1, E1-E3)."""

from typing import TypeAlias

from hupan.addresses import UNKNOWN_ORIGIN, ClientOrigin, ContactAddress, ContactParser
from hupan.clock import Clock
from hupan.domain.accounts import AccountCreator
from hupan.domain.codes import Codes
from hupan.domain.hashing import PasswordHasher, hash_client
from hupan.domain.sessions import Device, Sessions
from hupan.errors import (
    AccountCancelled,
    AppError,
    Banned,
    Busy,
    SignUpClosed,
    TooManyTries,
    WrongCode,
    WrongEmailOrPassword,
)
from hupan.model import Account, AccountId, Limit
from hupan.ratelimit.stored import (
    StoredLimiter,
    attempt_key,
    limit_key,
    network_suffix,
    password_attempts_key,
    sign_ins_key,
    unwrap,
)
from hupan.rules import ServerRules, StoredLimits
from hupan.store.accounts import (
    find_identity_owner,
    find_password_hash,
    lock_account,
    set_password_hash,
)
from hupan.store.codes import Code
from hupan.store.database import Database, Transaction


class CodeLogins:
    """Signs in with a code sent by SMS; an unknown number is registered as a new account."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        contact_parser: ContactParser,
        codes: Codes,
        accounts: AccountCreator,
        sessions: Sessions,
        rules: ServerRules,
    ) -> None:
        self._database = database
        self._clock = clock
        self._contact_parser = contact_parser
        self._codes = codes
        self._accounts = accounts
        self._sessions = sessions
        self._rules = rules

    async def sign_in(self, mobile: str, code: str, device: Device) -> str:
        """Open a session and return its token.

        Raises:
            InvalidField, WrongCode, SignUpClosed, AccountCancelled, Banned
        """
        target = self._contact_parser.parse_phone(mobile, "mobile")

        async def change(tx: Transaction) -> str | AppError:
            now = int(self._clock.now())
            redeemed = await self._codes.redeem(tx, target, code, device_id=device.id, now=now)
            if isinstance(redeemed, AppError):
                return redeemed
            account = await self._account_for_code(tx, target, redeemed)
            if isinstance(account, AppError):
                return account
            return (
                Banned()
                if account.is_banned(now)
                else await self._sessions.open(tx, account.id, device)
            )

        return unwrap(await self._database.run_transaction(change))

    async def _account_for_code(
        self, tx: Transaction, target: ContactAddress, redeemed: Code
    ) -> Account | AppError:
        # By the purpose of the code and the current owner of the number (security D1).
        owner = await find_identity_owner(tx, target.identity_kind, target.key)
        if redeemed.purpose == "new" and owner is None:
            return await self._sign_up(tx, target)
        if redeemed.purpose == "own" and owner == redeemed.account_id:
            return await lock_account(tx, owner) or AccountCancelled()
        return WrongCode()

    async def _sign_up(self, tx: Transaction, target: ContactAddress) -> Account | AppError:
        if not self._rules.sign_up_open:
            return SignUpClosed()
        return await self._accounts.create(tx, phone=target, email=None)


CountedAttempt: TypeAlias = tuple[str, tuple[Limit, ...]]
"""The counter key and the limits of an attempt."""


class PasswordLogins:
    """Signs in with e-mail and password; every failure gets the same response in the same time.

    Whether the address is unknown, has no password, is banned or out of attempts: each path costs
    one read, one count and one argon2 verification (security E1, E2, E3).
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        contact_parser: ContactParser,
        passwords: PasswordHasher,
        sessions: Sessions,
        limiter: StoredLimiter,
        limits: StoredLimits,
    ) -> None:
        self._database = database
        self._clock = clock
        self._contact_parser = contact_parser
        self._passwords = passwords
        self._sessions = sessions
        self._limiter = limiter
        self._limits = limits.wrong_passwords
        self._limits_all_networks = limits.wrong_passwords_all_networks
        self._sign_ins = limits.sign_ins

    async def sign_in(
        self, email: str, password: str, device: Device, origin: ClientOrigin = UNKNOWN_ORIGIN
    ) -> str:
        """Open a session and return its token.

        Raises:
            InvalidField, WrongEmailOrPassword, AccountCancelled, Banned, TooManyTries, Busy
            OSError: passwords cannot be hashed now.
        """
        target = self._contact_parser.parse_email(email, "email")
        # Counted within the slot, so that simultaneous right passwords do not use up the attempts.
        async with self._passwords.slot(hash_client(limit_key(target), origin)):
            owner = await find_identity_owner(self._database, target.identity_kind, target.key)
            stored_hash = "" if owner is None else await find_password_hash(self._database, owner)
            counted = await self._database.run_transaction(
                lambda tx: self._count_attempt(tx, target, device, origin)
            )
            try:
                is_correct = await self._passwords.verify(stored_hash if counted else "", password)
                new_hash = (
                    await self._rehash_if_outdated(stored_hash, password)
                    if is_correct
                    else stored_hash
                )
            except (Busy, OSError):  # nothing was verified, so nothing counts
                await self._database.run_transaction(lambda tx: self._uncount_attempt(tx, counted))
                raise
        if not is_correct or owner is None:
            raise WrongEmailOrPassword

        async def change(tx: Transaction) -> str | AppError:
            account = await lock_account(tx, owner)  # before counters (decision 0017)
            await self._uncount_attempt(tx, counted)
            # Reported only after the right password, so nobody else learns it (E1, E3).
            now, subject = int(self._clock.now()), sign_ins_key(target.key)
            if not await self._limiter.take(tx, subject, self._sign_ins, now):
                return TooManyTries()
            return await self._open_session(
                tx, target, owner, account, stored_hash, new_hash, device
            )

        return unwrap(await self._database.run_transaction(change))

    async def _count_attempt(
        self, tx: Transaction, target: ContactAddress, device: Device, origin: ClientOrigin
    ) -> list[CountedAttempt]:
        # Returns no counters if the attempt is not allowed. The owner's devices have counters of
        # their own. All other clients have one per network and one for all networks together, so
        # no single stranger locks the owner's new devices out (C5, X11). Each case counts equally
        # often, to take as long (E2).
        now = int(self._clock.now())
        subject, own = password_attempts_key(target.key), await attempt_key(tx, target, device.id)
        counted: list[CountedAttempt] = []
        for share, limits in (
            (own or network_suffix(origin.network), self._limits),
            (own, self._limits_all_networks),
        ):
            if not await self._limiter.take(tx, subject + share, limits, now):
                await self._uncount_attempt(tx, counted)
                return []
            counted.append((subject + share, limits))
        return counted

    async def _uncount_attempt(self, tx: Transaction, counted: list[CountedAttempt]) -> None:
        for subject, limits in counted:
            await self._limiter.give_back(tx, subject, limits, int(self._clock.now()))

    async def _rehash_if_outdated(self, stored: str, password: str) -> str:
        # New parameters apply to old passwords from the next sign-in on (security P4).
        if not self._passwords.is_outdated(stored):
            return stored
        return await self._passwords.hash(password)

    async def _open_session(
        self,
        tx: Transaction,
        target: ContactAddress,
        owner: AccountId,
        account: Account | None,
        verified_hash: str,
        new_hash: str,
        device: Device,
    ) -> str | AppError:
        # Only if address and password are still what was verified.
        now = int(self._clock.now())
        same_owner = await find_identity_owner(tx, target.identity_kind, target.key) == owner
        if not same_owner or await find_password_hash(tx, owner) != verified_hash:
            return WrongEmailOrPassword()
        if account is None:
            return AccountCancelled()
        if account.is_banned(now):
            return Banned()
        if new_hash != verified_hash:
            await set_password_hash(tx, owner, new_hash)
        return await self._sessions.open(tx, owner, device)
