"""Rounds that take turns: A, B, C, A, B, C …; the first of each warms up and does not count."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.harness.generators import Generator
from bench.harness.workload import Workload
from bench.load.results import LoadResult, median

WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How thorough a run is.

    Attributes:
        rounds: how often each contestant has its turn.
        seconds: how long one turn is.
        accounts: sizes of the stores, ascending.
        few: how often where many contestants have their turn.
        pictures: how large the pool of captchas is.
    """

    name: str
    rounds: int
    seconds: float
    accounts: tuple[int, ...]
    few: int
    captcha_pool: int


FULL = Plan("full", 5, 4.0, (1_000, 100_000, 1_000_000), 3, 4_000)
QUICK = Plan("quick", 3, 1.0, (1_000, 100_000), 1, 800)


@dataclass(frozen=True, slots=True)
class Measured:
    """The medians of one contestant.

    Attributes:
        per_second: of each round, in the order in which they were run.
        memory_mb: the most that the server had after a round.
    """

    name: str
    seen: LoadResult
    per_second: tuple[float, ...]
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Turns:
    """Runs contestants in turn.

    Attributes:
        on_turn: is told before each round what comes.
        warms_up: whether each contestant has a round first that does not count.
    """

    generator: Generator
    rounds: int
    seconds: float
    on_turn: Callable[[str], None]
    warms_up: bool = True

    def take(self, contestants: Sequence[Workload]) -> dict[str, Measured]:
        """The medians of all, by name."""
        for one in contestants if self.warms_up else ():
            self._fire(one, 0, min(self.seconds, WARM_UP_SECONDS))
        found: dict[str, list[LoadResult]] = {one.name: [] for one in contestants}
        memory = dict.fromkeys(found, 0.0)
        for number in range(1, self.rounds + 1):
            for one in contestants:
                found[one.name].append(self._fire(one, number, self.seconds))
                memory[one.name] = max(memory[one.name], one.memory_mb())
        return {name: _measured(name, seen, memory[name]) for name, seen in found.items()}

    def _fire(self, one: Workload, number: int, seconds: float) -> LoadResult:
        self.on_turn(one.name)
        return self.generator.fire(one.port, one.questions(number), one.connections, seconds)


def _measured(name: str, rounds: Sequence[LoadResult], memory_mb: float) -> Measured:
    return Measured(
        name, median(rounds), tuple(one.responses_per_second for one in rounds), memory_mb
    )
