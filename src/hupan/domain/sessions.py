"""Sessions: opening one, finding whose it is, ending it."""

import logging

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.days import Days
from hupan.domain.refusals import Banned, NotSignedIn
from hupan.domain.text import device_text
from hupan.domain.tokens import Tokens
from hupan.model import AccountId, Caller, Session, StoreUnavailable
from hupan.seal import digest
from hupan.store.engine import Engine, Transaction
from hupan.store.sessions import (
    find_caller,
    has_left,
    leave_session,
    note_day,
    open_session,
)

_log = logging.getLogger("hupan.sessions")


class Device(Struct, frozen=True):
    """What a client says of the device it signs in on: untrusted text (security T8)."""

    id: str
    platform: str


def device(device_id: str, platform: str) -> Device:
    """Reads a device from the wire.

    Raises:
        InvalidField: deviceId or platform holds characters that no log could show.
    """
    return Device(device_text(device_id, "deviceId"), device_text(platform, "platform"))


class Sessions:
    """Knows who calls."""

    def __init__(self, engine: Engine, clock: Clock, tokens: Tokens, days: Days) -> None:
        self._engine = engine
        self._days = days
        self._clock = clock
        self._tokens = tokens

    async def find(self, token: str) -> Caller | None:
        """Whose session a token opened; None when it opened none that lives."""
        account = self._tokens.account_of(token)
        if account is None:
            return None
        caller = await find_caller(self._engine, account, digest(token))
        if caller is not None:
            await self._seen(caller)
        return caller

    async def get(self, token: str) -> Caller:
        """Who calls with a token.

        Raises:
            NotSignedIn: no live session has this token.
            Banned: its account is banned.
        """
        caller = await self.find(token)
        if caller is None:
            raise NotSignedIn
        if caller.account.is_banned(self._clock.now()):
            raise Banned
        return caller

    async def open(self, tx: Transaction, account: AccountId, on: Device) -> str:
        """Opens a session on a device and gives its token; the device's old session ends."""
        token = self._tokens.make(account)
        now = int(self._clock.now())
        session = Session(account, digest(token), on.id, on.platform, now, now)
        await open_session(tx, session)
        return token

    async def leave(self, session: Session) -> None:
        """Ends the session that the request came with, whatever else it names (security T5)."""
        now = int(self._clock.now())
        await self._engine.change(lambda tx: leave_session(tx, session, now))

    async def has_left(self, token: str) -> bool:
        """Whether a token signed out within the last days."""
        account = self._tokens.account_of(token)
        return account is not None and await has_left(self._engine, account, digest(token))

    async def _seen(self, caller: Caller) -> None:
        """Counts the day at its first request; all others of that day write nothing."""
        now = self._clock.now()
        today = self._days.today(now)
        if caller.account.last_seen_day >= today:
            return
        try:
            await self._engine.change(lambda tx: note_day(tx, caller.session, today, int(now)))
        except StoreUnavailable:
            _log.warning("a day online was not counted")  # reading goes on (security R03)
