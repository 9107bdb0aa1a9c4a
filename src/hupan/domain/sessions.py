"""Logging in by code or password, and sessions: create, validate, revoke (D1, E1-E3, T1-T5, T8).

A token is 8-4-4-4-12 lower-case hex (wire.md 5); only its hash is stored (security T1, T2). It
carries the account id, so that session and account are found together in one read. To fit both into
128 bits, the id's 32 bits are masked by a keyed hash of the 96 random bits: without the server's
key the token looks like 128 random bits (decision 0005).
"""

import hashlib
import logging
import re
from dataclasses import dataclass
from typing import TypeAlias

from msgspec import Struct

from hupan.addresses import UNKNOWN_ORIGIN, ClientOrigin, ContactAddress, ContactParser
from hupan.clock import Clock
from hupan.crypto import SecretBox
from hupan.domain.accounts import AccountCreator
from hupan.domain.codes import Codes
from hupan.domain.contacts import bound_contact
from hupan.domain.hashing import PasswordHasher, hash_client
from hupan.domain.outbox import SESSION_ENDED_NOTICE, NoticeQueue
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import (
    AccountCancelled,
    AppError,
    Banned,
    Busy,
    InvalidField,
    NotSignedIn,
    SignUpClosed,
    TooManyTries,
    WrongCode,
    WrongEmailOrPassword,
)
from hupan.model import Account, AccountId, Caller, Limit, Session, StoreUnavailable, Viewer
from hupan.ratelimit.stored import (
    StoredLimiter,
    attempt_key,
    limit_key,
    network_suffix,
    password_attempts_key,
    sign_ins_key,
    unwrap,
)
from hupan.rng import RandomSource
from hupan.rules import DAY_SECONDS, ServerRules, StoredLimits
from hupan.store.accounts import (
    find_account,
    find_identity_owner,
    find_password_hash,
    lock_account,
    set_password_hash,
)
from hupan.store.codes import Code
from hupan.store.database import Database, Transaction
from hupan.store.sessions import (
    delete_expired_sessions,
    delete_oldest_sessions,
    find_caller,
    find_viewer,
    is_logged_out,
    log_out_session,
    put_session,
    record_active_day,
    set_country,
    trim_devices,
)

_TOKEN_FORMAT = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RANDOM_BYTES = 12
_MASK_BYTES = 4


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """Lifetime of sessions, and how many an account may have (security T4).

    Attributes:
        idle_seconds: maximum time without use; only the first request of a day counts as use.
        absolute_seconds: maximum time since sign-in.
        max_sessions: the maximum per account; one more ends the oldest.
    """

    idle_seconds: int = 30 * DAY_SECONDS
    absolute_seconds: int = 180 * DAY_SECONDS
    max_sessions: int = 10

    def cutoffs(self, now: int) -> tuple[int, int]:
        """Return the latest times of sign-in and of last use of sessions that have expired."""
        return now - self.absolute_seconds, now - self.idle_seconds

    def has_expired(self, session: Session | Viewer, now: float) -> bool:
        return (
            now >= session.last_used_at + self.idle_seconds
            or now >= session.signed_in_at + self.absolute_seconds
        )


def sha256_digest(text: str) -> bytes:
    """Return SHA-256 of a text: the stored form of a token (security T2)."""
    return hashlib.sha256(text.encode()).digest()


class Tokens:
    """Creates tokens and reads the account id from them."""

    def __init__(self, secret_box: SecretBox, random_source: RandomSource) -> None:
        self._keyed_hash = hashlib.blake2b(
            digest_size=_MASK_BYTES, key=secret_box.derive_key("token")
        )
        self._random_source = random_source

    def make(self, account: AccountId) -> str:
        """Create a token for a new session."""
        chosen = self._random_source.token_bytes(_RANDOM_BYTES)
        masked = (account ^ self._mask(chosen)).to_bytes(_MASK_BYTES)
        text = (chosen + masked).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def account_of(self, token: str) -> AccountId | None:
        """Return the account that a token would belong to; None if it is malformed.

        Only the stored hash proves that a token is valid.
        """
        if not _TOKEN_FORMAT.fullmatch(token):
            return None
        raw = bytes.fromhex(token.replace("-", ""))
        masked = int.from_bytes(raw[_RANDOM_BYTES:])
        return AccountId(masked ^ self._mask(raw[:_RANDOM_BYTES]))

    def _mask(self, chosen: bytes) -> int:
        hashed = self._keyed_hash.copy()
        hashed.update(chosen)
        return int.from_bytes(hashed.digest())


