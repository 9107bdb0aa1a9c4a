"""Captchas: the rate while the pool lasts, and after it is empty."""

import time

from bench.harness.context import Context, bare_answers
from bench.harness.report import Check, Part, part_of, plain_row, row
from bench.harness.servers import Server, bare, hupan
from bench.harness.workload import CONNECTIONS, Workload
from bench.load.requests import captcha_request
from bench.load.results import LoadResult, median

FULL, SUSTAINED, BARE = "captcha, pool full", "captcha, sustained", "bare answer"
PART = 0.45
"""The share of the pool in a burst: rendering restarts at half."""
FILL_SECONDS = 60.0
WATCH_SECONDS = 0.25
BARE_SECONDS = 1.0


def captchas(context: Context) -> Part:
    """Measure a steady load on a pool of default size, and bursts on a large full one."""
    asked, folder = [captcha_request()], context.smallest.folder
    with bare("answer") as answer:
        plain = bare_answers(answer, BARE)
        with hupan(folder) as server:
            steady = Workload(SUSTAINED, server.port, lambda _round: asked, lambda: server.rss_mb)
            found = context.turns().take([plain, steady])
        pool = context.plan.captcha_pool
        most = round(pool * PART)
        with hupan(folder, {"captcha_pool": str(pool)}) as server:
            pairs = [_in_turn(context, plain, server, most) for _ in range(context.plan.rounds)]
            memory_mb = server.rss_mb
    bares, bursts = ([pair[side] for pair in pairs] for side in (0, 1))
    limit = found[BARE]
    full = plain_row(FULL, median(bursts), [one.responses_per_second for one in bursts])
    full.limit, full.of_limit = limit.name, part_of(median(bursts), median(bares))
    full.memory_mb = round(memory_mb, 1)
    sustained = row(found[SUSTAINED], limit)
    return Part(
        [row(limit), full, sustained],
        [
            Check("captcha, pool full / bare answer", full.of_limit, 0.3, is_least=True),
            Check(SUSTAINED, sustained.per_second, 300, is_least=True, aim=1_000, unit="/s"),
        ],
        notes=[
            (
                f"A burst is {most:,} captchas from a full pool of {pool:,}, compared with bare "
                "answers right before each burst. The sustained load uses the default pool. "
                "Captchas do not read the database."
            ),
        ],
    )


def _in_turn(
    context: Context, plain: Workload, server: Server, most: int
) -> tuple[LoadResult, LoadResult]:
    """Measure bare responses, then a burst, both while nothing is rendered."""
    context.on_turn(FULL)
    _await_rest(server)
    before = context.generator.fire(plain.port, plain.questions(0), CONNECTIONS, BARE_SECONDS)
    return before, context.generator.burst(server.port, captcha_request(), CONNECTIONS, most)


def _await_rest(server: Server) -> None:
    """Wait until the server is idle: its pool is full then.

    Raises:
        RuntimeError: the server does not become idle in time.
    """
    deadline = time.monotonic() + FILL_SECONDS
    while time.monotonic() < deadline:
        before = server.cpu_seconds
        time.sleep(WATCH_SECONDS)
        if server.cpu_seconds - before <= WATCH_SECONDS / 10:
            return
    raise RuntimeError("the pool of captchas is not full after a minute")
