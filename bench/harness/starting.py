"""Start-up time, and the resources of an idle server."""

import statistics
import time

from bench.harness.context import Context
from bench.harness.report import Check, Part
from bench.harness.servers import hupan

REST_SECONDS = 1.5
"""Enough to render the captchas of the default pool."""


def starting(context: Context) -> Part:
    """Start repeatedly on the largest store; the first start warms the disk cache."""
    seconds: list[float] = []
    memory_mb = 0.0
    for number in range(context.plan.rounds + 1):
        context.on_turn("start")
        with hupan(context.largest.folder) as server:
            if number:
                seconds.append(server.started_after)
            if number == context.plan.rounds:
                time.sleep(REST_SECONDS)
                memory_mb = server.rss_mb
    return Part(
        checks=[
            Check(
                "start to the first answer",
                round(statistics.median(seconds), 3),
                0.6,
                is_least=False,
                aim=0.3,
                unit="s",
            ),
            Check(
                "memory of an idle process",
                round(memory_mb, 1),
                70,
                is_least=False,
                aim=45,
                unit="MB",
            ),
        ],
        notes=["The first answer is that of `/readyz`, which reads the database."],
    )
