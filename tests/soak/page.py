"""Generate docs/soak.md from a report: `python -m tests.soak.page soak.json > docs/soak.md`."""

import json
import sys
from pathlib import Path
from typing import Any

PHASES = {
    "peak": "sixteen clients without a pause",
    "held": "70 % of the peak, at random times",
    "flood": "three times the peak, on 1,024 connections",
    "recovery": "the five seconds after the flood, back at 70 %",
    "after": "the next fifteen seconds",
}
KINDS = ("read", "write", "sign-in")
_HEAD = """\
| phase | load | seconds | successes/s | other results | reads | writes | sign-ins |
|---|---|---|---|---|---|---|---|
"""
_NOTES = """
Reads, writes and password sign-ins: median / p99 in milliseconds, counted from the moment at which
a request was due. In the flood they therefore include the second that a client waits for a free
connection before it gives up. One server process on one core.
"""


def page(report: dict[str, Any]) -> str:
    """Return the results as a table, and the missed targets."""
    rows = "".join(_row(phase, load, report[phase]) for phase, load in PHASES.items())
    memory = report["held_memory"]
    facts = [
        f"- Requests of the flood: {report['flood_arrived']:,}.",
        f"- Abandoned by their clients: {report['flood_given_up']:,}.",
        f"- Memory under the sustained load: {memory['from_mib']} to {memory['to_mib']} MiB.",
        f"- Its growth, in MiB per 100,000 requests: {memory['slope_mib_per_100k_requests']}.",
        f"- Cores busy with other work meanwhile: {report['held']['cores_busy_with_others']:g}.",
        f"- Missed targets: {'; '.join(report['missed']) or 'nothing'}.",
    ]
    return f"{_HEAD}{rows}{_NOTES}\n" + "\n".join(facts) + "\n"


def _row(phase: str, load: str, figures: dict[str, Any]) -> str:
    others = {name: n for name, n in figures["outcomes"].items() if not name.endswith(" ok")}
    said = ", ".join(f"{n:,} {name}" for name, n in others.items()) or "none"
    times = [figures["ms"].get(kind, {}) for kind in KINDS]
    cells = [
        phase,
        load,
        f"{figures['seconds']:g}",
        f"{figures['good_per_second']:,}",
        said,
        *(f"{one['p50']:g} / {one['p99']:g}" if one else "" for one in times),
    ]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(page(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
