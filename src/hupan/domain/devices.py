"""The devices on which an account is signed in (wire.md 4: clients, device-offline)."""

from hupan.clock import Clock
from hupan.domain import text
from hupan.domain.settings import SessionLife
from hupan.model import AccountId, Session
from hupan.store.engine import Engine
from hupan.store.session_ends import end_device, list_live, purge_sessions

MOST_AT_ONCE = 1000
"""Expired sessions that one change forgets; the others are refused all the same."""


class Devices:
    """Shows an account its sessions, one for each device, and ends single ones."""

    def __init__(self, engine: Engine, clock: Clock, life: SessionLife) -> None:
        self._engine = engine
        self._clock = clock
        self._life = life

    async def list_live(self, account: AccountId) -> list[Session]:
        """The live sessions, the newest first."""
        now = int(self._clock.now())
        return await list_live(
            self._engine,
            account,
            signed_in_after=now - self._life.absolute_seconds,
            used_after=now - self._life.idle_seconds,
        )

    async def forget_expired(self) -> None:
        """Forgets sessions that may not be used any more (security T4)."""
        now = int(self._clock.now())
        await self._engine.change(
            lambda tx: purge_sessions(
                tx,
                signed_in_until=now - self._life.absolute_seconds,
                used_until=now - self._life.idle_seconds,
                most=MOST_AT_ONCE,
            )
        )

    async def take_offline(self, account: AccountId, device_id: str) -> None:
        """Ends a device's session as if it had signed out, also the one that asks.

        Sessions without a device id look alike: with "" all of them end.

        A device id is no authority: it is looked for among the account's own alone (security T8).

        Raises:
            InvalidField: `deviceId` holds characters that no device id can.
        """
        device, now = text.device_id(device_id, "deviceId"), int(self._clock.now())
        await self._engine.change(lambda tx: end_device(tx, account, device, now))
