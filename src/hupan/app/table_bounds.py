"""The one list of what grows, and where it ends: every table, and every queue and buffer (X5).

docs/limits.md has it as tables; a guard holds it against the schema, and a test reaches each bound
of a table that users can grow.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from hupan.api.address import MOST_REMEMBERED
from hupan.config import Settings
from hupan.domain.contacts import MOST_CHANGES
from hupan.domain.courier import MOST_AT_ONCE, MOST_NOTICES_AT_ONCE, MOST_WAITING
from hupan.domain.device_settings import MOST_DEVICES as MOST_SET_DEVICES
from hupan.domain.floods import SLOTS
from hupan.domain.housekeeping import MOST_SPENT_CAPTCHAS, MOST_TALLIES
from hupan.domain.remarks import MOST_CHARACTERS, MOST_REMARKS
from hupan.domain.sessions import MOST_DEVICES
from hupan.sandbox.inbox import MOST_ENTRIES
from hupan.store.outbox import PRIORITIES
from hupan.store.sessions import MOST_LEFT
from hupan.store.writer import MOST_WAITING as MOST_CHANGES_WAITING

Per: TypeAlias = Literal["account", "target", "server", "operators"]
"""Whose rows are bounded together; rows of `operators` no user writes."""


@dataclass(frozen=True, slots=True)
class TableBound:
    """How many rows a table holds.

    Attributes:
        most: rows, 0 where their number follows from something else that is bounded.
        kept_by: what keeps it so.
    """

    table: str
    per: Per
    most: int
    kept_by: str


@dataclass(frozen=True, slots=True)
class BufferBound:
    """How much a queue or a buffer of a process holds, and what comes of more."""

    name: str
    most: str
    beyond: str


_SESSIONS = Settings().sessions_per_account
_OPERATORS = "written by operators alone"

TABLES = (
    TableBound("accounts", "server", 0, "each costs a code: the budget of codes to strangers"),
    TableBound("identities", "account", 4, "one number, one address, two invitation codes"),
    TableBound(
        "sessions", "account", _SESSIONS, "`sessions_per_account`: one more ends the oldest"
    ),
    TableBound("left_sessions", "account", MOST_LEFT, "the oldest are forgotten; all after 7 days"),
    TableBound(
        "devices",
        "account",
        MOST_DEVICES,
        "those not used for longest are forgotten; with more `sessions_per_account`, as many",
    ),
    TableBound("codes", "target", 1, "a new code replaces the old; deleted when it expires"),
    TableBound(
        "spent_captchas",
        "server",
        MOST_SPENT_CAPTCHAS,
        "those that expired; more only for as long as captchas live; deleted after a day",
    ),
    TableBound(
        "tallies",
        "server",
        MOST_TALLIES,
        "deleted when its time is over; beyond, those of the fewest events that are over soonest",
    ),
    TableBound("limit_resets", "operators", 0, "written by operators alone; deleted after an hour"),
    TableBound(
        "outbox",
        "server",
        2 * len(PRIORITIES) * MOST_WAITING,
        f"{MOST_WAITING} of each channel and priority; the oldest are dropped",
    ),
    TableBound("contact_changes", "account", MOST_CHANGES, "one more is refused (1203)"),
    TableBound("step_ups", "account", 0, "two for each session; deleted after 10 minutes"),
    TableBound("profiles", "account", 1, "the key; 500 characters of introduction"),
    TableBound(
        "remarks",
        "account",
        MOST_REMARKS,
        f"one more is refused (1441), and {MOST_CHARACTERS} characters of all together (1442)",
    ),
    TableBound("invitation_changes", "account", 1, "the key: a code is changed once"),
    TableBound("invitations", "account", 1, "the key: one inviter"),
    TableBound("inviters", "account", 1, "the key"),
    TableBound(
        "coin_entries",
        "account",
        0,
        "the journal stays: two first edits, a reward for each account invited, and operators' own",
    ),
    TableBound("coin_refusals", "account", 0, "as the journal; deleted after 7 days"),
    TableBound("ignored_modules", "account", MOST_SET_DEVICES, "the device set longest ago goes"),
    TableBound(
        "notification_settings", "account", MOST_SET_DEVICES, "the device set longest ago goes"
    ),
    TableBound("account_medals", "operators", 0, _OPERATORS),
    TableBound("medals", "operators", 0, _OPERATORS),
    TableBound("categories", "operators", 0, _OPERATORS),
    TableBound("listed_groups", "operators", 0, _OPERATORS),
    TableBound("group_ranks", "operators", 0, _OPERATORS),
    TableBound("group_texts", "operators", 0, _OPERATORS),
    TableBound("group_postings", "operators", 0, _OPERATORS),
    TableBound("listed_bots", "operators", 0, _OPERATORS),
    TableBound("counters", "operators", 0, "some fixed names"),
)

BUFFERS = (
    BufferBound("changes that wait for the store", f"{MOST_CHANGES_WAITING}", "busy (1002)"),
    BufferBound("codes being sent", f"{MOST_AT_ONCE} of each channel", "they wait in the outbox"),
    BufferBound(
        "notices being sent", f"{MOST_NOTICES_AT_ONCE} of each channel", "they wait in the outbox"
    ),
    BufferBound(
        "counts of addresses and accounts", f"{SLOTS} slots of each limit", "two may share a slot"
    ),
    BufferBound("pictures drawn ahead", "`captcha_pool`", "no more are drawn"),
    BufferBound("addresses read from headers", f"{MOST_REMEMBERED}", "they are read again"),
    BufferBound("the sandbox's outbox", f"{MOST_ENTRIES}", "the oldest are forgotten"),
)


def table_rows() -> str:
    """The tables of a store as rows of Markdown."""
    return "".join(
        f"| {one.table} | {one.per} | {one.most or 'follows'} | {one.kept_by} |\n" for one in TABLES
    )


def buffer_rows() -> str:
    """The queues and buffers of a process as rows of Markdown."""
    return "".join(f"| {one.name} | {one.most} | {one.beyond} |\n" for one in BUFFERS)
