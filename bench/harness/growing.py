"""The cost of the same operations in larger stores, and for accounts with many rows."""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from bench.filling import FIRST
from bench.harness.context import Context, get_users, own_infos
from bench.harness.report import Check, Growth, Part, row
from bench.harness.rounds import Measured
from bench.harness.servers import Server, hupan
from bench.harness.stores import Member
from bench.harness.workload import Workload
from bench.harness.writes import renames
from bench.load.requests import LoadRequest, other_account_request, own_account_request
from hupan.contract.endpoints import list_coin_record

ACCOUNTS, ROWS = "accounts", "rows of the account"
SECONDS = 3.0
ROW_SECONDS = 1.0
OWN, USER, RENAME = "own info", "get-user", "nickname change"


def growing(context: Context) -> Part:
    """Alternate servers on stores of all sizes; then load accounts that have many rows."""
    by_accounts, by_rows = _by_accounts(context), _by_rows(context)
    (own,) = [one for one in by_accounts if one.name == OWN]
    sizes = sorted(own.per_second)
    notes = [f"Databases of {', '.join(f'{size:,}' for size in sizes)} accounts take turns."]
    check = Check(
        f"own info lost from {sizes[0]:,} to {sizes[-1]:,} accounts",
        round(100 * own.loss, 1),
        15,
        is_least=False,
        aim=5,
        unit="%",
    )
    return Part([], [check], [*by_accounts, *by_rows], notes)


def _by_accounts(context: Context) -> list[Growth]:
    with ExitStack() as stack:
        servers = {
            size: stack.enter_context(hupan(store.folder)) for size, store in context.stores.items()
        }
        makers: Mapping[str, Callable[[Server, list[Member], str], Workload]] = {
            OWN: own_infos,
            USER: get_users,
            RENAME: renames,
        }
        return [
            _grown(
                context,
                name,
                ACCOUNTS,
                {
                    size: make(server, context.stores[size].sample.members, f"{name}, {size:,}")
                    for size, server in servers.items()
                },
                SECONDS,
            )
            for name, make in makers.items()
        ]


def _by_rows(context: Context) -> list[Growth]:
    crowded = context.smallest.sample.crowded
    askers: Mapping[str, Callable[[Member], LoadRequest]] = {
        "a page of coins": _coins,
        "own info with sessions": lambda member: own_account_request(member.token),
        "get-user with remarks": lambda member: other_account_request(member.token, str(FIRST)),
    }
    with hupan(context.smallest.folder) as server:
        context.turns(1, ROW_SECONDS).take([own_infos(server, list(crowded.values()))])
        return [
            _grown(
                context,
                name,
                ROWS,
                {
                    size: _again(server, f"{name}, {size:,}", ask(member))
                    for size, member in crowded.items()
                },
                ROW_SECONDS,
            )
            for name, ask in askers.items()
        ]


def _grown(
    context: Context, name: str, axis: str, by_size: Mapping[int, Workload], seconds: float
) -> Growth:
    # One server answers for all rows of an account, so it is warm already; each store has its own.
    turns = context.turns(context.plan.few, seconds, warms_up=axis == ACCOUNTS)
    found = turns.take(list(by_size.values()))
    measured: dict[int, Measured] = {size: found[one.name] for size, one in by_size.items()}
    if wrong := [one.name for one in measured.values() if one.seen.errors]:
        raise RuntimeError(f"errors while growth was measured: {', '.join(wrong)}")
    return Growth(name, axis, {size: row(one).per_second for size, one in measured.items()})


def _again(server: Server, name: str, question: LoadRequest) -> Workload:
    return Workload(name, server.port, lambda _round: [question], lambda: server.rss_mb)


def _coins(member: Member) -> LoadRequest:
    body = json.dumps({"size": 20, "page": 1}).encode()
    return LoadRequest(
        list_coin_record.method, list_coin_record.path, {"token": member.token}, body
    )
