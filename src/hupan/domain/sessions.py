"""Sessions and their tokens: create, validate and revoke (security T1-T5, T8).

A token is 8-4-4-4-12 lower-case hex (wire.md 5); only its hash is stored (security T1, T2). It
carries the account id, so that session and account are found together in one read. To fit both into
128 bits, the id's 32 bits are masked by a keyed hash of the 96 random bits: without the server's
key the token looks like 128 random bits (decision 0005).
"""

import hashlib
import logging
import re

from msgspec import Struct

from hupan.clock import Clock
from hupan.crypto import SecretBox, sha256_digest
from hupan.domain.contacts import bound_contact
from hupan.domain.outbox import SESSION_ENDED_NOTICE, NoticeQueue
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import Banned, InvalidField, NotSignedIn
from hupan.model import Account, AccountId, Caller, Session, StoreUnavailable, Viewer
from hupan.rng import RandomSource
from hupan.rules import SessionPolicy
from hupan.store.accounts import find_account
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

MAX_ACCOUNT_ID = 2**32 - 1
_TOKEN_FORMAT = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RANDOM_BYTES = 12
_MASK_BYTES = 4


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
"""Known devices per account, or one per session where more sessions are allowed.

Those that signed in longest ago are dropped: their wrong attempts count as a stranger's.
"""
MAX_DEVICE_ID_CHARACTERS = 1024
MAX_STORED_DEVICE_CHARACTERS = 128
_DEVICE_TEXT = re.compile("[^\0-\x1f\x7f-\x9f\ud800-\udfff]*")
_log = logging.getLogger("hupan.sessions")


class Device(Struct, frozen=True):
    """The client's device; id and platform come from the client, untrusted (security T8).

    Attributes:
        country: of the client's address, "" if unknown.
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
        account, token_hash = self._session_key(token)
        caller = await find_caller(self._database, account, token_hash)
        if caller is None:
            raise NotSignedIn
        now = self._clock.now()
        if not self._check_and_is_recorded(caller.session, caller.account, now):
            await self._record_use(account, token_hash, now)
        return caller

    async def get_viewer(self, token: str) -> Viewer:
        """Like `get`, but read only what profile views need.

        Raises:
            NotSignedIn, Banned: as above.
        """
        account, token_hash = self._session_key(token)
        viewer = await find_viewer(self._database, account, token_hash)
        if viewer is None:
            raise NotSignedIn
        now = self._clock.now()
        if not self._check_and_is_recorded(viewer, viewer, now):
            await self._record_use(account, token_hash, now)
        return viewer

    async def inspect(self, token: str) -> Caller | None:
        """Return who has a token, None for a token that no request may use; record no use."""
        try:
            account, token_hash = self._session_key(token)
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
        """End the session of the request, whatever else the request names (security T5)."""
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

    def _session_key(self, token: str) -> tuple[AccountId, bytes]:
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
        if account.banned_until > now:
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
