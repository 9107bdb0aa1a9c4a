import msgspec
import pytest

from bench.harness.report import Check, Growth, Report, part_of, row
from bench.harness.rounds import Measured
from bench.load.results import LoadResult
from tests.bench.reports import a_report


def seen(per_second: float) -> LoadResult:
    """A round of a second."""
    return LoadResult(round(per_second), 0, 0, 1.0, 1.0, 2.0)


def test_a_row_stands_beside_its_limit() -> None:
    """Its part of the limit is the ratio of the medians."""
    limit = Measured("bare", seen(400), (390.0, 400.0), 30.0)
    made = row(Measured("own info", seen(100), (100.0,), 60.0), limit)
    assert (made.limit, made.of_limit, made.per_second) == ("bare", 0.25, 100.0)


def test_nothing_is_no_part_of_nothing() -> None:
    """A limit that answered nothing gives no ratio."""
    assert part_of(seen(100), seen(0)) == 0.0


@pytest.mark.parametrize(
    ("value", "is_least", "is_met"),
    [(0.45, True, True), (0.44, True, False), (0.45, False, True), (0.46, False, False)],
)
def test_a_target_is_met_when_it_is_reached(*, value: float, is_least: bool, is_met: bool) -> None:
    """The target itself will do, from either side."""
    assert Check("", value, 0.45, is_least=is_least).is_met is is_met


def test_growth_is_measured_from_least_to_largest() -> None:
    """What is lost is a part of the rate at the least size, whatever lies between."""
    assert Growth("", "", {1_000_000: 90.0, 1_000: 100.0, 100_000: 50.0}).loss == pytest.approx(0.1)


def test_a_report_survives_its_json() -> None:
    """What machines read says all that the tables are made from."""
    report = a_report()
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
