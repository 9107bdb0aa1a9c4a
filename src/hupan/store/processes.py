"""Numbers of server processes: what makes the ids of requests unique (wire.md 1.8)."""

from hupan.store.engine import Transaction

NEXT = "UPDATE counters SET value = value + 1 WHERE name = 'process' RETURNING value"


async def next_process_number(tx: Transaction) -> int:
    """A number that no other process of this store has, or had."""
    row = await tx.one(NEXT)
    if row is None:
        raise LookupError("the counter of processes is missing")
    return int(row[0])
