"""Password sign-ins on two cores compared with raw argon2, and their effect on own info."""

import json
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.harness.context import Context
from bench.harness.cores import BOTH
from bench.harness.generators import own_round
from bench.harness.raw import raw_argon2, raw_libsodium
from bench.harness.report import Check, Part, Row, part_of, plain_row
from bench.harness.servers import Server, hupan
from bench.harness.stores import PASSWORD, Member
from bench.load.requests import LoadRequest, own_account_request
from bench.load.results import LoadResult, median
from bench.load.run import LoadLimits
from hupan.contract.endpoints import email_login

SIGN_IN, ARGON2, LIBSODIUM = "password sign-in", "raw argon2", "raw argon2, libsodium"
IDLE, MEANWHILE = "own info, server idle", "own info, during sign-ins"
PROBES_PER_SECOND = 200
PROBE_CONNECTIONS = 4
CLIENTS = 8
LEAST_SECONDS = 2.0
_UNLIMITED = {
    "wrong_passwords_per_hour": "100000",
    "wrong_passwords_per_day": "100000",
    "wrong_passwords_anywhere_per_hour": "100000",
    "wrong_passwords_anywhere_per_day": "100000",
}


def signins(context: Context) -> Part:
    """Alternate raw argon2, an idle server and a busy one."""
    members = context.smallest.sample.members
    seconds = max(context.plan.seconds, LEAST_SECONDS)
    names = (ARGON2, LIBSODIUM, SIGN_IN, IDLE, MEANWHILE)
    found: dict[str, list[LoadResult]] = {name: [] for name in names}
    with hupan(context.smallest.folder, _UNLIMITED, BOTH) as server:
        _probe(server, members, 1.0)
        for number in range(max(2, context.plan.few)):
            context.on_turn(ARGON2)
            found[ARGON2].append(raw_argon2(seconds, BOTH))
            context.on_turn(LIBSODIUM)
            found[LIBSODIUM].append(raw_libsodium(seconds, BOTH))
            context.on_turn(IDLE)
            found[IDLE].append(_probe(server, members, seconds))
            context.on_turn(SIGN_IN)
            signed, probed = _at_once(context, server, _from(members, number), seconds)
            found[SIGN_IN].append(signed)
            found[MEANWHILE].append(probed)
        memory_mb = server.rss_mb
    return _part(found, memory_mb)


def _part(found: dict[str, list[LoadResult]], memory_mb: float) -> Part:
    rows = {name: _row(name, rounds) for name, rounds in found.items()}
    for name in (LIBSODIUM, SIGN_IN):
        rows[name].limit = ARGON2
        rows[name].of_limit = part_of(median(found[name]), median(found[ARGON2]))
    signed = rows[SIGN_IN]
    signed.memory_mb = round(memory_mb, 1)
    pairs = zip(found[MEANWHILE], found[IDLE], strict=True)
    felt = statistics.median(busy.p99_ms / idle.p99_ms for busy, idle in pairs if idle.p99_ms)
    return Part(
        list(rows.values()),
        [
            Check("password sign-in / raw argon2", signed.of_limit, 0.9, is_least=True, aim=0.97),
            Check("own info's p99 during sign-ins / idle", round(felt, 2), 3.0, is_least=False),
        ],
        notes=[
            (
                "Sign-ins use the smallest database and both cores; each is for a different "
                "account, with the default hash (19 MiB, 2 passes). The limits on wrong passwords "
                "are raised so that they do not affect the result; correct passwords are not "
                "counted anyway."
            ),
            (
                "Raw argon2 is the reference implementation (argon2-cffi), which the alternatives "
                "use too; the server hashes with libsodium, in separate processes (decision 20)."
            ),
            (
                f"Own info is requested {PROBES_PER_SECOND} times per second, both idle and "
                "during sign-ins: read its p99, not its rate."
            ),
        ],
    )


def _row(name: str, rounds: Sequence[LoadResult]) -> Row:
    return plain_row(name, median(rounds), [one.responses_per_second for one in rounds])


def _at_once(
    context: Context, server: Server, members: Sequence[Member], seconds: float
) -> tuple[LoadResult, LoadResult]:
    """Run sign-ins and, at the same time, own-info requests."""
    asked = [_sign_in(member) for member in members]
    with ThreadPoolExecutor(1) as beside:
        load = beside.submit(context.generator.fire, server.port, asked, CLIENTS, seconds)
        probed = _probe(server, members, seconds)
        return load.result(), probed


def _probe(server: Server, members: Sequence[Member], seconds: float) -> LoadResult:
    asked = [own_account_request(member.token) for member in members]
    most = round(seconds * PROBES_PER_SECOND * 2)
    return own_round(
        server.port, asked, LoadLimits(PROBE_CONNECTIONS, seconds, most, PROBES_PER_SECOND)
    )


def _from(members: Sequence[Member], number: int) -> list[Member]:
    """Return the members, starting at a different one in each round."""
    start = number * len(members) // 3
    return [*members[start:], *members[:start]]


def _sign_in(member: Member) -> LoadRequest:
    body = {
        "email": member.email,
        "password": PASSWORD,
        "deviceId": "bench-password",
        "platform": "bench",
    }
    return LoadRequest(email_login.method, email_login.path, {}, json.dumps(body).encode())
