"""The bounds of every table, queue and buffer (security X5), shown in docs/limits.md.

A guard compares the list with the schema, and a test reaches each bound of a table that users can
grow. A new table has its bound in the schema, in a comment above it:

    -- bound: account, store.sessions.MAX_LOGGED_OUT_TOKENS, tests/wire/test_x.py: the oldest goes

The fields are: the owner of the rows that are bounded together, the maximum (a number or the
constant that enforces it), the test that reaches it (`-` for operators' tables), and the mechanism.
"""

import re
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Literal, TypeAlias, cast

from hupan.addresses import MAX_CACHED_CLIENTS
from hupan.api.oauth import MAX_STREAMS
from hupan.api.presence import MAX_WAITING_COMMANDS
from hupan.api.socket_relay import MAX_MESSAGE_BYTES, MAX_WAITING_BYTES
from hupan.api.uploads import MAX_UPLOADS_AT_ONCE, MAX_UPLOADS_PER_HOST
from hupan.config import Settings
from hupan.domain.contacts import MAX_CONTACT_CHANGES
from hupan.domain.devices import MAX_DEVICES_WITH_SETTINGS as MOST_SET_DEVICES
from hupan.domain.maintenance import MAX_RATE_COUNTERS, MAX_SPENT_CAPTCHAS
from hupan.domain.outbox import MAX_CODES_IN_FLIGHT, MAX_NOTICES_IN_FLIGHT, MAX_QUEUED_MESSAGES
from hupan.domain.presence import MAX_SOCKETS_PER_ACCOUNT
from hupan.domain.profiles import MAX_REMARKS, MAX_TOTAL_REMARK_CHARACTERS
from hupan.domain.redrawing import MAX_WAITING
from hupan.domain.session_ends import MAX_KNOWN_ENDS, SESSION_END_RETENTION_SECONDS
from hupan.domain.session_events import MAX_UNREAD_EVENTS
from hupan.domain.sessions import MAX_KNOWN_DEVICES
from hupan.ratelimit.memory import SLOTS
from hupan.sandbox.outbox import MAX_CAPTURED_MESSAGES
from hupan.store.outbox import PRIORITIES
from hupan.store.sessions import MAX_LOGGED_OUT_TOKENS
from hupan.store.sqlite import MAX_PENDING_CHANGES as MOST_CHANGES_WAITING
from hupan.store.tables import read_schema_files

BoundScope: TypeAlias = Literal["account", "target", "server", "operators"]
"""The owner of rows that are bounded together; only operators write the rows of `operators`."""


@dataclass(frozen=True, slots=True)
class TableBound:
    """The bound of a table.

    Attributes:
        max_rows: 0 where it follows from another bound.
        kept_by: what enforces it.
        test: the test that reaches it; "" where tests/support/table_growth.py says so.
    """

    table: str
    per: BoundScope
    max_rows: int
    kept_by: str
    test: str = ""


@dataclass(frozen=True, slots=True)
class BufferBound:
    """The bound of a queue or buffer of a process, and what happens beyond it."""

    name: str
    most: str
    beyond: str


_SESSIONS = Settings().sessions_per_account
_OPERATORS = "written by operators alone"

_IN_SCHEMA = re.compile(
    r"^-- bound: (account|target|server|operators), ([\w.]+), (\S+): (.+)\n"
    r"(?:--.*\n)*CREATE TABLE (\w+)",
    re.MULTILINE,
)


def bounds_in_schema(sql: str) -> list[TableBound]:
    """Return the bounds in the comments of a file of the schema."""
    return [
        TableBound(table, cast("BoundScope", per), _read_number(rows), kept_by, test.strip("-"))
        for per, rows, test, kept_by, table in _IN_SCHEMA.findall(sql)
    ]


def _read_number(text: str) -> int:
    module, _, name = text.rpartition(".")
    return int(resolve_name(f"hupan.{module}:{name}")) if module else int(text)


