"""What accounts set for single devices (wire.md 4: module-ignore, notification-info)."""

import re

from hupan.clock import Clock
from hupan.domain import text
from hupan.domain.refusals import InvalidField
from hupan.model import AccountId, IgnoredModules, NotificationSetting
from hupan.store.accounts import hold_account
from hupan.store.device_settings import (
    find_ignored,
    find_notification,
    put_ignored,
    put_notification,
)
from hupan.store.engine import Engine, Transaction

MOST_DEVICES = 100
"""Devices of one account whose settings are kept; one more pushes out the one set longest ago."""
_MODULES = re.compile("(?:,?(?:10|20|30)(?:,(?:10|20|30)){0,2})?")


class DeviceSettings:
    """Keeps one row for each account and device."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def ignored(self, account: AccountId, device_id: str) -> IgnoredModules:
        """What is hidden on a device: nothing where nothing was set.

        Raises:
            InvalidField: `deviceId` holds characters that no device id can.
        """
        device = text.device_id(device_id, "deviceId")
        stored = await find_ignored(self._engine, account, device)
        return stored or IgnoredModules(number=0, device_id=device, modules="", updated_at=0)

    async def ignore(self, account: AccountId, device_id: str, modules: str) -> None:
        """Hides parts of the client on a device, in place of those hidden before.

        Raises:
            InvalidField: `deviceId` or `ignore` cannot be.
        """
        device, hidden = text.device_id(device_id, "deviceId"), read_modules(modules, "ignore")
        now = int(self._clock.now())

        async def change(tx: Transaction) -> None:
            await hold_account(tx, account)
            await put_ignored(tx, account, device, hidden, most=MOST_DEVICES, now=now)

        await self._engine.change(change)

    async def notification(
        self, account: AccountId, device_id: str, registration_id: str
    ) -> NotificationSetting:
        """How a device is notified; where nothing was set it is, as it asked to be registered.

        Raises:
            InvalidField: `deviceId` or `registrationId` holds characters that neither can.
        """
        device = text.device_id(device_id, "deviceId")
        registration = text.device_text(registration_id, "registrationId")
        stored = await find_notification(self._engine, account, device)
        return stored or NotificationSetting(
            number=0,
            device_id=device,
            registration_id=registration,
            is_open=1,
            type=0,
            created_at=0,
            updated_at=0,
        )

    async def notify(
        self, account: AccountId, device_id: str, registration_id: str, *, is_open: int, type_: int
    ) -> None:
        """Sets how a device is notified.

        Raises:
            InvalidField: `deviceId` or `registrationId` holds characters that neither can.
        """
        device = text.device_id(device_id, "deviceId")
        registration = text.device_text(registration_id, "registrationId")
        now = int(self._clock.now())

        async def change(tx: Transaction) -> None:
            await hold_account(tx, account)
            await put_notification(
                tx,
                account,
                device,
                registration,
                is_open=is_open,
                type_=type_,
                most=MOST_DEVICES,
                now=now,
            )

        await self._engine.change(change)


def read_modules(wanted: str, field: str) -> str:
    """The modules to hide, in the order given, each behind a comma: `,30,20,10`; "" for none.

    Raises:
        InvalidField: one is not known, or comes twice.
    """
    modules = wanted.removeprefix(",").split(",")
    if not _MODULES.fullmatch(wanted) or len(set(modules)) < len(modules):
        raise InvalidField(field)
    return "," + ",".join(modules) if wanted else ""
