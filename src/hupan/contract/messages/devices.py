"""Messages of devices and their settings (wire.md 4: device-offline, module-ignore, notification-*)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from hupan.contract.messages.fields import DeviceIdText, ShortText

RegistrationIdText = Annotated[str, Meta(max_length=512)]
"""What a push service calls an app on a device; some hand out long ones."""
NotificationType = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""Without a known meaning; kept as it came."""


class IgnoredModulesRequest(Struct, rename="camel"):
    """Asks what is hidden on a device."""

    device_id: DeviceIdText


class IgnoredModulesEdit(Struct, rename="camel"):
    """What shall be hidden on a device.

    Attributes:
        ignore: `,30,20,10`, "" for nothing: 10 the community, 20 discovery, 30 most of "me".
    """

    device_id: DeviceIdText
    ignore: ShortText


class IgnoredModulesRow(Struct, rename="camel"):
    """What is hidden on a device.

    Attributes:
        id: 0 where nothing was ever set.
        update_time: unix seconds, 0 where nothing was ever set.
        ignore: `,30,20,10`, "" for nothing.
    """

    id: int
    user_id: str
    update_time: int
    device_id: str
    ignore: str


class IgnoredModulesInfo(Struct, rename="camel"):
    """The row in its wrapper."""

    ignore: IgnoredModulesRow


class NotificationRequest(Struct, rename="camel"):
    """Asks how a device is notified."""

    device_id: DeviceIdText
    registration_id: RegistrationIdText


class NotificationEdit(Struct, rename="camel"):
    """How a device shall be notified.

    Attributes:
        registration_id: what a push service calls the app on the device.
        is_open: 1 to be notified.
        type: kept as it comes; nobody knows its meaning.
    """

    device_id: DeviceIdText
    registration_id: RegistrationIdText
    is_open: Literal[0, 1]
    type: NotificationType


class NotificationRow(Struct, rename="camel"):
    """How a device is notified; where nothing was ever set it is.

    Attributes:
        id: 0 where nothing was ever set.
        is_open: 1 or 0.
        del_flag: always 0.
        create_time: unix seconds, 0 where nothing was ever set.
        update_time: likewise.
    """

    id: int
    user_id: str
    device_id: str
    registration_id: str
    is_open: int
    type: int
    del_flag: int
    create_time: int
    update_time: int


class NotificationStatus(Struct, rename="camel"):
    """The row in its wrapper."""

    notification: NotificationRow


class DeviceLogout(Struct, rename="camel"):
    """Names the device whose session shall end.

    Attributes:
        device_id: "" for all sessions that were opened without one.
    """

    device_id: DeviceIdText
