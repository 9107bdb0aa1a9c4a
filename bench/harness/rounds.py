"""Alternating rounds: A, B, C, A, B, C …; the first round of each warms up and does not count."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.harness.generators import Generator
from bench.harness.workload import Workload
from bench.load.results import LoadResult, median

WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The length of a run.

    Attributes:
        rounds: the number of turns of each contestant.
        seconds: the duration of one turn.
        accounts: sizes of the stores, ascending.
        few: the number of turns where there are many contestants.
        pictures: the size of the captcha pool.
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
        per_second: the rate of each round, in the order in which they ran.
        memory_mb: maximum memory of the server after a round.
    """

    name: str
    seen: LoadResult
    per_second: tuple[float, ...]
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Turns:
    """Runs contestants in turn.

    Attributes:
        on_turn: is called before each round with its name.
        warms_up: whether each contestant starts with a round that does not count.
    """

    generator: Generator
    rounds: int
    seconds: float
    on_turn: Callable[[str], None]
    warms_up: bool = True

    def take(self, contestants: Sequence[Workload]) -> dict[str, Measured]:
        """Return the medians of all contestants, by name."""
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
