"""What a run found: for machines as JSON, and what table, plot and page are made from."""

from msgspec import Struct, field

from bench.harness.rounds import Measured
from bench.load.results import LoadResult


class Row(Struct):
    """One operation, or one limit.

    Attributes:
        per_second: the median of `rounds`.
        memory_mb: of the server, the most after a round; 0 where it was not looked at.
        limit: the name of the row that this one is held against, "" for none.
        of_limit: the part of that row's rate, 0 for none.
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
    """A target, and what was seen.

    Attributes:
        is_least: whether the target is the least that will do, and not the most.
        aim: what would be better still, 0 for none.
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
        """Whether the target is met."""
        return self.seen >= self.target if self.is_least else self.seen <= self.target


class Growth(Struct):
    """Rates of one operation while something grows.

    Attributes:
        axis: what grows: `accounts`, or `rows of the account`.
        per_second: by size, ascending.
    """

    name: str
    axis: str
    per_second: dict[int, float]

    @property
    def loss(self) -> float:
        """The part of the rate that is lost from the least size to the largest; below 0, gained."""
        rates = [self.per_second[size] for size in sorted(self.per_second)]
        return 1 - rates[-1] / rates[0] if rates and rates[0] else 0.0


class Part(Struct):
    """What one part of a run found.

    Attributes:
        notes: what was not equal, and how it was measured.
        failure: why nothing was found, "" when all went well.
    """

    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failure: str = ""


class Machine(Struct):
    """What it was run on."""

    cpu: str
    cores: int
    memory_gb: float
    system: str
    file_system: str


class Report(Struct):
    """A run.

    Attributes:
        when: the day, as YYYY-MM-DD in UTC.
        plan: `full` or `quick`.
        rounds: how often each contestant had its turn, for `seconds` each.
        parts: by name, in the order in which they were run.
        minutes: how long it all took.
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
        """Every target of the run."""
        return [check for part in self.parts.values() for check in part.checks]


def row(measured: Measured, limit: Measured | None = None) -> Row:
    """The row of what was measured, beside its limit."""
    made = plain_row(measured.name, measured.seen, list(measured.per_second))
    made.memory_mb = round(measured.memory_mb, 1)
    if limit is not None:
        made.limit = limit.name
        made.of_limit = part_of(measured.seen, limit.seen)
    return made


def plain_row(name: str, seen: LoadResult, rounds: list[float]) -> Row:
    """A row that is held against nothing."""
    return Row(
        name,
        round(seen.responses_per_second, 1),
        round(seen.p50_ms, 3),
        round(seen.p99_ms, 3),
        seen.errors,
        [round(one, 1) for one in rounds],
    )


def part_of(seen: LoadResult, limit: LoadResult) -> float:
    """A rate as a part of another one, 0 if that is 0."""
    return (
        round(seen.responses_per_second / limit.responses_per_second, 3)
        if limit.responses_per_second
        else 0.0
    )
