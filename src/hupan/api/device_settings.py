"""Handlers of what an account set for single devices."""

from hupan.api.services import Services
from hupan.contract.messages.device_settings import (
    IgnoredModulesEdit,
    IgnoredModulesInfo,
    IgnoredModulesRow,
    IgnoredModulesWanted,
    NotificationEdit,
    NotificationRow,
    NotificationStatus,
    NotificationWanted,
)
from hupan.contract.table import Done
from hupan.model import AccountId, Caller

NUMBERS_OF_AN_ACCOUNT = 128
"""More than an account has devices with settings; a small factor keeps the ids short."""


async def ignored_modules(
    services: Services, caller: Caller, request: IgnoredModulesWanted
) -> IgnoredModulesInfo:
    """What is hidden on one of the caller's devices."""
    account = caller.account.id
    stored = await services.device_settings.ignored(account, request.device_id)
    row = IgnoredModulesRow(
        id=row_id(account, stored.number),
        user_id=str(account),
        update_time=stored.updated_at,
        device_id=stored.device_id,
        ignore=stored.modules,
    )
    return IgnoredModulesInfo(row)


async def ignore_modules(services: Services, caller: Caller, request: IgnoredModulesEdit) -> Done:
    """Hides parts of the client on one of the caller's devices."""
    account = caller.account.id
    await services.device_settings.ignore(account, request.device_id, request.ignore)
    return Done()


async def notification_status(
    services: Services, caller: Caller, request: NotificationWanted
) -> NotificationStatus:
    """How one of the caller's devices is notified."""
    account = caller.account.id
    stored = await services.device_settings.notification(
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


async def set_notification(services: Services, caller: Caller, request: NotificationEdit) -> Done:
    """Sets how one of the caller's devices is notified."""
    await services.device_settings.notify(
        caller.account.id,
        request.device_id,
        request.registration_id,
        is_open=request.is_open,
        type_=request.type,
    )
    return Done()


def row_id(account: AccountId, number: int) -> int:
    """The id of an account's row among those of all accounts; 0 for one that is not stored."""
    return account * NUMBERS_OF_AN_ACCOUNT + number if number else 0
