"""Sockets of all processes: which sessions are connected, since when, and to which process.

A row counts only while its process reports that it is alive. The store's clock dates each report,
and it is compared with that of the reader's own process, so no machine's clock matters.
"""

from msgspec import Struct

from hupan.model import AccountId
from hupan.store.database import Reader, Transaction

INSERT_SOCKET = """
INSERT INTO sockets (account_id, process, number, token_hash, connected_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (account_id, process, number) DO NOTHING
"""
DELETE_SOCKET = "DELETE FROM sockets WHERE account_id = ?1 AND process = ?2 AND number = ?3"
LIST_SOCKETS = """
SELECT process, number, token_hash, connected_at_ms FROM sockets WHERE account_id = ?1
"""
MARK_SURPLUS = """
UPDATE sockets SET is_surplus = 1 WHERE account_id = ?1 AND process = ?2 AND number = ?3
"""
LIST_SURPLUS = "SELECT number FROM sockets WHERE process = ?1 AND is_surplus = 1 LIMIT ?2"
PURGE_PROCESS_SOCKETS = """
DELETE FROM sockets WHERE (account_id, process, number) IN
  (SELECT account_id, process, number FROM sockets WHERE process = ?1 LIMIT ?2)
"""
RENEW_PROCESS = """
INSERT INTO socket_processes (process) VALUES (?1)
ON CONFLICT (process) DO UPDATE SET alive_at = excluded.alive_at
"""
LIST_PROCESSES = "SELECT process, alive_at FROM socket_processes"
DELETE_PROCESS = "DELETE FROM socket_processes WHERE process = ?1"


class SocketRow(Struct, frozen=True):
    """A socket of an account; `number` names it within its process."""

    process: int
    number: int
    token_hash: bytes
    connected_at_ms: int


async def insert_socket(tx: Transaction, account: AccountId, row: SocketRow) -> None:
    """Insert a socket, unless it is there."""
    await tx.execute(
        INSERT_SOCKET, account, row.process, row.number, row.token_hash, row.connected_at_ms
    )


async def delete_socket(tx: Transaction, account: AccountId, process: int, number: int) -> None:
    """Delete a socket, if it is there."""
    await tx.execute(DELETE_SOCKET, account, process, number)


async def list_sockets(reader: Reader, account: AccountId) -> list[SocketRow]:
    """Return the sockets of an account, including those of processes that have ended."""
    return [SocketRow(*row) for row in await reader.fetch_all(LIST_SOCKETS, account)]


async def mark_surplus(tx: Transaction, account: AccountId, process: int, number: int) -> None:
    """Ask the process of a socket to close it."""
    await tx.execute(MARK_SURPLUS, account, process, number)


async def list_surplus(reader: Reader, process: int, max_rows: int) -> list[int]:
    """Return the numbers of sockets that a process is to close."""
    return [int(row[0]) for row in await reader.fetch_all(LIST_SURPLUS, process, max_rows)]


async def purge_process_sockets(tx: Transaction, process: int, max_rows: int) -> int:
    """Delete up to `max_rows` sockets of a process; return their number."""
    return await tx.execute(PURGE_PROCESS_SOCKETS, process, max_rows)


async def renew_process(tx: Transaction, process: int) -> None:
    """Record that a process is alive."""
    await tx.execute(RENEW_PROCESS, process)


async def list_processes(reader: Reader) -> dict[int, int]:
    """Return when each process last reported to be alive, in milliseconds of the store's clock."""
    return {int(row[0]): int(row[1]) for row in await reader.fetch_all(LIST_PROCESSES)}


async def delete_process(tx: Transaction, process: int) -> None:
    """Forget a process that has ended."""
    await tx.execute(DELETE_PROCESS, process)
