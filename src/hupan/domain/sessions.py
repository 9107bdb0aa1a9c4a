"""Sessions: opening one, finding whose it is, ending it."""

import logging

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain import text
from hupan.domain.bindings import bound
from hupan.domain.days import Days
from hupan.domain.notices import ENDED_NOTICE, Notices
from hupan.domain.refusals import Banned, NotSignedIn
from hupan.domain.settings import SessionLife
from hupan.domain.tokens import Tokens
from hupan.model import Account, AccountId, Caller, Session, StoreUnavailable, Viewer
from hupan.seal import digest
from hupan.store.accounts import find_account
from hupan.store.engine import Engine, Transaction
from hupan.store.session_ends import end_expired, end_oldest
from hupan.store.sessions import (
    find_caller,
    find_viewer,
    has_left,
    leave_session,
    note_country,
    note_day,
    open_session,
    trim_devices,
)

MOST_DEVICES = 50
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


def device(device_id: str, platform: str, country: str = "") -> Device:
    """Reads a device from the wire.

    Raises:
        InvalidField: deviceId is too long, or it or platform holds what no log could show.
    """
    kept_id = text.device_id(device_id, "deviceId")
    return Device(kept_id, text.platform(platform, "platform"), country)


class Sessions:
    """Knows who calls."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        tokens: Tokens,
        days: Days,
        life: SessionLife,
        notices: Notices,
    ) -> None:
        self._engine = engine
        self._days = days
        self._clock = clock
        self._tokens = tokens
        self._life = life
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
        account, token_hash = self._names(token)
        caller = await find_caller(self._engine, account, token_hash)
        if caller is None:
            raise NotSignedIn
        now = self._clock.now()
        if not self._is_known_today(caller.session, caller.account, now):
            await self._see(account, token_hash, now)
        return caller

    async def get_viewer(self, token: str) -> Viewer:
        """The same for who looks at others: reads less and takes as much.

        Raises:
            NotSignedIn, Banned: as above.
        """
        account, token_hash = self._names(token)
        viewer = await find_viewer(self._engine, account, token_hash)
        if viewer is None:
            raise NotSignedIn
        now = self._clock.now()
        if not self._is_known_today(viewer, viewer, now):
            await self._see(account, token_hash, now)
        return viewer

    async def open(self, tx: Transaction, account: AccountId, on: Device) -> str:
        """Opens a session on a device and gives its token; the device's old session ends.

        So does the oldest of the account's sessions when it has too many (security T4).
        """
        token = self._tokens.make(account)
        now = int(self._clock.now())
        session = Session(account, digest(token), on.id, on.platform, now, now)
        await open_session(tx, session, on.country)
        await trim_devices(tx, account, on.id, max(MOST_DEVICES, self._life.most))
        await note_country(tx, account, on.country)
        await self._end_surplus(tx, account, now)
        return token

    async def leave(self, session: Session) -> None:
        """Ends the session that the request came with, whatever else it names (security T5)."""
        now = int(self._clock.now())
        await self._engine.change(lambda tx: leave_session(tx, session, now))

    async def has_left(self, token: str) -> bool:
        """Whether a token signed out within the last days."""
        account = self._tokens.account_of(token)
        return account is not None and await has_left(self._engine, account, digest(token))

    async def _end_surplus(self, tx: Transaction, account_id: AccountId, now: int) -> None:
        """Ends the oldest sessions above the bound; expired ones do not count.

        The owner is told by e-mail, or by SMS when there is no address.
        """
        await end_expired(
            tx,
            account_id,
            signed_in_until=now - self._life.absolute_seconds,
            used_until=now - self._life.idle_seconds,
        )
        if not await end_oldest(tx, account_id, self._life.most):
            return
        account = await find_account(tx, account_id)
        told = account and (bound(account, "email") or bound(account, "sms"))
        if told:
            await self._notices.put(tx, [told], ENDED_NOTICE, now=now)

    def _names(self, token: str) -> tuple[AccountId, bytes]:
        """The key of the session that a token would have opened.

        Raises:
            NotSignedIn: it has not the shape of one.
        """
        account = self._tokens.account_of(token)
        if account is None:
            raise NotSignedIn
        return account, digest(token)

    def _is_known_today(
        self, session: Session | Viewer, account: Account | Viewer, now: float
    ) -> bool:
        """Whether the day is counted and the session's use noted: then a request writes nothing.

        Raises:
            NotSignedIn, Banned: it may not be used.
        """
        if self._life.is_over(session, now):
            raise NotSignedIn
        if account.banned_until > now:
            raise Banned
        if account.last_seen_day < self._days.today(now):
            return False
        return session.last_used_at >= self._days.began(now)

    async def _see(self, account: AccountId, token_hash: bytes, now: float) -> None:
        """Counts the day at its first request, and says that the session was used that day."""
        today = self._days.today(now)
        try:
            await self._engine.change(lambda tx: note_day(tx, account, token_hash, today, int(now)))
        except StoreUnavailable:
            _log.warning("a day online was not counted")  # reading goes on (security R03)
