import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench.harness import cores
from bench.harness.generators import BURST_SECONDS, Generator, Own, Wrk, best
from bench.harness.rounds import Turns
from bench.harness.workload import Workload
from bench.load.requests import LoadRequest
from bench.load.results import LoadResult
from tests.support.stub_http import StubServer

pytestmark = pytest.mark.slow


class StubGenerator:
    """A generator without a server: the rate of each round is the length of its paths."""

    name = "told"

    def __init__(self) -> None:
        self.paths: list[str] = []

    def fire(
        self, port: int, questions: Sequence[LoadRequest], connections: int, seconds: float
    ) -> LoadResult:
        """Return one round of one second."""
        del port, connections, seconds
        self.paths.append(questions[0].path)
        return LoadResult(10 * len(questions[0].path), 0, 0, 1.0, 1.0, 2.0)

    def burst(self, port: int, question: LoadRequest, connections: int, most: int) -> LoadResult:
        """Return the same."""
        return self.fire(port, [question], connections, most)


def workload(name: str, memory_mb: Iterator[float]) -> Workload:
    """Return a workload that requests `/name` with one `x` per round."""
    return Workload(
        name, 1, lambda n: [LoadRequest("GET", f"/{name}{'x' * n}")], lambda: next(memory_mb)
    )


def test_contestants_take_turns() -> None:
    """After all warm-ups come A, B, A, B; results are medians, and the maximum memory."""
    told, said = StubGenerator(), list[str]()
    turns = Turns(told, rounds=3, seconds=1.0, on_turn=said.append)
    found = turns.take([workload("a", iter([1.0, 3.0, 2.0])), workload("bb", iter([1.0] * 3))])
    assert told.paths == [
        "/a",
        "/bb",
        "/ax",
        "/bbx",
        "/axx",
        "/bbxx",
        "/axxx",
        "/bbxxx",
    ]
    assert said == ["a", "bb"] * 4
    assert found["a"].per_second == (30.0, 40.0, 50.0)
    assert (found["a"].seen.responses_per_second, found["a"].memory_mb) == (40.0, 3.0)


@pytest.fixture
def server() -> Iterator[StubServer]:
    """Yield a server that answers as its paths say."""
    with StubServer() as answering:
        yield answering


def make(name: str, scratch: Path) -> Generator:
    """Return a generator that needs no installation."""
    return Wrk(scratch) if name == "wrk" else Own()


@pytest.mark.parametrize("name", ["wrk", "own"])
def test_generators_see_refusals(name: str, server: StubServer, tmp_path: Path) -> None:
    """Refusals under HTTP 200 and other statuses are errors, and bodies arrive complete."""
    if name == "wrk" and not shutil.which("wrk"):
        pytest.skip("wrk is not installed")
    body = b"a\r\n\x00\xff" + b"x" * 1_000
    asked = [LoadRequest("POST", path, {}, body) for path in ("/ok", "/refused", "/error", "/ok")]
    seen = make(name, tmp_path).fire(server.port, asked, 2, 1.0)
    assert seen.answered > 0
    assert seen.refused > 0
    assert abs(seen.answered - seen.refused) <= 2 + 2
    assert {received for _, received in server.requests} == {body}


@pytest.mark.parametrize("name", ["wrk", "own"])
def test_a_burst_ends_with_its_last_answer(name: str, server: StubServer, tmp_path: Path) -> None:
    """All requested responses arrive, including those in flight; time counts until the last."""
    if name == "wrk" and not shutil.which("wrk"):
        pytest.skip("wrk is not installed")
    seen = make(name, tmp_path).burst(server.port, LoadRequest("GET", "/ok"), 2, 20)
    assert 20 <= seen.answered <= 22
    assert 0 < seen.seconds < BURST_SECONDS


def test_our_own_generator_is_the_last_resort(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without wrk and npm, and where nothing may be installed, `bench.load` is used."""
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr("os.geteuid", lambda: 1)
    assert best(tmp_path).name == "bench.load"


def test_cores_are_given_back() -> None:
    """Temporarily pinned cores are free afterwards."""
    before = cores.all_cores()
    with cores.on(cores.SERVER):
        assert cores.all_cores() == sorted(cores.SERVER)
    assert cores.all_cores() == before
