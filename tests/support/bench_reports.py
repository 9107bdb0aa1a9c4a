"""An invented run, for tests of the reports."""

from bench.harness.report import Check, Growth, Machine, Part, Report, Row


def a_report() -> Report:
    """Return a run with one target met, one missed, and growth along one axis."""
    reads = Part(
        [
            Row("bare answer", 40_000.0, 0.7, 1.5, 0, [39_000.0, 40_000.0, 41_000.0], 30.0),
            Row("own info", 20_000.0, 1.4, 3.0, 0, [20_000.0], 60.0, "bare answer", 0.5),
        ],
        [
            Check("own info / bare answer", 0.5, 0.45, is_least=True, aim=0.55),
            Check("start <of> it", 0.9, 0.6, is_least=False, aim=0.3, unit="s"),
        ],
        [Growth("own info", "accounts", {1_000: 20_000.0, 1_000_000: 19_000.0})],
        ["One thing was not equal."],
    )
    return Report(
        when="2030-01-02",
        plan="full",
        generator="wrk 4.2.0",
        accounts=1_000_000,
        rounds=3,
        seconds=4.0,
        minutes=9.5,
        machine=Machine("A CPU", 2, 8.0, "Linux", "ext4"),
        versions={"hupan": "1.0", "Python": "3.11"},
        parts={"reads": reads, "writes": Part(failure="writes: the disk was full")},
    )
