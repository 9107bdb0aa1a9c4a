import pytest

from bench.load.results import LoadResult, median, percentile


@pytest.mark.parametrize(
    ("part", "expected"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)]
)
def test_a_percentile_is_a_value_that_was_seen(part: float, expected: float) -> None:
    """The least value that such a part of all values is not above."""
    assert percentile([float(n) for n in range(1, 101)], part) == expected


def test_nothing_has_no_percentile() -> None:
    """Where nothing was answered, times are 0."""
    assert percentile([], 0.99) == 0.0


def test_medians_hide_no_error() -> None:
    """Rates and times are medians; errors of every round are counted."""
    rounds = [
        LoadResult(100, 0, 0, 1.0, 1.0, 9.0),
        LoadResult(300, 2, 0, 1.0, 3.0, 7.0),
        LoadResult(200, 0, 1, 1.0, 2.0, 8.0),
    ]
    assert median(rounds) == LoadResult(200, 2, 1, 1.0, 2.0, 8.0)
    assert (median(rounds).responses_per_second, median(rounds).errors) == (200.0, 3)
