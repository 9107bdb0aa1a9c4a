import asyncio
import socket
from collections.abc import Iterator

import pytest

from bench.load import run as load_round
from bench.load.requests import LoadRequest
from bench.load.results import LoadResult, median, percentile
from bench.load.run import LoadLimits, NoResponse, RequestPacer, run_load, send_once
from bench.load.target import InvalidTarget, TargetServer, resolve_target
from tests.support.ports import LOOPBACK, free_port
from tests.support.stub_http import StubServer

LONG = 60.0


@pytest.fixture
def server() -> Iterator[StubServer]:
    """Yield a server that answers as its paths say."""
    with StubServer() as answering:
        yield answering


def load(port: int, paths: list[str], bounds: LoadLimits) -> LoadResult:
    """Return a round of requests to a server of this machine."""
    place = TargetServer(LOOPBACK, LOOPBACK, port, is_tls=False, prefix="")
    asked = [LoadRequest("GET", path).encode(place.authority) for path in paths]
    return asyncio.run(run_load(place, asked, bounds))


def test_requests_take_turns(server: StubServer) -> None:
    """The requests of a round are sent in turn, up to the maximum in total."""
    seen = load(server.port, ["/a", "/b", "/c"], LoadLimits(1, LONG, 7))
    assert [path for path, _ in server.requests] == [
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


def test_refusals_are_no_answers(server: StubServer) -> None:
    """A refusal under HTTP 200 is counted separately, and so is another status."""
    seen = load(server.port, ["/ok", "/refused", "/error", "/plain"], LoadLimits(4, LONG, 40))
    assert (seen.answered, seen.refused, seen.failed) == (20, 20, 0)


def test_a_connection_that_ends_is_replaced(server: StubServer) -> None:
    """A connection that the server closed after an answer is replaced."""
    seen = load(server.port, ["/closing"], LoadLimits(2, LONG, 10))
    assert (seen.answered, seen.errors) == (10, 0)


def test_a_server_that_never_answers_is_given_up(server: StubServer) -> None:
    """Each connection is tried three times; each request without an answer is counted."""
    seen = load(server.port, ["/silent"], LoadLimits(2, LONG, 1_000))
    assert (seen.answered, seen.failed, len(server.requests)) == (0, 6, 6)


def test_no_listener() -> None:
    """A port without a listener fails at once, with an error for a single request."""
    port = free_port()
    assert load(port, ["/"], LoadLimits(1, LONG, 5)).failed == 3
    with pytest.raises(NoResponse):
        asyncio.run(send_once(TargetServer(LOOPBACK, LOOPBACK, port, is_tls=False, prefix=""), b""))


def test_a_server_that_waits_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts the request and never answers does not block a round."""
    monkeypatch.setattr(load_round, "GRACE_SECONDS", 0.05)

    with socket.create_server((LOOPBACK, 0)) as silent:
        seen = load(silent.getsockname()[1], ["/"], LoadLimits(2, 0.05, 1_000))
    assert (seen.answered, seen.failed) == (0, 2)


def test_time_ends_a_round(server: StubServer) -> None:
    """A round sends at least one request, and none after its time is over."""
    seen = load(server.port, ["/"], LoadLimits(1, 0.0, 1_000))
    assert (seen.answered, seen.errors, len(server.requests)) == (1, 0, 1)


def test_a_pace_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are due at even intervals; a late one is sent at once, to catch up."""
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


async def test_a_question_brings_its_body(server: StubServer) -> None:
    """A POST has its length and body; a response that is not HTTP ends the connection."""
    place = TargetServer(LOOPBACK, LOOPBACK, server.port, is_tls=False, prefix="/web")
    question = LoadRequest("POST", "/a", {"token": "hidden"}, "湖".encode())
    answer = await send_once(place, question.encode(place.authority, place.prefix))
    assert (answer.is_success, answer.body) == (True, b"ok")
    assert server.requests == [("/web/a", "湖".encode())]
    assert "hidden" not in repr(question)


@pytest.mark.parametrize(
    ("url", "authority", "prefix"),
    [
        ("http://127.0.0.1:8480", "127.0.0.1:8480", ""),
        ("http://127.0.0.1:8480/", "127.0.0.1:8480", ""),
        ("http://[::1]:8480/web", "[::1]:8480", "/web"),
        ("http://127.0.0.1", "127.0.0.1", ""),
        ("https://127.0.0.1:443", "127.0.0.1", ""),
    ],
)
def test_this_machine_is_known(url: str, authority: str, prefix: str) -> None:
    """A loopback address is this machine, in every form of a URL."""
    place = resolve_target(url)
    assert (place.authority, place.prefix, place.is_loopback) == (authority, prefix, True)


@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]", "0.0.0.0", "[::ffff:192.0.2.1]"])  # noqa: S104 - nothing listens there
def test_another_machine_is_another(host: str) -> None:
    """An address outside of loopback counts as another machine."""
    assert not resolve_target(f"http://{host}:8480").is_loopback


def test_the_address_is_judged_and_not_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolved address decides, not the name."""
    elsewhere = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 8480))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_more: elsewhere)
    place = resolve_target("http://localhost:8480")
    assert (place.address, place.is_loopback) == ("192.0.2.1", False)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8480",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:99999",
        "http://user:secret@127.0.0.1",
        "http://127.0.0.1/?a=1",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/湖",
        "http://[::1",
        "http://host.invalid",
    ],
)
def test_what_is_no_server_is_refused(url: str) -> None:
    """A URL that names no server is refused with a sentence, without its secrets."""
    with pytest.raises(InvalidTarget) as refusal:
        resolve_target(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("part", "expected"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)]
)
def test_a_percentile_is_a_value_that_was_seen(part: float, expected: float) -> None:
    """A percentile is the smallest value that at least that share of values does not exceed."""
    assert percentile([float(n) for n in range(1, 101)], part) == expected


def test_nothing_has_no_percentile() -> None:
    """Without responses, times are 0."""
    assert percentile([], 0.99) == 0.0


def test_medians_hide_no_error() -> None:
    """Rates and times are medians; errors of all rounds are counted."""
    rounds = [
        LoadResult(100, 0, 0, 1.0, 1.0, 9.0),
        LoadResult(300, 2, 0, 1.0, 3.0, 7.0),
        LoadResult(200, 0, 1, 1.0, 2.0, 8.0),
    ]
    assert median(rounds) == LoadResult(200, 2, 1, 1.0, 2.0, 8.0)
    assert (median(rounds).responses_per_second, median(rounds).errors) == (200.0, 3)
