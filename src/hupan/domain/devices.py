"""Signed-in devices and per-device settings (wire.md 4: clients, device-offline)."""

import re

from hupan.clock import Clock
from hupan.domain.sessions import SessionPolicy, parse_device_id, parse_device_text
from hupan.errors import InvalidField
from hupan.model import AccountId, IgnoredModules, NotificationSetting, Session
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
"""Expired sessions deleted per transaction; the remaining ones are refused all the same."""


class Devices:
    """Lists and ends the sessions of an account, one for each device."""

    def __init__(self, database: Database, clock: Clock, policy: SessionPolicy) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy

    async def list_live(self, account: AccountId) -> list[Session]:
        """Return the live sessions, newest first."""
        signed_in_after, used_after = self._policy.cutoffs(int(self._clock.now()))
        return await list_live_sessions(
            self._database, account, signed_in_after=signed_in_after, used_after=used_after
        )

    async def purge_expired(self) -> None:
        """Delete expired sessions (security T4)."""
        now = int(self._clock.now())
        signed_in_until, used_until = self._policy.cutoffs(now)
        await self._database.run_transaction(
            lambda tx: purge_sessions(
                tx,
                signed_in_until=signed_in_until,
                used_until=used_until,
                max_rows=PURGE_BATCH_SIZE,
                now=now,
            )
        )

    async def take_offline(self, account: AccountId, device_id: str) -> None:
        """Log a device out, even the calling one.

        Sessions without a device id are indistinguishable: "" ends all of them.

        A device id grants nothing: only the account's own devices are searched (security T8).

        Raises:
            InvalidField: `deviceId` contains invalid characters.
        """
        device, now = parse_device_id(device_id, "deviceId"), int(self._clock.now())
        await self._database.run_transaction(lambda tx: log_out_device(tx, account, device, now))


MAX_DEVICES_WITH_SETTINGS = 100
"""Maximum number of devices per account with stored settings; one more evicts the oldest."""
_MODULES = re.compile("(?:,?(?:10|20|30)(?:,(?:10|20|30)){0,2})?")


class DeviceSettings:
    """Settings of each device of an account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get_ignored_modules(self, account: AccountId, device_id: str) -> IgnoredModules:
        """Return the modules hidden on a device; empty if none were set.

        Raises:
            InvalidField: `deviceId` contains invalid characters.
        """
        device = parse_device_id(device_id, "deviceId")
        stored = await find_ignored_modules(self._database, account, device)
        return stored or IgnoredModules(number=0, device_id=device, modules="", updated_at=0)

    async def set_ignored_modules(self, account: AccountId, device_id: str, modules: str) -> None:
        """Replace the modules hidden on a device.

        Raises:
            InvalidField: `deviceId` or `ignore` is invalid.
        """
        device, hidden = (
            parse_device_id(device_id, "deviceId"),
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
        """Return a device's notification setting; by default open, with the given registration.

        Raises:
            InvalidField: `deviceId` or `registrationId` contains invalid characters.
        """
        device = parse_device_id(device_id, "deviceId")
        registration = parse_device_text(registration_id, "registrationId")
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
        """Replace a device's notification setting.

        Raises:
            InvalidField: `deviceId` or `registrationId` contains invalid characters.
        """
        device = parse_device_id(device_id, "deviceId")
        registration = parse_device_text(registration_id, "registrationId")
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
    """Return the modules in their order, each after a comma: `,30,20,10`; "" for none.

    Raises:
        InvalidField: a module is unknown or repeated.
    """
    modules = listed.removeprefix(",").split(",")
    if not _MODULES.fullmatch(listed) or len(set(modules)) < len(modules):
        raise InvalidField(field)
    return "," + ",".join(modules) if listed else ""
