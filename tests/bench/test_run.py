from pathlib import Path

import pytest

from bench.harness.plot import plot
from bench.harness.report import Report
from bench.harness.rounds import Plan
from bench.harness.run import measure

TINY = Plan("tiny", rounds=1, seconds=0.3, accounts=(60, 120), few=1, captcha_pool=40)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A run on tiny stores, by our own generator."""
    folder: Path = tmp_path_factory.mktemp("bench")
    return measure(TINY, ["reads", "writes", "growth"], folder, "own")


@pytest.mark.slow
def test_a_run_measures_everything_without_errors(report: Report) -> None:
    """Each part has rows or targets, each operation was answered, and nothing was refused."""
    assert [part.failure for part in report.parts.values()] == [""] * 3
    rows = [row for part in report.parts.values() for row in part.rows]
    assert {row.name for row in rows} >= {"own info", "get-user", "nickname change"}
    assert all(row.per_second > 0 and row.errors == 0 for row in rows)


@pytest.mark.slow
def test_a_run_tells_growth(report: Report) -> None:
    """Along accounts and along the rows of one account."""
    sizes = {one.axis: sorted(one.per_second) for one in report.parts["growth"].growths}
    assert sizes == {"accounts": [60, 120], "rows of the account": [1, 100, 10_000]}
    assert "at the largest" in plot(report)