TABLE_BOUNDS = (
    *(bound for _, sql in read_schema_files() for bound in bounds_in_schema(sql)),
    TableBound("accounts", "server", 0, "each costs a code: the budget of codes to strangers"),
    TableBound("identities", "account", 4, "one number, one address, two invitation codes"),
    TableBound(
        "sessions", "account", _SESSIONS, "`sessions_per_account`: one more ends the oldest"
    ),
    TableBound(
        "left_sessions",
        "account",
        MAX_LOGGED_OUT_TOKENS,
        "the oldest are forgotten; all after 7 days",
    ),
    TableBound(
        "session_ends",
        "account",
        0,
        "one for each session that ended, and for each live one of a banned account; deleted after "
        f"{SESSION_END_RETENTION_SECONDS // 60} minutes",
    ),
    TableBound(
        "sockets",
        "account",
        MAX_SOCKETS_PER_ACCOUNT,
        "one more closes the oldest; those of a process that is gone are deleted after 5 minutes",
    ),
    TableBound("socket_processes", "server", 0, "one for each process; deleted as above"),
    TableBound(
        "devices",
        "account",
        MAX_KNOWN_DEVICES,
        "those not used for longest are forgotten; with more `sessions_per_account`, as many",
    ),
    TableBound("codes", "target", 1, "a new code replaces the old; deleted when it expires"),
    TableBound(
        "spent_captchas",
        "server",
        MAX_SPENT_CAPTCHAS,
        "those that expired; more only for as long as captchas live; deleted after a day",
    ),
    TableBound(
        "tallies",
        "server",
        MAX_RATE_COUNTERS,
        "deleted when its time is over; beyond, those of the fewest events that are over soonest",
    ),
    TableBound("limit_resets", "operators", 0, "written by operators alone; deleted after an hour"),
    TableBound(
        "outbox",
        "server",
        2 * len(PRIORITIES) * MAX_QUEUED_MESSAGES,
        f"{MAX_QUEUED_MESSAGES} of each channel and priority; the oldest are dropped",
    ),
    TableBound("contact_changes", "account", MAX_CONTACT_CHANGES, "one more is refused (1203)"),
    TableBound("step_ups", "account", 0, "two for each session; deleted after 10 minutes"),
    TableBound("profiles", "account", 1, "the key; 500 characters of introduction"),
    TableBound(
        "remarks",
        "account",
        MAX_REMARKS,
        "one more is refused (1441), and "
        f"{MAX_TOTAL_REMARK_CHARACTERS} characters of all together (1442)",
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
    TableBound(
        "pictures",
        "account",
        Settings().pictures_per_account,
        "`pictures_per_account`: one more drops the oldest that is not the avatar",
        "tests/domain/test_media.py",
    ),
    TableBound(
        "picture_removals",
        "account",
        0,
        "one for each picture that was dropped, and each upload for 15 minutes; "
        "deleted with the file",
        "tests/domain/test_media.py",
    ),
    TableBound("account_medals", "operators", 0, _OPERATORS),
    TableBound("medals", "operators", 0, _OPERATORS),
    TableBound("categories", "operators", 0, _OPERATORS),
    TableBound("listed_groups", "operators", 0, _OPERATORS),
    TableBound("group_ranks", "operators", 0, _OPERATORS),
    TableBound("group_texts", "operators", 0, _OPERATORS),
    TableBound("group_postings", "operators", 0, _OPERATORS),
    TableBound("listed_bots", "operators", 0, _OPERATORS),
    TableBound("counters", "operators", 0, "some fixed names, one per server process"),
)

BUFFER_BOUNDS = (
    BufferBound("changes that wait for the store", f"{MOST_CHANGES_WAITING}", "busy (1002)"),
    BufferBound(
        "codes being sent", f"{MAX_CODES_IN_FLIGHT} of each channel", "they wait in the outbox"
    ),
    BufferBound(
        "notices being sent", f"{MAX_NOTICES_IN_FLIGHT} of each channel", "they wait in the outbox"
    ),
    BufferBound(
        "counts of addresses and accounts", f"{SLOTS} slots of each limit", "two may share a slot"
    ),
    BufferBound(
        "ended sessions that are known", f"{MAX_KNOWN_ENDS}", "the oldest are delivered again"
    ),
    BufferBound("sockets", "`sockets_max`, and what the limit of open files leaves", "503"),
    BufferBound(
        "what a socket's peer does not read", "64 KiB", "nothing more is read; closed after 10 s"
    ),
    BufferBound(
        "commands of a socket during its login", f"{MAX_WAITING_COMMANDS}", "they do not wait"
    ),
    BufferBound(
        "streams of ended sessions",
        f"{MAX_STREAMS}, {MAX_UNREAD_EVENTS} events each",
        "503; a stream that is further behind ends",
    ),
    BufferBound("requests at a message server", "`upstream_requests`", "busy (1006)"),
    BufferBound(
        "what a socket's message server does not read",
        f"{MAX_WAITING_BYTES // 1024} KiB",
        "the socket is closed (1013)",
    ),
    BufferBound(
        "a message of the message server on a socket",
        f"{MAX_MESSAGE_BYTES // 1024} KiB",
        "the socket is closed (1013)",
    ),
    BufferBound("pictures drawn ahead", "`captcha_pool`", "no more are drawn"),
    BufferBound(
        "uploads being received",
        f"{MAX_UPLOADS_AT_ONCE} of a process, {MAX_UPLOADS_PER_HOST} of an address",
        "busy (1002)",
    ),
    BufferBound("uploads that wait to be drawn", f"{MAX_WAITING}", "busy (1002)"),
    BufferBound("addresses read from headers", f"{MAX_CACHED_CLIENTS}", "they are read again"),
    BufferBound("the sandbox's outbox", f"{MAX_CAPTURED_MESSAGES}", "the oldest are forgotten"),
)


def table_rows() -> str:
    """Return the tables as rows of Markdown."""
    return "".join(
        f"| {one.table} | {one.per} | {one.max_rows or 'follows'} | {one.kept_by} |\n"
        for one in TABLE_BOUNDS
    )


def buffer_rows() -> str:
    """Return the queues and buffers as rows of Markdown."""
    return "".join(f"| {one.name} | {one.most} | {one.beyond} |\n" for one in BUFFER_BOUNDS)
