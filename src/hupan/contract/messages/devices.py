"""The devices of an account (wire.md 4: device-offline)."""

from msgspec import Struct

from hupan.contract.messages.fields import DeviceText


class DeviceOffline(Struct, rename="camel"):
    """Names the device whose session shall end.

    Attributes:
        device_id: "" for all sessions that were opened without one.
    """

    device_id: DeviceText
