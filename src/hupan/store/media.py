"""Uploaded pictures, and the files that wait for their deletion."""

from msgspec import Struct

from hupan.model import AccountId
from hupan.store.database import Reader, Transaction

LIST_PICTURES = """
SELECT client_key, name, size, uploaded_at FROM pictures WHERE account_id = ?1
"""
# The first account of a key keeps it: another account cannot replace what a shared address shows.
FIND_KEY_HOLDER = """
SELECT holder FROM picture_keys WHERE client_key = ?1 ORDER BY claimed_at, holder LIMIT 1
"""
FIND_NAME = "SELECT name FROM pictures WHERE account_id = ?1 AND client_key = ?2"
PUT_KEY = """
INSERT INTO picture_keys (client_key, holder, claimed_at) VALUES (?1, ?2, ?3)
ON CONFLICT (client_key, holder) DO NOTHING
"""
DELETE_KEY = "DELETE FROM picture_keys WHERE client_key = ?1 AND holder = ?2"
PUT_PICTURE = """
INSERT INTO pictures (account_id, client_key, name, size, claimed_at, uploaded_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?5)
ON CONFLICT (account_id, client_key) DO UPDATE SET
  name = excluded.name, size = excluded.size, uploaded_at = excluded.uploaded_at
"""
CLAIM_KEY = """
INSERT INTO pictures (account_id, client_key, name, size, claimed_at, uploaded_at)
VALUES (?1, ?2, '', 0, ?3, ?3)
ON CONFLICT (account_id, client_key) DO NOTHING
"""
DELETE_PICTURE = "DELETE FROM pictures WHERE account_id = ?1 AND client_key = ?2"
PUT_REMOVAL = """
INSERT INTO picture_removals (account_id, name, due_at) VALUES (?1, ?2, ?3)
ON CONFLICT (account_id, name) DO UPDATE SET due_at = excluded.due_at
"""
TAKE_REMOVAL = "DELETE FROM picture_removals WHERE account_id = ?1 AND name = ?2 AND due_at > ?3"
# A file that is to be deleted later stays so, however often it is found.
PUT_ORPHAN_REMOVAL = """
INSERT INTO picture_removals (account_id, name, due_at) VALUES (?1, ?2, ?3)
ON CONFLICT (account_id, name) DO NOTHING
"""
LIST_NAMES = "SELECT name FROM pictures WHERE name >= ?1 AND name < ?2"
DELETE_REMOVAL = "DELETE FROM picture_removals WHERE account_id = ?1 AND name = ?2"
LIST_DUE_REMOVALS = """
SELECT account_id, name FROM picture_removals WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2
"""


class Picture(Struct, frozen=True):
    """An uploaded picture; without a name, only the key is reserved.

    Attributes:
        size: the size of the stored file in bytes.
    """

    client_key: str
    name: str
    size: int
    uploaded_at: int

    @property
    def stem(self) -> str:
        """The name without its extension, by which files are deleted."""
        return self.name.partition(".")[0]


async def list_pictures(reader: Reader, account: AccountId) -> list[Picture]:
    """Return the pictures of an account, newest first."""
    pictures = [Picture(*row) for row in await reader.fetch_all(LIST_PICTURES, account)]
    return sorted(pictures, key=lambda picture: picture.uploaded_at, reverse=True)


async def find_name_by_key(reader: Reader, client_key: str) -> str:
    """Return the file of the account that had a key first, "" for none."""
    holder = await reader.fetch_one(FIND_KEY_HOLDER, client_key)
    if holder is None:
        return ""
    row = await reader.fetch_one(FIND_NAME, holder[0], client_key)
    return "" if row is None else str(row[0])


async def put_picture(
    tx: Transaction, account: AccountId, client_key: str, name: str, size: int, now: int
) -> None:
    """Insert a picture; it replaces the account's own one with this key."""
    await tx.execute(PUT_PICTURE, account, client_key, name, size, now)
    await tx.execute(PUT_KEY, client_key, account, now)


async def claim_key(tx: Transaction, account: AccountId, client_key: str, now: int) -> None:
    """Hold a key for an account, unless the account has a picture with it."""
    await tx.execute(CLAIM_KEY, account, client_key, now)
    await tx.execute(PUT_KEY, client_key, account, now)


async def delete_picture(tx: Transaction, account: AccountId, client_key: str) -> None:
    await tx.execute(DELETE_PICTURE, account, client_key)
    await tx.execute(DELETE_KEY, client_key, account)


async def put_removal(tx: Transaction, account: AccountId, name: str, due_at: int) -> None:
    """Schedule the deletion of a file, or change its time."""
    await tx.execute(PUT_REMOVAL, account, name, due_at)


async def put_orphan_removal(tx: Transaction, account: AccountId, name: str, due_at: int) -> None:
    """Schedule the deletion of a file, unless it is scheduled already."""
    await tx.execute(PUT_ORPHAN_REMOVAL, account, name, due_at)


async def list_names(reader: Reader, beginning: str) -> set[str]:
    """Return the names of pictures with a prefix."""
    end = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    return {str(row[0]) for row in await reader.fetch_all(LIST_NAMES, beginning, end)}


async def take_removal(tx: Transaction, account: AccountId, name: str, due_after: int) -> bool:
    """Keep a file after all; False if it is due by `due_after`, and may be gone."""
    return await tx.execute(TAKE_REMOVAL, account, name, due_after) == 1


async def delete_removal(tx: Transaction, account: AccountId, name: str) -> None:
    await tx.execute(DELETE_REMOVAL, account, name)


async def list_due_removals(reader: Reader, now: int, max_rows: int) -> list[tuple[AccountId, str]]:
    """Return the accounts and names of files that are due."""
    rows = await reader.fetch_all(LIST_DUE_REMOVALS, now, max_rows)
    return [(AccountId(row[0]), str(row[1])) for row in rows]


async def remove_all_pictures(tx: Transaction, account: AccountId, now: int) -> None:
    """Schedule the files of an account for deletion now, and release its keys; other rows stay."""
    for picture in await list_pictures(tx, account):
        await tx.execute(DELETE_KEY, picture.client_key, account)
        if picture.name:
            await put_removal(tx, account, picture.stem, now)