MAX_KNOWN_DEVICES = 50
"""Known devices per account, or one per session if more sessions are allowed.

Those that signed in longest ago are dropped: their wrong attempts count as a stranger's.
"""
MAX_DEVICE_ID_CHARACTERS = 1024
MAX_STORED_DEVICE_CHARACTERS = 128
_DEVICE_TEXT = re.compile("[^\0-\x1f\x7f-\x9f\ud800-\udfff]*")
_log = logging.getLogger("hupan.sessions")


class Device(Struct, frozen=True):
    """The client's device; id and platform come from the client, untrusted (security T8).

    Attributes:
        country: the country of the client's address, "" if unknown.
    """

    id: str
    platform: str
    country: str = ""


def parse_device(device_id: str, platform: str, country: str = "") -> Device:
    """Validate a device from the wire.

    Raises:
        InvalidField: deviceId is too long, or it or platform cannot be logged.
    """
    kept_id = parse_device_id(device_id, "deviceId")
    return Device(kept_id, parse_platform(platform, "platform"), country)


def parse_device_text(text: str, field: str) -> str:
    """Validate text from a client about its device: opaque, but without unloggable characters.

    Raises:
        InvalidField: it contains control characters or surrogates.
    """
    if not _DEVICE_TEXT.fullmatch(text):
        raise InvalidField(field)
    return text


def parse_device_id(text: str, field: str) -> str:
    """Return a device id as stored and shown: unchanged up to 128 characters, otherwise its hash.

    The result is itself an id of the device, so that a client may send it back.

    Raises:
        InvalidField: it exceeds 1,024 characters, or `parse_device_text` rejects it.
    """
    if len(text) > MAX_DEVICE_ID_CHARACTERS:
        raise InvalidField(field)
    opaque = parse_device_text(text, field)
    return hash_device_id(opaque) if len(opaque) > MAX_STORED_DEVICE_CHARACTERS else opaque


def hash_device_id(long_id: str) -> str:
    """Return what replaces an id that is too long to store."""
    return f"sha256:{hashlib.sha256(long_id.encode()).hexdigest()}"


def parse_platform(text: str, field: str) -> str:
    """Return the first 128 characters of a device's platform.

    Raises:
        InvalidField: `parse_device_text` rejects it.
    """
    return parse_device_text(text[:MAX_STORED_DEVICE_CHARACTERS], field)


