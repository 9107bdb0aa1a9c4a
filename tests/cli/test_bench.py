import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from bench.load.__main__ import app
from tests.support.client import WireClient
from tests.support.servers import Server
from tests.support.stub_http import StubServer

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]


@pytest.fixture
def server() -> Iterator[StubServer]:
    """Yield a server that answers as its paths say."""
    with StubServer() as answering:
        yield answering


def bench(*arguments: str, typed: str = "") -> Result:
    """Run `python -m bench.load`."""
    return CliRunner().invoke(app, list(arguments), input=typed)


def test_only_this_machine_is_measured() -> None:
    """Another machine is refused before anything is sent, unless an option allows it."""
    result = bench("http://192.0.2.1:9")
    assert result.exit_code == 1
    assert "--i-own-this-server" in result.stderr


@pytest.mark.parametrize(
    "bounds", [["--seconds", "61"], ["--connections", "257"], ["--requests", "1000001"]]
)
def test_loads_are_bounded(bounds: list[str], server: StubServer) -> None:
    """Time, connections and requests have bounds that no option lifts."""
    assert bench(f"http://127.0.0.1:{server.port}", *bounds).exit_code == 2
    assert server.requests == []


def test_the_most_requests_are_kept(server: StubServer) -> None:
    """Three rounds of each operation send at most the given requests, after one probe of each."""
    url = f"http://127.0.0.1:{server.port}"
    result = bench(url, "--requests", "5", "--connections", "2", "--json")
    assert result.exit_code == 0, result.stderr
    assert [path for path, _ in server.requests] == ["/healthz"] * (1 + 3 * 5)
    rows = json.loads(result.stdout)["rows"]
    assert [(row["name"], row["errors"]) for row in rows] == [("healthz", 0)]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://127.0.0.1", "nonsense"])
def test_what_cannot_be_measured_is_reported(url: str) -> None:
    """The command reports one sentence, with status 1."""
    result = bench(url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot measure" in result.stderr


def test_a_token_with_a_line_break_is_refused(server: StubServer) -> None:
    """A malformed token never becomes a header, and is not repeated."""
    result = bench(f"http://127.0.0.1:{server.port}", "--token", "hidden\r\nx: y")
    assert (result.exit_code, server.requests) == (1, [])
    assert "hidden" not in result.output


def test_refusals_are_not_measured(sandbox: Server) -> None:
    """An invalid token ends the command without figures."""
    result = bench(sandbox.url, "--token", "nonsense", "--seconds", "1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nonsense" not in result.stderr


def test_a_server_is_measured(sandbox: Server, wire: WireClient) -> None:
    """Everything without a limit is measured without errors; the token is not repeated."""
    token = wire.account().token
    bounds = ["--requests", "40", "--connections", "2"]
    told = bench(sandbox.url, "--token", "-", *bounds, "--json", typed=token + "\n")
    assert told.exit_code == 0, told.stderr
    rows = {row["name"]: row for row in json.loads(told.stdout)["rows"]}
    assert list(rows) == ["healthz", "own info"]
    assert all(row["errors"] == 0 and row["per_second"] > 0 for row in rows.values())
    shown = bench(sandbox.url, *bounds)
    assert "Per second" in shown.stdout
    assert token not in told.output + shown.output


def test_what_is_limited_is_measured_on_demand(own_sandbox: Server) -> None:
    """Captchas and profile views are measured only with an option."""
    with WireClient(own_sandbox) as wire:
        token = wire.account().token
    few = ["--requests", "3", "--connections", "1", "--json"]
    told = bench(own_sandbox.url, "--token", token, "--limited", *few)
    assert told.exit_code == 0, told.stderr
    rows = {row["name"]: row["errors"] for row in json.loads(told.stdout)["rows"]}
    assert rows == {"healthz": 0, "own info": 0, "captcha": 0, "get-user": 0}
