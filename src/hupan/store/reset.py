"""Emptying a store, for the sandbox."""

from hupan.store.engine import Transaction

TABLES = (
    "accounts",
    "identities",
    "sessions",
    "left_sessions",
    "devices",
    "codes",
    "spent_captchas",
    "tallies",
    "outbox",
    "medals",
    "account_medals",
)
START_OVER = "UPDATE counters SET value = 1000000 WHERE name = 'account'"


async def empty(tx: Transaction) -> None:
    """Forgets everything; ids start over."""
    for table in TABLES:
        await tx.run(f"DELETE FROM {table}")
    await tx.run(START_OVER)
