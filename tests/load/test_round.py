import asyncio
import socket
from collections.abc import Iterator

import pytest

from bench.load import run as load_round
from bench.load.requests import LoadRequest
from bench.load.results import LoadResult
from bench.load.run import LoadLimits, NoResponse, RequestPacer, run_load, send_once
from bench.load.target import TargetServer
from tests.answering import Answering
from tests.ports import LOOPBACK, free_port

LONG = 60.0


@pytest.fixture
def server() -> Iterator[Answering]:
    """A server that answers as it is told."""
    with Answering() as answering:
        yield answering


def load(port: int, paths: list[str], bounds: LoadLimits) -> LoadResult:
    """A round of requests to a server of this machine."""
    place = TargetServer(LOOPBACK, LOOPBACK, port, is_tls=False, prefix="")
    asked = [LoadRequest("GET", path).encode(place.authority) for path in paths]
    return asyncio.run(run_load(place, asked, bounds))


def test_requests_take_turns(server: Answering) -> None:
    """Each request of the round comes in turn, as many in all as the bound says."""
    seen = load(server.port, ["/a", "/b", "/c"], LoadLimits(1, LONG, 7))
    assert [path for path, _ in server.record_code_request] == [
        "/a",
        "/b",
        "/c",
        "/a",
        "/b",
        "/c",
        "/a",
    ]
    assert (seen.answered, seen.errors) == (7, 0)
    assert 0 < seen.p50_ms <= seen.p99_ms


def test_refusals_are_no_answers(server: Answering) -> None:
    """A refusal under HTTP 200 counts apart, and so does another status."""
    seen = load(server.port, ["/ok", "/refused", "/error", "/plain"], LoadLimits(4, LONG, 40))
    assert (seen.answered, seen.refused, seen.failed) == (20, 20, 0)


def test_a_connection_that_ends_is_opened_anew(server: Answering) -> None:
    """A server that ends connections after an answer is asked on new ones."""
    seen = load(server.port, ["/closing"], LoadLimits(2, LONG, 10))
    assert (seen.answered, seen.errors) == (10, 0)


def test_who_never_answers_is_given_up(server: Answering) -> None:
    """Each connection is tried three times; each question without an answer is counted."""
    seen = load(server.port, ["/silent"], LoadLimits(2, LONG, 1_000))
    assert (seen.answered, seen.failed, len(server.record_code_request)) == (0, 6, 6)


def test_nobody_there() -> None:
    """A port that nobody listens on fails at once, and a question says so."""
    port = free_port()
    assert load(port, ["/"], LoadLimits(1, LONG, 5)).failed == 3
    with pytest.raises(NoResponse):
        asyncio.run(send_once(TargetServer(LOOPBACK, LOOPBACK, port, is_tls=False, prefix=""), b""))


def test_a_server_that_waits_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the request and says nothing ends no round, and does not hold one."""
    monkeypatch.setattr(load_round, "GRACE_SECONDS", 0.05)

    with socket.create_server((LOOPBACK, 0)) as silent:
        seen = load(silent.getsockname()[1], ["/"], LoadLimits(2, 0.05, 1_000))
    assert (seen.answered, seen.failed) == (0, 2)


def test_time_ends_a_round(server: Answering) -> None:
    """Nothing is asked any more once the seconds are over."""
    seen = load(server.port, ["/"], LoadLimits(1, 0.0, 1_000))
    assert (seen, server.record_code_request) == (LoadResult(0, 0, 0, 0.0, 0.0, 0.0), [])


def test_a_pace_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are due at even times; who is late goes on at once, and catches up."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    pace = RequestPacer(requests_per_second=2.0, offset=0.5)
    assert pace.next_delay_seconds() == 0.25
    now[0] = 0.25
    assert pace.next_delay_seconds() == 0.5
    now[0] = 1.5
    assert [pace.next_delay_seconds() for _ in range(3)] == [0.0, 0.25, 0.75]


def test_no_pace_is_no_pause() -> None:
    """Without a rate, the next request comes at once."""
    assert RequestPacer(0.0, 0.5).next_delay_seconds() == 0.0


def test_a_question_brings_its_body(server: Answering) -> None:
    """A POST has its length and body, and what is not HTTP ends the connection."""
    place = TargetServer(LOOPBACK, LOOPBACK, server.port, is_tls=False, prefix="/web")
    question = LoadRequest("POST", "/a", {"token": "hidden"}, "湖".encode())
    answer = asyncio.run(send_once(place, question.encode(place.authority, place.prefix)))
    assert (answer.is_success, answer.body) == (True, b"ok")
    assert server.record_code_request == [("/web/a", "湖".encode())]
    assert "hidden" not in repr(question)
