"""`python -m bench.load URL`: alternate rounds of the operations and print the medians."""

import asyncio
import sys
from typing import Annotated

import msgspec
import typer
import uvloop

from bench.load.requests import (
    LoadRequest,
    captcha_request,
    health_request,
    other_account_request,
    own_account_id,
    own_account_request,
)
from bench.load.results import LoadResult, median
from bench.load.run import LoadLimits, NoResponse, run_load, send_once
from bench.load.target import InvalidTarget, TargetServer, resolve_target
from hupan.cli.output import Column, print_table

ROUNDS = 3
MAX_SECONDS = 60
MAX_CONNECTIONS = 256
MAX_REQUESTS = 1_000_000
HELP = """Measure a running server. It is only read from; nothing in it is changed.

Only this machine is measured unless --i-own-this-server says that the other one is yours.
"""
_REFUSED = "some requests were refused by the server's limits: rates count right answers alone"
_COLUMNS = {
    "name": Column("Operation", wraps=True),
    "per_second": Column("Per second"),
    "p50_ms": Column("p50 ms"),
    "p99_ms": Column("p99 ms"),
    "errors": Column("Errors"),
    "of_health": Column("Of /healthz"),
}


def bench(
    url: Annotated[str, typer.Argument(help="The server's address, such as http://127.0.0.1:8480")],
    *,
    token: Annotated[
        str,
        typer.Option(help="A token, to measure what needs one; - reads it from standard input."),
    ] = "",
    limited: Annotated[
        bool,
        typer.Option(
            "--limited",
            help="Also measure limited operations; the server then refuses them for a while to "
            "this machine and account.",
        ),
    ] = False,
    seconds: Annotated[int, typer.Option(min=1, max=MAX_SECONDS, help="Seconds of each round")] = 3,
    connections: Annotated[
        int, typer.Option(min=1, max=MAX_CONNECTIONS, help="Open connections")
    ] = 32,
    requests: Annotated[
        int,
        typer.Option(min=1, max=MAX_REQUESTS, help="Maximum requests of each round"),
    ] = 200_000,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")] = False,
    is_mine: Annotated[
        bool,
        typer.Option(
            "--i-own-this-server",
            help="The server is elsewhere, and it is mine.",
        ),
    ] = False,
) -> None:
    """Run the load; exit with 1 if the server cannot be measured."""
    try:
        place = resolve_target(url)
        _ensure_own_server(place, is_mine=is_mine)
        given = sys.stdin.readline().strip() if token == "-" else token  # noqa: S105 - the sign for standard input
        bounds = LoadLimits(connections, seconds, requests)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            seen = runner.run(_measure(place, given, bounds, limited=limited))
    except (InvalidTarget, NoResponse, BenchRefused) as error:
        typer.echo(f"cannot measure: {error}", err=True)
        raise typer.Exit(1) from error
    _print_results(place, seen, as_json=as_json)


class BenchRefused(Exception):
    """The requested load is refused; the text says why."""


def _ensure_own_server(place: TargetServer, *, is_mine: bool) -> None:
    """Refuse to load the server of another operator.

    Raises:
        BenchRefused: the server is on another machine, and the option that claims it is missing.
    """
    if not place.is_loopback and not is_mine:
        raise BenchRefused(
            "it is not this machine; if it is your own server, add --i-own-this-server"
        )


async def _measure(
    place: TargetServer, token: str, bounds: LoadLimits, *, limited: bool
) -> dict[str, LoadResult]:
    if not (token.isascii() and token.isprintable()):
        raise BenchRefused("a token is visible ASCII")
    questions = await _questions(place, token, limited=limited)
    rounds: dict[str, list[LoadResult]] = {name: [] for name in questions}
    for _ in range(ROUNDS):
        for name, question in questions.items():
            request = question.encode(place.authority, place.prefix)
            rounds[name].append(await run_load(place, [request], bounds))
    return {name: median(found) for name, found in rounds.items()}


async def _questions(place: TargetServer, token: str, *, limited: bool) -> dict[str, LoadRequest]:
    """Return the requests of each operation, after a test of each one.

    Raises:
        BenchRefused: a response is not that of a Hupan server, or the token is not valid.
    """
    questions = {"healthz": health_request()}
    if token:
        questions["own info"] = own_account_request(token)
    if limited:
        questions["captcha"] = captcha_request()
    if limited and token:
        answer = await _ask_once(place, "own info", own_account_request(token))
        questions["get-user"] = other_account_request(token, own_account_id(answer))
    for name, question in questions.items():
        await _ask_once(place, name, question)
    return questions


async def _ask_once(place: TargetServer, name: str, question: LoadRequest) -> bytes:
    answer = await send_once(place, question.encode(place.authority, place.prefix))
    if not answer.is_success:
        raise BenchRefused(f"{name} was refused (is the token valid?)")
    return answer.body


def _print_results(place: TargetServer, seen: dict[str, LoadResult], *, as_json: bool) -> None:
    rows = [_result_row(name, one, seen["healthz"]) for name, one in seen.items()]
    if as_json:
        text = msgspec.json.format(msgspec.json.encode({"server": place.netloc, "rows": rows}))
        typer.echo(text.decode())
        return
    if any(one.refused for one in seen.values()):
        typer.echo(_REFUSED, err=True)
    print_table(_COLUMNS, ({key: _text(value) for key, value in row.items()} for row in rows))


def _result_row(name: str, seen: LoadResult, baseline: LoadResult) -> dict[str, object]:
    ratio = (
        seen.responses_per_second / baseline.responses_per_second
        if baseline.responses_per_second
        else 0.0
    )
    return {
        "name": name,
        "per_second": round(seen.responses_per_second, 1),
        "p50_ms": round(seen.p50_ms, 3),
        "p99_ms": round(seen.p99_ms, 3),
        "errors": seen.errors,
        "of_health": round(ratio, 3),
    }


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
