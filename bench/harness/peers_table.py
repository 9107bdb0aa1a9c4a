"""Results of `make bench-peers`, as a section of the page."""

from pathlib import Path
from typing import Any

import msgspec

OURS = "Hupan"


def peers_table(found: Path) -> str:
    """Return Markdown tables from the JSON of `python -m bench.peers --json FILE`."""
    told: dict[str, Any] = msgspec.json.decode(found.read_bytes())
    names = [OURS, *(name for name in told["versions"] if name != OURS)]
    lines = [
        f"Requests per second (p99 in ms), {told['accounts']:,} accounts, in one run.",
        "[How it was measured](../bench/peers/README.md) lists what was equal and what was not.",
        "",
        f"| | {' | '.join(names)} | Hupan / best peer | wanted |",
        f"| --- |{' ---: |' * (len(names) + 2)}",
        *(_line(operation, names) for operation in told["operations"]),
        "",
        *(f"- {name} {version}" for name, version in told["versions"].items()),
        *(f"- {name} was not measured: {reason}" for name, reason in told["left_out"].items()),
    ]
    return "\n".join(lines)


def _line(operation: dict[str, Any], names: list[str]) -> str:
    cells = [_figure(operation["servers"].get(name)) for name in names]
    ratio, target = operation["ratio_to_best_peer"], operation["target"]
    told = "" if ratio is None else f"{ratio:.1f} ({operation['best_peer']})"
    wanted = "" if target is None else f"≥ {target:g}"
    return f"| {operation['name']} | {' | '.join([*cells, told, wanted])} |"


def _figure(figure: dict[str, float] | None) -> str:
    return "" if figure is None else f"{figure['per_second']:,.0f} ({figure['p99_ms']:.1f})"
