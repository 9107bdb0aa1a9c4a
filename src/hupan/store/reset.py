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
    "limit_resets",
    "outbox",
    "contact_changes",
    "step_ups",
    "medals",
    "account_medals",
    "profiles",
    "remarks",
    "invitation_changes",
    "invitations",
    "inviters",
    "coin_entries",
    "coin_refusals",
    "categories",
    "listed_groups",
    "group_ranks",
    "group_texts",
    "group_postings",
    "listed_bots",
    "ignored_modules",
    "notification_settings",
)
START_OVER = "UPDATE counters SET value = 1000000 WHERE name = 'account'"


async def empty(tx: Transaction) -> None:
    """Forgets everything; ids start over."""
    for table in TABLES:
        await tx.run(f"DELETE FROM {table}")
    await tx.run(START_OVER)
