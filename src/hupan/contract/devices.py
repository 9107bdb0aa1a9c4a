"""Messages of devices and their settings (wire.md 4: device-offline, module-*, notification-*)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from hupan.contract.endpoints import SESSION, VIP, AuditEvent, IgnoredBody, NoData, Note, app
from hupan.contract.fields import DeviceIdText, ShortText
from hupan.contract.pb.hupan_pb2 import Clients

RegistrationIdText = Annotated[str, Meta(max_length=512)]
"""The id of an app on a device at a push service; some ids are long."""
NotificationType = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""Of unknown meaning; stored as received."""


class IgnoredModulesRequest(Struct, rename="camel"):
    """Requests the modules that a device hides."""

    device_id: DeviceIdText


class IgnoredModulesEdit(Struct, rename="camel"):
    """Sets the modules that a device hides.

    Attributes:
        ignore: `,30,20,10`, "" for nothing: 10 community, 20 discovery, 30 most of the page "me".
    """

    device_id: DeviceIdText
    ignore: ShortText


class IgnoredModulesRow(Struct, rename="camel"):
    """The modules that a device hides.

    Attributes:
        id: 0 for a device without settings.
        update_time: unix seconds, 0 for a device without settings.
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
    """Requests the notification setting of a device."""

    device_id: DeviceIdText
    registration_id: RegistrationIdText


class NotificationEdit(Struct, rename="camel"):
    """Sets the notification setting of a device.

    Attributes:
        registration_id: the id of the app on the device at a push service.
        is_open: 1 for notifications, 0 for none.
        type: a value of unknown meaning; stored as received.
    """

    device_id: DeviceIdText
    registration_id: RegistrationIdText
    is_open: Literal[0, 1]
    type: NotificationType


class NotificationRow(Struct, rename="camel"):
    """The notification setting of a device; on by default.

    Attributes:
        id: 0 for a device without settings.
        is_open: 1 or 0.
        del_flag: always 0.
        create_time: unix seconds, 0 for a device without settings.
        update_time: unix seconds, 0 for a device without settings.
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
    """Names the device whose sessions end.

    Attributes:
        device_id: "" for all sessions without a device id.
    """

    device_id: DeviceIdText


list_devices = app.get(
    "/v1/user/clients",
    SESSION,
    IgnoredBody,
    Clients,
    source="C",
    notes=(
        Note(
            "D",
            "Only live sessions, the newest login first.",
            "只列有效会话，最近登录的在前。",
        ),
    ),
)
logout_device = app.post(
    "/v1/user/device-offline",
    SESSION,
    DeviceLogout,
    NoData,
    event=AuditEvent("device-offline", device="device_id"),
    sample=DeviceLogout(device_id="elsewhere"),
    source="C",
    notes=(
        Note(
            "D",
            "For a device that is unknown or not the caller's, it changes nothing and succeeds.",
            "设备不属于本人或不存在时不做任何事，返回成功。",
        ),
    ),
)
get_ignored_modules = app.post(
    "/v1/user/module-ignore-info",
    VIP,
    IgnoredModulesRequest,
    IgnoredModulesInfo,
    sample=IgnoredModulesRequest(device_id="elsewhere"),
    source="R",
    notes=(
        Note(
            "D",
            "A device without settings has `id` 0 and an empty `ignore`.",
            "未设置过的设备 `id` 为 0，`ignore` 为空。",
        ),
    ),
)
set_ignored_modules = app.post(
    "/v1/user/module-ignore",
    VIP,
    IgnoredModulesEdit,
    NoData,
    sample=IgnoredModulesEdit(device_id="elsewhere", ignore=",10"),
    source="R",
    notes=(
        Note(
            "D",
            "The ids 10, 20 and 30, each at most once; others are refused.",
            "编号 10、20、30，各一次；其他被拒绝。",
        ),
    ),
)
get_notification = app.post(
    "/v1/user/notification-status",
    SESSION,
    NotificationRequest,
    NotificationStatus,
    sample=NotificationRequest(device_id="elsewhere", registration_id="r"),
    source="R",
    notes=(
        Note(
            "D",
            "A device without settings has `id` 0 and `isOpen` 1.",
            "未设置过的设备 `id` 为 0，`isOpen` 为 1。",
        ),
    ),
)
set_notification = app.post(
    "/v1/user/notification-info",
    SESSION,
    NotificationEdit,
    NoData,
    sample=NotificationEdit(device_id="elsewhere", registration_id="r", is_open=1, type=2),
    source="R",
    notes=(
        Note(
            "C",
            "Stores, although the reference's title says that it reads.",
            "用于保存，尽管文档的标题写作“获取”。",
        ),
    ),
)
