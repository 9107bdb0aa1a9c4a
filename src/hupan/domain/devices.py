"""The devices on which an account is signed in (wire.md 4: clients, device-offline)."""

import re

from hupan.clock import Clock
from hupan.domain import text
from hupan.errors import InvalidField
from hupan.model import AccountId, IgnoredModules, NotificationSetting, Session
from hupan.rules import SessionPolicy
from hupan.store.accounts import lock_account
from hupan.store.database import Database, Transaction
from hupan.store.devices import (
    find_ignored_modules,
    find_notification_setting,
    put_ignored_modules,
    put_notification_setting,
)
from hupan.store.sessions import list_live_sessions, log_out_device, purge_sessions

PURGE_BATCH_SIZE = 1000
"""Expired sessions that one change forgets; the others are refused all the same."""


class Devices:
    """Shows an account its sessions, one for each device, and ends single ones."""

    def __init__(self, database: Database, clock: Clock, policy: SessionPolicy) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy

    async def list_live(self, account: AccountId) -> list[Session]:
        """The live sessions, the newest first."""
        signed_in_after, used_after = self._policy.cutoffs(int(self._clock.now()))
        return await list_live_sessions(
            self._database, account, signed_in_after=signed_in_after, used_after=used_after
        )

    async def purge_expired(self) -> None:
        """Forgets sessions that may not be used any more (security T4)."""
        signed_in_until, used_until = self._policy.cutoffs(int(self._clock.now()))
        await self._database.run_transaction(
            lambda tx: purge_sessions(
                tx,
                signed_in_until=signed_in_until,
                used_until=used_until,
                max_rows=PURGE_BATCH_SIZE,
            )
        )

    async def take_offline(self, account: AccountId, device_id: str) -> None:
        """Ends a device's session as if it had signed out, also the one that asks.

        Sessions without a device id look alike: with "" all of them end.

        A device id is no authority: it is looked for among the account's own alone (security T8).

        Raises:
            InvalidField: `deviceId` holds characters that no device id can.
        """
        device, now = text.parse_device_id(device_id, "deviceId"), int(self._clock.now())
        await self._database.run_transaction(lambda tx: log_out_device(tx, account, device, now))


MAX_DEVICES_WITH_SETTINGS = 100
"""Devices of one account whose settings are kept; one more pushes out the one set longest ago."""
_MODULES = re.compile("(?:,?(?:10|20|30)(?:,(?:10|20|30)){0,2})?")


class DeviceSettings:
    """Keeps one row for each account and device."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get_ignored_modules(self, account: AccountId, device_id: str) -> IgnoredModules:
        """What is hidden on a device: nothing where nothing was set.

        Raises:
            InvalidField: `deviceId` holds characters that no device id can.
        """
        device = text.parse_device_id(device_id, "deviceId")
        stored = await find_ignored_modules(self._database, account, device)
        return stored or IgnoredModules(number=0, device_id=device, modules="", updated_at=0)

    async def set_ignored_modules(self, account: AccountId, device_id: str, modules: str) -> None:
        """Hides parts of the client on a device, in place of those hidden before.

        Raises:
            InvalidField: `deviceId` or `set_ignored_modules` cannot be.
        """
        device, hidden = (
            text.parse_device_id(device_id, "deviceId"),
            parse_modules(modules, "ignore"),
        )
        now = int(self._clock.now())

        async def change(tx: Transaction) -> None:
            await lock_account(tx, account)
            await put_ignored_modules(
                tx, account, device, hidden, max_devices=MAX_DEVICES_WITH_SETTINGS, now=now
            )

        await self._database.run_transaction(change)

    async def get_notification(
        self, account: AccountId, device_id: str, registration_id: str
    ) -> NotificationSetting:
        """How a device is notified; where nothing was set it is, as it asked to be registered.

        Raises:
            InvalidField: `deviceId` or `registrationId` holds characters that neither can.
        """
        device = text.parse_device_id(device_id, "deviceId")
        registration = text.parse_device_text(registration_id, "registrationId")
        stored = await find_notification_setting(self._database, account, device)
        return stored or NotificationSetting(
            number=0,
            device_id=device,
            registration_id=registration,
            is_open=1,
            type=0,
            created_at=0,
            updated_at=0,
        )

    async def set_notification(
        self, account: AccountId, device_id: str, registration_id: str, *, is_open: int, type_: int
    ) -> None:
        """Sets how a device is notified.

        Raises:
            InvalidField: `deviceId` or `registrationId` holds characters that neither can.
        """
        device = text.parse_device_id(device_id, "deviceId")
        registration = text.parse_device_text(registration_id, "registrationId")
        now = int(self._clock.now())

        async def change(tx: Transaction) -> None:
            await lock_account(tx, account)
            await put_notification_setting(
                tx,
                account,
                device,
                registration,
                is_open=is_open,
                type_=type_,
                max_devices=MAX_DEVICES_WITH_SETTINGS,
                now=now,
            )

        await self._database.run_transaction(change)


def parse_modules(listed: str, field: str) -> str:
    """The modules to hide, in the order given, each behind a comma: `,30,20,10`; "" for none.

    Raises:
        InvalidField: one is not known, or comes twice.
    """
    modules = listed.removeprefix(",").split(",")
    if not _MODULES.fullmatch(listed) or len(set(modules)) < len(modules):
        raise InvalidField(field)
    return "," + ",".join(modules) if listed else ""
