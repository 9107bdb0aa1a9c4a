import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from xml.etree.ElementTree import Element

import msgspec
import pytest
from rich.console import Console

from bench.harness import tables
from bench.harness.names import in_chinese
from bench.harness.page import page
from bench.harness.plot import BAR_END, LABELS, plot
from bench.harness.report import Check, Growth, Report, part_of, row
from bench.harness.rounds import Measured, Plan
from bench.harness.run import DOCS, PARTS, measure
from bench.load.results import LoadResult
from tests.support.bench_reports import a_report
from tests.support.languages import CHINESE, english_in_chinese

PERFORMANCE = (DOCS / "performance.md").read_text("utf-8")
pytestmark = pytest.mark.slow


def seen(per_second: float) -> LoadResult:
    """Return a round of one second."""
    return LoadResult(round(per_second), 0, 0, 1.0, 1.0, 2.0)


def test_a_row_names_its_limit() -> None:
    """The share of the limit is the ratio of the medians."""
    limit = Measured("bare", seen(400), (390.0, 400.0), 30.0)
    made = row(Measured("own info", seen(100), (100.0,), 60.0), limit)
    assert (made.limit, made.of_limit, made.per_second) == ("bare", 0.25, 100.0)


def test_nothing_is_no_part_of_nothing() -> None:
    """A limit without responses has no ratio."""
    assert part_of(seen(100), seen(0)) == 0.0


@pytest.mark.parametrize(
    ("value", "is_least", "is_met"),
    [(0.45, True, True), (0.44, True, False), (0.45, False, True), (0.46, False, False)],
)
def test_a_target_is_met_when_it_is_reached(*, value: float, is_least: bool, is_met: bool) -> None:
    """A value equal to the target meets it, whether lower or higher is better."""
    assert Check("", value, 0.45, is_least=is_least).is_met is is_met


def test_growth_is_measured_from_smallest_to_largest() -> None:
    """The loss is relative to the rate at the smallest size, ignoring sizes in between."""
    assert Growth("", "", {1_000_000: 90.0, 1_000: 100.0, 100_000: 50.0}).loss == pytest.approx(0.1)


def test_a_report_survives_its_json() -> None:
    """The JSON of a report has everything that the tables need."""
    report = a_report()
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


TINY = Plan("tiny", rounds=1, seconds=0.3, accounts=(60, 120), few=1, captcha_pool=40)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return a run on tiny stores, with the built-in generator."""
    folder: Path = tmp_path_factory.mktemp("bench")
    return measure(TINY, ["reads", "writes", "growth"], folder, "own")


@pytest.mark.slow
def test_a_run_measures_everything_without_errors(report: Report) -> None:
    """Each part has rows or targets, each operation got responses, and nothing was refused."""
    assert [part.failure for part in report.parts.values()] == [""] * 3
    rows = [row for part in report.parts.values() for row in part.rows]
    assert {row.name for row in rows} >= {"own info", "get-user", "nickname change"}
    assert [row for row in rows if row.errors or not row.per_second] == []


@pytest.mark.slow
def test_a_run_reports_growth(report: Report) -> None:
    """A run reports growth along accounts and along the rows of one account."""
    sizes = {one.axis: sorted(one.per_second) for one in report.parts["growth"].growths}
    assert sizes == {"accounts": [60, 120], "rows of the account": [1, 100, 10_000]}
    assert "at the largest" in plot(report)


SPAN = BAR_END - LABELS


def drawn() -> Element:
    """Return the plot of a run, parsed as XML."""
    return ET.fromstring(plot(a_report()))  # noqa: S314 - our own output


def widths(kind: str) -> list[float]:
    """Return the widths of the rectangles of a kind."""
    return [float(one.attrib["width"]) for one in drawn().iter() if one.get("class") == kind]


def test_bars_are_as_long_as_what_was_seen() -> None:
    """Half of the limit fills half of the track; a missed target has another colour."""
    assert widths("met") == [SPAN * 0.5]
    assert widths("missed") == [SPAN]


def test_targets_and_aims_are_marked() -> None:
    """Each bar has its target; a bar that should be short has it at two thirds of the track."""
    marks = [float(one.attrib["x1"]) for one in drawn().iter() if one.get("class") == "target"]
    assert marks == [LABELS + round(SPAN * 0.45, 1), round(LABELS + SPAN / 1.5, 1)]
    assert sum(one.get("class") == "aim" for one in drawn().iter()) == 2


def test_words_are_words() -> None:
    """Names appear unchanged in the plot, even with XML characters."""
    said = [one.text for one in drawn().iter() if one.tag.endswith("text")]
    assert "start <of> it" in said
    assert "own info: 95% at the largest" in said


def test_everything_is_within_the_picture() -> None:
    """Every text and bar begins inside the picture."""
    root = drawn()
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    for one in root.iter():
        assert 0 <= float(one.get("x", 0)) <= width
        assert 0 <= float(one.get("y", 0)) <= height


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


def test_the_page_describes_the_run(tmp_path: Path) -> None:
    """The page has targets, operations, growth, the machine, failures and inequalities."""
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
    """The steps are included as they are, and the peers as a table."""
    steps, peers = tmp_path / "steps.md", tmp_path / "peers.json"
    steps.write_text("## Steps\n\n| a | 1 µs |\n", "utf-8")
    peers.write_text(json.dumps(PEERS), "utf-8")
    text = page(a_report(), peers, steps)
    assert text.endswith("## Steps\n\n| a | 1 µs |\n")
    assert "| own account | 20,000 (2.0) | 500 (90.0) | 40.0 (Other) | ≥ 25 |" in text
    assert "| rename | 5,000 (9.0) |  |  |  |" in text
    assert "- Third was not measured: could not be installed" in text


@pytest.mark.parametrize("english", [True, False])
def test_tables_are_in_the_language_of_the_terminal(
    *, english: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row and target of the run is in the terminal, and no line is in two languages."""
    out = io.StringIO()
    monkeypatch.setattr("hupan.cli.language.ENGLISH", english)
    monkeypatch.setattr(tables, "console", lambda: Console(file=out, width=140))
    tables.show(a_report())
    text = out.getvalue()
    for said in ("20,000", "0.500", "5.0%", "≥ 0.45", "✔", "✘"):
        assert said in text
    for zh, en in (("本人信息", "own info"), ("空响应", "bare answer"), ("达标", "Met")):
        assert (zh in text, en in text) == (not english, english)
    if english:
        assert not CHINESE.search(text)


def test_every_name_of_a_run_has_its_chinese_name() -> None:
    """Parts, and the operations and targets of the last full run, are known to the terminal."""
    rows = re.findall(
        r"^\| ([^|]+) \|.*\d.*\|$", PERFORMANCE.partition("\n## How it")[0], re.MULTILINE
    )
    heads = {"target", "operation"}
    found = [name for name in rows if name not in heads and not name.startswith("per second, by ")]
    assert {"own info", "raw argon2", "start to the first answer"} <= set(found)
    for name in (*PARTS, *found, "own info, 1,000"):
        words = english_in_chinese(in_chinese(name))
        assert not words, name
        assert in_chinese(name) != name or name == "PostgreSQL", name
