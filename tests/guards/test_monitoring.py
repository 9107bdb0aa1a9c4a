"""Alerts and dashboard of deploy/ name existing metrics, and each alert can fire.

The story: a metric got a better name, and the alert on the old one stayed silent through an outage.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

RULES = "deploy/prometheus/hupan.rules.yml"
BOARD = "deploy/grafana/hupan.json"
METRIC = re.compile(r"\b(?:hupan|process)_[a-z_]+")
DECLARED = re.compile(r'"((?:hupan|process)_[a-z_]+)"')


def metrics_of(root: Path) -> set[str]:
    """Return the names of all metrics in the source."""
    texts = (path.read_text("utf-8") for path in (root / "src/hupan").rglob("*.py"))
    return {name for text in texts for name in DECLARED.findall(text)}


@pytest.mark.parametrize("name", [RULES, BOARD])
def test_each_metric_exists(root: Path, name: str) -> None:
    """L9: a histogram is named by its buckets."""
    used = {found.removesuffix("_bucket") for found in METRIC.findall((root / name).read_text())}
    assert used
    assert used <= metrics_of(root)


def test_the_board_is_whole(root: Path) -> None:
    """Each panel has a unique number, a position and a query, with the chosen source."""
    board = json.loads((root / BOARD).read_text("utf-8"))
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    for panel in panels:
        (query,) = panel["targets"]
        assert METRIC.search(query["expr"])
        assert query["datasource"]["uid"] == "${datasource}"


def test_each_alert_is_explained(root: Path) -> None:
    """The text says what is wrong, and what to do."""
    text = (root / RULES).read_text("utf-8")
    alerts = re.findall(r"- alert: (Hupan[A-Za-z]+)$", text, re.MULTILINE)
    assert len(set(alerts)) == len(alerts)
    for part in ("expr:", "labels:", "summary:", "description:"):
        assert text.count(f" {part}") == len(alerts)


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs Prometheus")
def test_prometheus_loads_and_plays_the_alerts(root: Path, tmp_path: Path) -> None:
    """Every alert fires for a server with problems, and none for a healthy one."""
    play = tmp_path / "alerts.test.yml"
    text = (root / "tests/support/alerts.test.yml").read_text("utf-8")
    play.write_text(text.replace("RULES", str(root / RULES)), "utf-8")
    for command in (("check", "rules", root / RULES), ("test", "rules", play)):
        done = subprocess.run(  # noqa: S603  Prometheus's own tool
            ["promtool", *command],  # noqa: S607  the system's
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    alerts = (root / RULES).read_text("utf-8").count("- alert:")
    assert f"value: {alerts}}}" in text