class Sessions:
    """Creates, validates and revokes sessions."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        tokens: Tokens,
        calendar: DayCalendar,
        policy: SessionPolicy,
        notices: NoticeQueue,
    ) -> None:
        self._database = database
        self._calendar = calendar
        self._clock = clock
        self._tokens = tokens
        self._policy = policy
        self._notices = notices

    def account_of(self, token: str) -> AccountId | None:
        """Return the account that a token would belong to; proves nothing, without a read."""
        return self._tokens.account_of(token)

    async def get(self, token: str) -> Caller:
        """Return the caller with a token.

        Raises:
            NotSignedIn: no live session has this token.
            Banned: the account is banned.
        """
        account, token_hash = self.session_key(token)
        caller = await find_caller(self._database, account, token_hash)
        if caller is None:
            raise NotSignedIn
        now = self._clock.now()
        if not self._check_and_is_recorded(caller.session, caller.account, now):
            await self._record_use(account, token_hash, now)
        return caller

    async def get_viewer(self, token: str) -> Viewer:
        """Return the caller as `get` does, but read only what profile views need.

        Raises:
            NotSignedIn, Banned: as above.
        """
        return await self.check(*self.session_key(token))

    async def check(self, account: AccountId, token_hash: bytes) -> Viewer:
        """Check a session by its key, as `get_viewer` does; this counts as its use.

        Raises:
            NotSignedIn, Banned: as above.
        """
        viewer = await find_viewer(self._database, account, token_hash)
        if viewer is None:
            raise NotSignedIn
        now = self._clock.now()
        if not self._check_and_is_recorded(viewer, viewer, now):
            await self._record_use(account, token_hash, now)
        return viewer

    async def inspect(self, token: str) -> Caller | None:
        """Return the caller of a token, None if no request may use it; record no use."""
        try:
            account, token_hash = self.session_key(token)
            caller = await find_caller(self._database, account, token_hash)
            if caller is not None:
                self._check_and_is_recorded(caller.session, caller.account, self._clock.now())
        except (NotSignedIn, Banned):
            return None
        return caller

    def expires_at(self, session: Session) -> int:
        """Return when a session ends if it is not used again (security T4)."""
        return min(
            session.last_used_at + self._policy.idle_seconds,
            session.signed_in_at + self._policy.absolute_seconds,
        )

    async def open(self, tx: Transaction, account: AccountId, device: Device) -> str:
        """Open a session on a device and return its token; the device's old session ends.

        If the account has too many sessions, the oldest ends too (security T4).
        """
        token = self._tokens.make(account)
        now = int(self._clock.now())
        session = Session(account, sha256_digest(token), device.id, device.platform, now, now)
        await put_session(tx, session, device.country)
        await trim_devices(
            tx, account, device.id, max(MAX_KNOWN_DEVICES, self._policy.max_sessions)
        )
        await set_country(tx, account, device.country)
        await self._end_oldest(tx, account, now)
        return token

    async def logout(self, session: Session) -> None:
        """End the session of the request, regardless of other fields (security T5)."""
        now = int(self._clock.now())
        await self._database.run_transaction(lambda tx: log_out_session(tx, session, now))

    async def was_logged_out(self, token: str) -> bool:
        """Return whether a token was logged out within the last days."""
        account = self._tokens.account_of(token)
        return account is not None and await is_logged_out(
            self._database, account, sha256_digest(token)
        )

    async def _end_oldest(self, tx: Transaction, account_id: AccountId, now: int) -> None:
        # Expired sessions do not count. The owner is notified by e-mail, else by SMS.
        signed_in_until, used_until = self._policy.cutoffs(now)
        await delete_expired_sessions(
            tx, account_id, signed_in_until=signed_in_until, used_until=used_until, now=now
        )
        if not await delete_oldest_sessions(tx, account_id, self._policy.max_sessions, now):
            return
        account = await find_account(tx, account_id)
        recipient = account and (bound_contact(account, "email") or bound_contact(account, "sms"))
        if recipient:
            await self._notices.enqueue(tx, [recipient], SESSION_ENDED_NOTICE, now=now)

    def session_key(self, token: str) -> tuple[AccountId, bytes]:
        """Return account and hash of a token; proves nothing, without a read.

        Raises:
            NotSignedIn: it is malformed.
        """
        account = self._tokens.account_of(token)
        if account is None:
            raise NotSignedIn
        return account, sha256_digest(token)

    def _check_and_is_recorded(
        self, session: Session | Viewer, account: Account | Viewer, now: float
    ) -> bool:
        # Raises, or returns whether the day online and the use of the session are recorded. Both in
        # one method, because every request calls it.
        if self._policy.has_expired(session, now):
            raise NotSignedIn
        if account.banned_until > now:  # `is_banned`, which a Viewer does not have
            raise Banned
        if account.last_seen_day < self._calendar.today(now):
            return False
        return session.last_used_at >= self._calendar.day_start(now)

    async def _record_use(self, account: AccountId, token_hash: bytes, now: float) -> None:
        today = self._calendar.today(now)
        try:
            await self._database.run_transaction(
                lambda tx: record_active_day(tx, account, token_hash, today, int(now))
            )
        except StoreUnavailable:
            _log.warning("a day online was not counted")  # the request continues (security R03)


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
            # Reported only after the right password, so no other caller learns it (E1, E3).
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
