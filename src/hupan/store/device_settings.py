"""What accounts set for single devices."""

from hupan.model import AccountId, IgnoredModules, NotificationSetting
from hupan.store.engine import Reader, Transaction


def _make_room(table: str) -> str:
    """Removes the device that was set longest ago if there are too many to take another."""
    return f"""
DELETE FROM {table} WHERE account_id = ?1
  AND NOT EXISTS (SELECT 1 FROM {table} WHERE account_id = ?1 AND device_id = ?2)
  AND (SELECT count(*) FROM {table} WHERE account_id = ?1) >= ?3
  AND device_id = (
    SELECT device_id FROM {table} WHERE account_id = ?1 ORDER BY updated_at, number LIMIT 1)
RETURNING number
"""


# A number that was freed, else the one behind the last.
_NEXT_NUMBER = "coalesce(?3, coalesce(max(number), 0) + 1)"


FIND_IGNORED = """
SELECT number, device_id, modules, updated_at
FROM ignored_modules WHERE account_id = ?1 AND device_id = ?2
"""
MAKE_ROOM_FOR_IGNORED = _make_room("ignored_modules")
PUT_IGNORED = f"""
INSERT INTO ignored_modules (account_id, device_id, number, modules, updated_at)
SELECT ?1, ?2, {_NEXT_NUMBER}, ?4, ?5 FROM ignored_modules WHERE account_id = ?1
ON CONFLICT (account_id, device_id) DO UPDATE SET
  modules = excluded.modules, updated_at = excluded.updated_at
"""
FIND_NOTIFICATION = """
SELECT number, device_id, registration_id, is_open, type, created_at, updated_at
FROM notification_settings WHERE account_id = ?1 AND device_id = ?2
"""
MAKE_ROOM_FOR_NOTIFICATION = _make_room("notification_settings")
PUT_NOTIFICATION = f"""
INSERT INTO notification_settings
  (account_id, device_id, number, registration_id, is_open, type, created_at, updated_at)
SELECT ?1, ?2, {_NEXT_NUMBER}, ?4, ?5, ?6, ?7, ?7
FROM notification_settings WHERE account_id = ?1
ON CONFLICT (account_id, device_id) DO UPDATE SET
  registration_id = excluded.registration_id, is_open = excluded.is_open, type = excluded.type,
  updated_at = excluded.updated_at
"""


async def find_ignored(reader: Reader, account: AccountId, device_id: str) -> IgnoredModules | None:
    """The modules that are hidden on a device."""
    row = await reader.one(FIND_IGNORED, account, device_id)
    return None if row is None else IgnoredModules(*row)


async def put_ignored(
    tx: Transaction, account: AccountId, device_id: str, modules: str, *, most: int, now: int
) -> None:
    """Keeps what is hidden on a device; of more devices than `most` the oldest is forgotten."""
    number = await _freed_number(tx, MAKE_ROOM_FOR_IGNORED, account, device_id, most)
    await tx.run(PUT_IGNORED, account, device_id, number, modules, now)


async def find_notification(
    reader: Reader, account: AccountId, device_id: str
) -> NotificationSetting | None:
    """How a device is notified."""
    row = await reader.one(FIND_NOTIFICATION, account, device_id)
    return None if row is None else NotificationSetting(*row)


async def put_notification(
    tx: Transaction,
    account: AccountId,
    device_id: str,
    registration_id: str,
    *,
    is_open: int,
    type_: int,
    most: int,
    now: int,
) -> None:
    """Keeps how a device is notified; of more devices than `most` the oldest is forgotten."""
    number = await _freed_number(tx, MAKE_ROOM_FOR_NOTIFICATION, account, device_id, most)
    await tx.run(PUT_NOTIFICATION, account, device_id, number, registration_id, is_open, type_, now)


async def _freed_number(
    tx: Transaction, sql: str, account: AccountId, device_id: str, most: int
) -> int | None:
    row = await tx.one(sql, account, device_id, most)
    return None if row is None else int(row[0])
