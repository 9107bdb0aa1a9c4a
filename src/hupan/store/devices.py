"""Settings that accounts keep per device."""

from hupan.model import AccountId, IgnoredModules, NotificationSetting
from hupan.store.accounts import next_number
from hupan.store.database import Reader, Transaction


def _delete_oldest_device(table: str) -> str:
    return f"""
DELETE FROM {table} WHERE account_id = ?1
  AND NOT EXISTS (SELECT 1 FROM {table} WHERE account_id = ?1 AND device_id = ?2)
  AND (SELECT count(*) FROM {table} WHERE account_id = ?1) >= ?3
  AND device_id = (
    SELECT device_id FROM {table} WHERE account_id = ?1 ORDER BY updated_at, number LIMIT 1)
RETURNING number
"""


FIND_IGNORED_MODULES = """
SELECT number, device_id, modules, updated_at
FROM ignored_modules WHERE account_id = ?1 AND device_id = ?2
"""
DELETE_OLDEST_IGNORED_MODULES = _delete_oldest_device("ignored_modules")
# A query within an INSERT would cost a distributed database a commit in two phases.
NEXT_IGNORED_MODULES_NUMBER = (
    "SELECT coalesce(max(number), 0) + 1 FROM ignored_modules WHERE account_id = ?1"
)
PUT_IGNORED_MODULES = """
INSERT INTO ignored_modules (account_id, device_id, number, modules, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (account_id, device_id) DO UPDATE SET
  modules = excluded.modules, updated_at = excluded.updated_at
"""
FIND_NOTIFICATION_SETTING = """
SELECT number, device_id, registration_id, is_open, type, created_at, updated_at
FROM notification_settings WHERE account_id = ?1 AND device_id = ?2
"""
DELETE_OLDEST_NOTIFICATION_SETTING = _delete_oldest_device("notification_settings")
NEXT_NOTIFICATION_NUMBER = (
    "SELECT coalesce(max(number), 0) + 1 FROM notification_settings WHERE account_id = ?1"
)
PUT_NOTIFICATION_SETTING = """
INSERT INTO notification_settings
  (account_id, device_id, number, registration_id, is_open, type, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
ON CONFLICT (account_id, device_id) DO UPDATE SET
  registration_id = excluded.registration_id, is_open = excluded.is_open, type = excluded.type,
  updated_at = excluded.updated_at
"""


async def find_ignored_modules(
    reader: Reader, account: AccountId, device_id: str
) -> IgnoredModules | None:
    """Return the modules that are hidden on a device."""
    row = await reader.fetch_one(FIND_IGNORED_MODULES, account, device_id)
    return None if row is None else IgnoredModules(*row)


async def put_ignored_modules(
    tx: Transaction, account: AccountId, device_id: str, modules: str, *, max_devices: int, now: int
) -> None:
    """Store the hidden modules of a device; beyond `max_devices` the oldest device is deleted."""
    number = await _free_number(
        tx,
        DELETE_OLDEST_IGNORED_MODULES,
        NEXT_IGNORED_MODULES_NUMBER,
        account,
        device_id,
        max_devices,
    )
    await tx.execute(PUT_IGNORED_MODULES, account, device_id, number, modules, now)


async def find_notification_setting(
    reader: Reader, account: AccountId, device_id: str
) -> NotificationSetting | None:
    """Return the notification setting of a device."""
    row = await reader.fetch_one(FIND_NOTIFICATION_SETTING, account, device_id)
    return None if row is None else NotificationSetting(*row)


async def put_notification_setting(
    tx: Transaction,
    account: AccountId,
    device_id: str,
    registration_id: str,
    *,
    is_open: int,
    type_: int,
    max_devices: int,
    now: int,
) -> None:
    """Store a device's notification setting; beyond `max_devices` the oldest device is deleted."""
    number = await _free_number(
        tx,
        DELETE_OLDEST_NOTIFICATION_SETTING,
        NEXT_NOTIFICATION_NUMBER,
        account,
        device_id,
        max_devices,
    )
    await tx.execute(
        PUT_NOTIFICATION_SETTING, account, device_id, number, registration_id, is_open, type_, now
    )


async def _free_number(
    tx: Transaction,
    delete_oldest: str,
    find_next: str,
    account: AccountId,
    device_id: str,
    max_devices: int,
) -> int:
    """Return the number of the device that was deleted, or a new one; the account is locked."""
    row = await tx.fetch_one(delete_oldest, account, device_id, max_devices)
    return await next_number(tx, find_next, account) if row is None else int(row[0])
