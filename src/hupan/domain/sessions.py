"""Tokens: 8-4-4-4-12 lower-case hex (wire.md 5); only a hash is stored (security T1, T2).

A token carries its account's id, so that a session is found beside its account in one read. To
fit both into 128 bits, the id's 32 bits are masked by a keyed hash of the 96 random ones: whoever
does not hold the server's key sees 128 random bits. Decision 0005 tells why.
"""

import hashlib
import logging
import re

from msgspec import Struct

from hupan.clock import Clock
from hupan.crypto import SecretBox, sha256_digest
from hupan.domain import text
from hupan.domain.contacts import bound_contact
from hupan.domain.outbox import SESSION_ENDED_NOTICE, NoticeQueue
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import Banned, NotSignedIn
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
    """Makes tokens and reads the account out of them."""

    def __init__(self, secret_box: SecretBox, random_source: RandomSource) -> None:
        self._keyed_hash = hashlib.blake2b(
            digest_size=_MASK_BYTES, key=secret_box.derive_key("token")
        )
        self._random_source = random_source

    def make(self, account: AccountId) -> str:
        """A token for an account's new session."""
        chosen = self._random_source.token_bytes(_RANDOM_BYTES)
        masked = (account ^ self._mask(chosen)).to_bytes(_MASK_BYTES)
        text = (chosen + masked).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def account_of(self, token: str) -> AccountId | None:
        """The account whose token this would be; None when it has not the shape of a token.

        Whether the token is one, only the stored hash tells.
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
"""Devices that an account is known to use, or one for each session where more are allowed.

Of more, those that signed in longest ago are forgotten: their wrong tries count as a stranger's."""
_log = logging.getLogger("hupan.sessions")


class Device(Struct, frozen=True):
    """What somebody signs in on; id and platform are its own word, untrusted (security T8).

    Attributes:
        country: where its address lies, "" when that is not known.
    """

    id: str
    platform: str
    country: str = ""


def parse_device(device_id: str, platform: str, country: str = "") -> Device:
    """Reads a device from the wire.

    Raises:
        InvalidField: deviceId is too long, or it or platform holds what no log could show.
    """
    kept_id = text.parse_device_id(device_id, "deviceId")
    return Device(kept_id, text.parse_platform(platform, "platform"), country)


class Sessions:
    """Knows who calls."""

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
        """The account whose token this would be; asks no store, so it proves nothing."""
        return self._tokens.account_of(token)

    async def get(self, token: str) -> Caller:
        """Who calls with a token.

        Raises:
            NotSignedIn: no live session has this token.
            Banned: its account is banned.
        """
        account, token_hash = self._session_key(token)
        caller = await find_caller(self._database, account, token_hash)
        if caller is None:
            raise NotSignedIn
        now = self._clock.now()
        if not self._check_is_recorded_today(caller.session, caller.account, now):
            await self._record_use(account, token_hash, now)
        return caller

    async def get_viewer(self, token: str) -> Viewer:
        """The same for who looks at others: reads less and takes as much.

        Raises:
            NotSignedIn, Banned: as above.
        """
        account, token_hash = self._session_key(token)
        viewer = await find_viewer(self._database, account, token_hash)
        if viewer is None:
            raise NotSignedIn
        now = self._clock.now()
        if not self._check_is_recorded_today(viewer, viewer, now):
            await self._record_use(account, token_hash, now)
        return viewer

    async def open(self, tx: Transaction, account: AccountId, device: Device) -> str:
        """Opens a session on a device and gives its token; the device's old session ends.

        So does the oldest of the account's sessions when it has too many (security T4).
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
        """Ends the session that the request came with, whatever else it names (security T5)."""
        now = int(self._clock.now())
        await self._database.run_transaction(lambda tx: log_out_session(tx, session, now))

    async def was_logged_out(self, token: str) -> bool:
        """Whether a token signed out within the last days."""
        account = self._tokens.account_of(token)
        return account is not None and await is_logged_out(
            self._database, account, sha256_digest(token)
        )

    async def _end_oldest(self, tx: Transaction, account_id: AccountId, now: int) -> None:
        """Ends the oldest sessions above the bound; expired ones do not count.

        The owner is told by e-mail, or by SMS when there is no address.
        """
        signed_in_until, used_until = self._policy.cutoffs(now)
        await delete_expired_sessions(
            tx, account_id, signed_in_until=signed_in_until, used_until=used_until
        )
        if not await delete_oldest_sessions(tx, account_id, self._policy.max_sessions):
            return
        account = await find_account(tx, account_id)
        recipient = account and (bound_contact(account, "email") or bound_contact(account, "sms"))
        if recipient:
            await self._notices.enqueue(tx, [recipient], SESSION_ENDED_NOTICE, now=now)

    def _session_key(self, token: str) -> tuple[AccountId, bytes]:
        """The key of the session that a token would have opened.

        Raises:
            NotSignedIn: it has not the shape of one.
        """
        account = self._tokens.account_of(token)
        if account is None:
            raise NotSignedIn
        return account, sha256_digest(token)

    def _check_is_recorded_today(
        self, session: Session | Viewer, account: Account | Viewer, now: float
    ) -> bool:
        """Whether the day is counted and the session's use noted: then a request writes nothing.

        Raises:
            NotSignedIn, Banned: it may not be used.
        """
        if self._policy.has_expired(session, now):
            raise NotSignedIn
        if account.banned_until > now:
            raise Banned
        if account.last_seen_day < self._calendar.today(now):
            return False
        return session.last_used_at >= self._calendar.day_start(now)

    async def _record_use(self, account: AccountId, token_hash: bytes, now: float) -> None:
        """Counts the day at its first request, and says that the session was used that day."""
        today = self._calendar.today(now)
        try:
            await self._database.run_transaction(
                lambda tx: record_active_day(tx, account, token_hash, today, int(now))
            )
        except StoreUnavailable:
            _log.warning("a day online was not counted")  # reading goes on (security R03)
