"""Durable nickname changes, compared with a bare response and with raw fsync."""

import sqlite3
import time
from collections.abc import Sequence

from bench.harness.context import Context, bare_answers
from bench.harness.cores import SERVER
from bench.harness.raw import raw_fsync
from bench.harness.report import Check, Part, plain_row, row
from bench.harness.servers import Server, bare, hupan
from bench.harness.stores import Member, Store
from bench.harness.workload import Workload
from bench.load.requests import LoadRequest
from bench.load.results import median
from hupan.contract.pb.hupan_pb2 import EditNickname
from hupan.contract.profiles import edit_nickname

RENAME, BARE, FSYNC = "nickname change", "bare answer (64)", "raw fsync of 4 KiB"
CLIENTS = 64
MOST_FSYNC_SECONDS = 2.0


def writes(context: Context) -> Part:
    """Alternate three contestants; nothing else uses the disk."""
    store = context.largest
    turns, seconds = context.turns(), min(context.plan.seconds, MOST_FSYNC_SECONDS)
    fsyncs = [raw_fsync(seconds, context.folder, SERVER) for _ in range(context.plan.rounds)]
    before = changes(store)
    with bare("answer") as answer, hupan(store.folder) as server:
        bare_one = bare_answers(answer, BARE)
        plain = Workload(
            BARE, bare_one.port, bare_one.questions, bare_one.memory_mb, connections=CLIENTS
        )
        found = turns.take([plain, renames(server, store.sample.members)])
    counted = sum(found[RENAME].per_second) * turns.seconds
    if changes(store) - before < counted * 0.99:
        raise RuntimeError("fewer nicknames were changed than answers said")
    changed = row(found[RENAME], found[BARE])
    return Part(
        [
            row(found[BARE]),
            plain_row(FSYNC, median(fsyncs), [one.responses_per_second for one in fsyncs]),
            changed,
        ],
        [
            Check("nickname change / bare answer", changed.of_limit, 0.15, is_least=True, aim=0.25),
            Check("nickname change, p99", changed.p99_ms, 20.0, is_least=False, unit="ms"),
        ],
        notes=[
            (
                "Nickname changes come from 64 connections, each to a name that the account has "
                "never had; the run then checks that the database contains all of them."
            ),
        ],
    )


def renames(server: Server, members: Sequence[Member], name: str = RENAME) -> Workload:
    """Rename each member in turn, then again with another name."""
    stamp = f"{int(time.time()):x}"

    def questions(number: int) -> list[LoadRequest]:
        return [
            _rename(member, f"{stamp}-{number}{turn}-{member.id}")
            for turn in "ab"
            for member in members
        ]

    return Workload(name, server.port, questions, lambda: server.rss_mb, CLIENTS)


def changes(store: Store) -> int:
    """Return how many times the members changed their nicknames so far."""
    connection = sqlite3.connect(f"file:{store.file}?mode=ro", uri=True)
    marks = ", ".join(str(member.id) for member in store.sample.members)
    sql = f"SELECT sum(name_id) FROM accounts WHERE id IN ({marks})"  # noqa: S608 - our own numbers
    total = int(connection.execute(sql).fetchone()[0])
    connection.close()
    return total


def _rename(member: Member, name: str) -> LoadRequest:
    body = EditNickname(name=name).SerializeToString()
    return LoadRequest(edit_nickname.method, edit_nickname.path, {"token": member.token}, body)
