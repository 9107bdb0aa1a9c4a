import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.harness import tables
from bench.harness.page import page
from tests.bench.reports import a_report

PEERS = {
    "accounts": 1_000,
    "versions": {"Hupan": "1.0", "Other": "2.0"},
    "left_out": {"Third": "could not be installed"},
    "operations": [
        {
            "name": "own account",
            "servers": {
                "Hupan": {"per_second": 20_000.0, "p99_ms": 2.0, "rates": []},
                "Other": {"per_second": 500.0, "p99_ms": 90.0, "rates": []},
            },
            "ratio_to_best_peer": 40.0,
            "best_peer": "Other",
            "target": 25.0,
        },
        {
            "name": "rename",
            "servers": {"Hupan": {"per_second": 5_000.0, "p99_ms": 9.0, "rates": []}},
            "ratio_to_best_peer": None,
            "best_peer": None,
            "target": None,
        },
    ],
}


def test_the_page_tells_the_run(tmp_path: Path) -> None:
    """Targets, operations, growth, the machine, what failed and what was not equal."""
    text = page(a_report(), tmp_path / "none", tmp_path / "none")
    assert "| own info / bare answer | 0.5 | ≥ 0.45 | 0.55 | yes |" in text
    assert "| start <of> it | 0.9 s | ≤ 0.6 s | 0.3 s | **no** |" in text
    assert "| own info | 20,000 | 1.40 | 3.00 | 0 | 60 | 0.50 of bare answer |" in text
    assert "| own info | 20,000 | 19,000 | 5.0% |" in text
    assert "A CPU, 2 cores, 8 GB, Linux, ext4" in text
    assert "- One thing was not equal." in text
    assert "- writes: the disk was full" in text
    assert "## Compared with" not in text


def test_fragments_go_in(tmp_path: Path) -> None:
    """The steps as they are, and the peers as a table."""
    steps, peers = tmp_path / "steps.md", tmp_path / "peers.json"
    steps.write_text("## Steps\n\n| a | 1 µs |\n", "utf-8")
    peers.write_text(json.dumps(PEERS), "utf-8")
    text = page(a_report(), peers, steps)
    assert text.endswith("## Steps\n\n| a | 1 µs |\n")
    assert "| own account | 20,000 (2.0) | 500 (90.0) | 40.0 (Other) | ≥ 25 |" in text
    assert "| rename | 5,000 (9.0) |  |  |  |" in text
    assert "- Third was not measured: could not be installed" in text


def test_tables_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row and every target of the run is in the terminal."""
    out = io.StringIO()
    monkeypatch.setattr(tables, "console", lambda: Console(file=out, width=140))
    tables.show(a_report())
    for said in ("own info", "20,000", "0.500", "5.0%", "≥ 0.45", "✔", "✘"):
        assert said in out.getvalue()
