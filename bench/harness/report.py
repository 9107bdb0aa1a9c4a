"""Results of a run: JSON for programs, and the source of tables, plot and page."""

from msgspec import Struct, field

from bench.harness.rounds import Measured
from bench.load.results import LoadResult


class Row(Struct):
    """One operation, or one upper bound.

    Attributes:
        per_second: the median of `rounds`.
        memory_mb: maximum memory of the server after a round; 0 if not measured.
        limit: the name of the row that this one is compared with, "" for none.
        of_limit: the ratio to that row's rate, 0 for none.
    """

    name: str
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    rounds: list[float]
    memory_mb: float = 0.0
    limit: str = ""
    of_limit: float = 0.0


class Check(Struct):
    """A target and the measured value.

    Attributes:
        is_least: whether the target is a minimum; otherwise it is a maximum.
        aim: an optional better value, 0 for none.
        unit: "" for a ratio.
    """

    name: str
    seen: float
    target: float
    is_least: bool
    aim: float = 0.0
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Return whether the target is met."""
        return self.seen >= self.target if self.is_least else self.seen <= self.target


class Growth(Struct):
    """Rates of one operation as a size grows.

    Attributes:
        axis: what grows: `accounts`, or `rows of the account`.
        per_second: by size, ascending.
    """

    name: str
    axis: str
    per_second: dict[int, float]

    @property
    def loss(self) -> float:
        """Return the fraction of the rate lost from the smallest to the largest size."""
        rates = [self.per_second[size] for size in sorted(self.per_second)]
        return 1 - rates[-1] / rates[0] if rates and rates[0] else 0.0


class Part(Struct):
    """Results of one part of a run.

    Attributes:
        notes: what was not equal, and how it was measured.
        failure: why there is no result, "" on success.
    """

    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failure: str = ""


class Machine(Struct):
    """The machine of a run."""

    cpu: str
    cores: int
    memory_gb: float
    system: str
    file_system: str


class Report(Struct):
    """A run.

    Attributes:
        when: the date, as YYYY-MM-DD in UTC.
        plan: `full` or `quick`.
        rounds: the number of turns of each contestant, of `seconds` each.
        parts: by name, in the order in which they ran.
        minutes: the duration of the run.
    """

    when: str
    plan: str
    generator: str
    accounts: int
    rounds: int
    seconds: float
    minutes: float
    machine: Machine
    versions: dict[str, str]
    parts: dict[str, Part]

    @property
    def checks(self) -> list[Check]:
        """Return every target of the run."""
        return [check for part in self.parts.values() for check in part.checks]


def row(measured: Measured, limit: Measured | None = None) -> Row:
    """Return the row of a measurement, compared with its limit."""
    made = plain_row(measured.name, measured.seen, list(measured.per_second))
    made.memory_mb = round(measured.memory_mb, 1)
    if limit is not None:
        made.limit = limit.name
        made.of_limit = part_of(measured.seen, limit.seen)
    return made


def plain_row(name: str, seen: LoadResult, rounds: list[float]) -> Row:
    """Return a row that is compared with nothing."""
    return Row(
        name,
        round(seen.responses_per_second, 1),
        round(seen.p50_ms, 3),
        round(seen.p99_ms, 3),
        seen.errors,
        [round(one, 1) for one in rounds],
    )


def part_of(seen: LoadResult, limit: LoadResult) -> float:
    """Return a rate as a fraction of another one, 0 if that is 0."""
    return (
        round(seen.responses_per_second / limit.responses_per_second, 3)
        if limit.responses_per_second
        else 0.0
    )
