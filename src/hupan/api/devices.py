"""Handlers of the caller's devices and their settings."""

from hupan.api.app import Services, handles
from hupan.contract import devices
from hupan.contract.devices import (
    DeviceLogout,
    IgnoredModulesEdit,
    IgnoredModulesInfo,
    IgnoredModulesRequest,
    IgnoredModulesRow,
    NotificationEdit,
    NotificationRequest,
    NotificationRow,
    NotificationStatus,
)
from hupan.contract.endpoints import IgnoredBody, NoData
from hupan.contract.pb.hupan_pb2 import Clients
from hupan.model import AccountId, Caller


@handles(devices.list_devices)
async def list_devices(services: Services, caller: Caller, _request: IgnoredBody) -> Clients:
    """List the caller's devices with a live session, the newest login first."""
    sessions = await services.devices.list_live(caller.account.id)
    return Clients(
        client=[
            Clients.Client(
                user_id=str(session.account_id),
                platform=session.platform,
                device_id=session.device_id,
                login_timestamp=session.signed_in_at,
            )
            for session in sessions
        ]
    )


@handles(devices.logout_device)
async def logout_device(services: Services, caller: Caller, request: DeviceLogout) -> NoData:
    """End the sessions of one of the caller's devices; any other device changes nothing."""
    await services.devices.take_offline(caller.account.id, request.device_id)
    return NoData()


ROW_IDS_PER_ACCOUNT = 128
"""More than the devices with settings of one account; a small factor keeps the ids short."""


@handles(devices.get_ignored_modules)
async def get_ignored_modules(
    services: Services, caller: Caller, request: IgnoredModulesRequest
) -> IgnoredModulesInfo:
    """Return the modules that one of the caller's devices hides."""
    account = caller.account.id
    stored = await services.device_settings.get_ignored_modules(account, request.device_id)
    row = IgnoredModulesRow(
        id=row_id(account, stored.number),
        user_id=str(account),
        update_time=stored.updated_at,
        device_id=stored.device_id,
        ignore=stored.modules,
    )
    return IgnoredModulesInfo(row)


@handles(devices.set_ignored_modules)
async def set_ignored_modules(
    services: Services, caller: Caller, request: IgnoredModulesEdit
) -> NoData:
    """Set the modules that one of the caller's devices hides."""
    account = caller.account.id
    await services.device_settings.set_ignored_modules(account, request.device_id, request.ignore)
    return NoData()


@handles(devices.get_notification)
async def get_notification(
    services: Services, caller: Caller, request: NotificationRequest
) -> NotificationStatus:
    """Return the notification setting of one of the caller's devices."""
    account = caller.account.id
    stored = await services.device_settings.get_notification(
        account, request.device_id, request.registration_id
    )
    row = NotificationRow(
        id=row_id(account, stored.number),
        user_id=str(account),
        device_id=stored.device_id,
        registration_id=stored.registration_id,
        is_open=stored.is_open,
        type=stored.type,
        del_flag=0,
        create_time=stored.created_at,
        update_time=stored.updated_at,
    )
    return NotificationStatus(row)


@handles(devices.set_notification)
async def set_notification(services: Services, caller: Caller, request: NotificationEdit) -> NoData:
    """Set the notification setting of one of the caller's devices."""
    await services.device_settings.set_notification(
        caller.account.id,
        request.device_id,
        request.registration_id,
        is_open=request.is_open,
        type_=request.type,
    )
    return NoData()


def row_id(account: AccountId, number: int) -> int:
    """Return an id that is unique among all accounts; 0 for a row that is not stored."""
    return account * ROW_IDS_PER_ACCOUNT + number if number else 0
