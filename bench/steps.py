"""The cost of each step of a request, from the bytes of the request to those of the response.

    python -m bench.steps [ACCOUNTS] [ROUNDS]

Prints a Markdown table; `bench/steps.md` contains one. Everything runs in one process without a
socket: requests are fed to the listener's connections, whose responses are discarded. Figures are
microseconds of CPU of this process, the minimum of several rounds, which other work on the machine
disturbs least. The kernel's work for a socket is not included, on either side of a ratio.
"""

import asyncio
import contextlib
import gc
import os
import pathlib
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import process_time_ns
from typing import TextIO, TypeAlias

import uvloop

from bench.filling import fill
from bench.listeners import app as bare_app
from hupan.api.app import Dispatcher, Route
from hupan.api.codecs import JsonCodec, ProtobufCodec
from hupan.api.codes import create_captcha
from hupan.api.profiles import get_own_info, get_user
from hupan.api.responses import Cors
from hupan.application import Server, build_server
from hupan.config import load_settings
from hupan.contract.endpoints import IgnoredBody
from hupan.contract.pb.hupan_pb2 import Edited, EditNickname, GetUser, OwnInfo, User
from hupan.domain.sessions import Tokens, sha256_digest
from hupan.domain.text import parse_nickname
from hupan.environment import make_server_environment
from hupan.logs import AccessLog
from hupan.metrics import EndpointMetrics
from hupan.model import AccountId, RequestContext
from hupan.rng import SystemRandomSource
from hupan.server.connection import ASGIApp, HttpConnection, RequestStarter, ServerLimits
from hupan.server.uvicorn_parts import Config, ServerState
from hupan.store.profiles import find_profile_view
from hupan.store.sessions import find_caller

ROOMY = dict.fromkeys(
    (
        "address_captchas_per_minute",
        "address_views_per_minute",
        "address_views_per_day",
        "account_views_per_minute",
        "account_views_per_day",
        "network_captchas_per_minute",
        "site_views_per_minute",
        "site_views_per_day",
        "sign_ins_per_hour",
    ),
    10_000_000,
)
"""All requests come from one address: its limits count as usual, and are never reached."""
CONNECTIONS = 32
REQUESTS = 640
CALLS = 1_000
ROUNDS = 10
PICTURES = 48
"""This number of the pool's 64 is ready when captchas are measured."""
Step: TypeAlias = Callable[[], object]
Costs: TypeAlias = list[tuple[str, str, float]]
WHOLE = "**the whole**"


class PeerStub(asyncio.Transport):
    """The peer of a connection: accepts every byte and keeps the last response head."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.head = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Accept bytes."""
        if data[:5] == b"HTTP/":
            self.head = bytes(data)

    def is_closing(self) -> bool:
        """Return False."""
        return False

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


class SocketlessApp:
    """An app behind the real listener, on connections without sockets."""

    def __init__(self, app: ASGIApp) -> None:
        config = Config(app, interface="asgi3", ws="none", log_config=None, access_log=False)
        config.loaded_app = app
        config.ws_protocol_class = None
        config.loaded = True
        state = ServerState()
        self.wires = [PeerStub() for _ in range(CONNECTIONS)]
        starts = RequestStarter(app, asyncio.get_running_loop(), state.tasks)
        self._connections: list[HttpConnection] = []
        for wire in self.wires:
            made = HttpConnection(ServerLimits(), config, state, {}, starts, lambda _: None)
            made.connection_made(wire)
            self._connections.append(made)

    async def run(self, requests: list[bytes]) -> None:
        """Send one request on each connection, and wait until all are answered."""
        for connection, request in zip(self._connections, requests, strict=True):
            connection.data_received(request)
        await asyncio.sleep(0)
        while not all(connection.cycle.response_complete for connection in self._connections):  # noqa: ASYNC110 - ticks of the loop are being measured
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Place:
    """The objects that the steps run on."""

    server: Server
    account: AccountId
    token: str
    tokens: Tokens
    rounds: int

    def call(self, step: Step, calls: int = CALLS) -> float:
        """Return the microseconds of CPU of one call."""
        return min(_timed(step, calls) for _ in range(self.rounds * ROUNDS)) / calls / 1e3

    def run(self, step: Callable[[], Awaitable[object]], calls: int = CALLS) -> float:
        """Return the microseconds of CPU of a coroutine that never waits."""
        return self.call(lambda: _finish(step()), calls)

    async def max_requests(
        self, apps: list[ASGIApp], path: str, bodies: list[bytes]
    ) -> list[float]:
        """Return the microseconds of CPU of one request in each app; the apps alternate.

        Bodies alternate too, so that each request changes something; without bodies it is a GET.
        """
        doors = [SocketlessApp(app) for app in apps]
        every: Sequence[bytes | None] = bodies or [None]
        asked = [[self._bytes(path, body)] * CONNECTIONS for body in every]
        best = [float("inf")] * len(doors)
        for _ in range(self.rounds * ROUNDS):
            for n, door in enumerate(doors):
                best[n] = min(best[n], await _request_ns(door, asked))
        for door in doors[1:]:
            if b"x-result: ok" not in door.wires[0].head:
                raise SystemExit(f"{path}: {door.wires[0].head!r}")
        return [spent / 1e3 for spent in best]

    def _bytes(self, path: str, body: bytes | None) -> bytes:
        """Return a request as wrk sends it."""
        method = "GET" if body is None else "POST"
        length = "" if body is None else f"content-length: {len(body)}\r\n"
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\ntoken: {self.token}\r\n{length}"
        )
        return f"{head}\r\n".encode() + (body or b"")


async def _request_ns(door: SocketlessApp, asked: list[list[bytes]]) -> float:
    times = REQUESTS // CONNECTIONS
    began = process_time_ns()
    for turn in range(times):
        await door.run(asked[turn % len(asked)])
    return (process_time_ns() - began) / times / CONNECTIONS


def _timed(step: Step, calls: int) -> int:
    began = process_time_ns()
    for _ in range(calls):
        step()
    return process_time_ns() - began


def _finish(step: Awaitable[object]) -> object:
    try:
        next(step.__await__())
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("this step waits")


async def own_info_steps(at: Place) -> Costs:
    """Return the steps of `GET /v1/user/info`."""
    services, engine = at.server.services, at.server.infrastructure.database
    caller = await services.sessions.get(at.token)
    codec, anything = ProtobufCodec(IgnoredBody, OwnInfo), IgnoredBody()
    answer = await get_own_info(services, caller, anything)
    hashed = sha256_digest(at.token)
    read = at.run(lambda: find_caller(engine, at.account, hashed))
    token = at.call(lambda: (at.tokens.account_of(at.token), sha256_digest(at.token)))
    knows = at.run(lambda: services.sessions.get(at.token))
    return [
        *await shared_steps(at, "/v1/user/info", []),
        ("token", "its shape, its account, its hash", token),
        ("session row", "one joined read, in a transaction of the whole turn; two records", read),
        (
            "rules",
            "is the session live, the account not banned, the day counted",
            knows - read - token,
        ),
        (
            "message",
            "the handler fills the protobuf message",
            at.run(lambda: get_own_info(services, caller, anything)),
        ),
        ("encoding", "status and serialisation", at.call(lambda: codec.encode(answer, 1 << 40))),
    ]


async def get_user_steps(at: Place) -> Costs:
    """Return the steps of `POST /v1/user/get-user`."""
    services, engine = at.server.services, at.server.infrastructure.database
    viewer = await services.sessions.get_viewer(at.token)
    request = GetUser(id=str(at.account + 1))
    body, other = request.SerializeToString(), AccountId(at.account + 1)
    codec = ProtobufCodec(GetUser, User)
    answer = await get_user(services, viewer, request)
    handler = at.run(lambda: get_user(services, viewer, request))
    shown = at.run(lambda: services.profiles.show(request.id, viewer))
    row = at.run(lambda: find_profile_view(engine, other))
    return [
        *await shared_steps(at, "/v1/user/get-user", [body]),
        (
            "token, session row, rules",
            "as above, of the row what a look needs",
            at.run(lambda: services.sessions.get_viewer(at.token)),
        ),
        ("decoding", "protobuf to the request", at.call(lambda: codec.decode(body))),
        (
            "account row",
            "with what it tells and shows, whether it wears medals",
            row,
        ),
        ("rules", "banned, what is shown, what the viewer noted", shown - row),
        ("message", "the handler fills the protobuf message", handler - shown),
        ("encoding", "status and serialisation", at.call(lambda: codec.encode(answer, 1 << 40))),
    ]


async def nickname_steps(at: Place) -> Costs:
    """Return the steps of `POST /v1/user/edit-nickname`."""
    services = at.server.services
    request = EditNickname(name="湖畔的春天")
    body = request.SerializeToString()
    codec = ProtobufCodec(EditNickname, Edited)
    names = [EditNickname(name=f"湖畔{n}").SerializeToString() for n in range(2)]
    return [
        *await shared_steps(at, "/v1/user/edit-nickname", names),
        ("token, session row, rules", "as above", at.run(lambda: services.sessions.get(at.token))),
        ("decoding", "protobuf to the request", at.call(lambda: codec.decode(body))),
        ("rules", "is it a nickname", at.call(lambda: parse_nickname(request.name, "name"))),
        ("change", "savepoint, update, shared commit, both threads", await _change_us(at)),
        ("encoding", "status and serialisation", at.call(lambda: codec.encode(Edited(), 1 << 40))),
    ]


async def _change_us(at: Place) -> float:
    """Return the cost of one change in a group commit; CPU of both threads."""
    edits, best = at.server.services.profile_edits, float("inf")
    for turn in range(at.rounds * 4):
        began = process_time_ns()
        await asyncio.gather(
            *(
                edits.change_nickname(AccountId(at.account + n), f"湖畔{turn}")
                for n in range(CONNECTIONS)
            )
        )
        best = min(best, (process_time_ns() - began) / CONNECTIONS / 1e3)
    rules = at.call(lambda: parse_nickname("湖畔1", "name"))
    return best - rules


async def captcha_steps(at: Place) -> Costs:
    """Return the steps of `POST /v1/user/captcha` while pictures are ready."""
    services, pool = at.server.services, at.server.infrastructure.captcha_pool
    call = RequestContext(1, "", english=False, headers=[], peer="")
    codec, anything = JsonCodec(IgnoredBody), IgnoredBody()
    answer = await create_captcha(services, call, anything)
    issue = []
    for _ in range(at.rounds):
        while pool.ready_count <= PICTURES:
            await pool.take()  # makes it render again
            await asyncio.sleep(0.1)
        issue.append(
            _timed(lambda: _finish(create_captcha(services, call, anything)), PICTURES // 2) / 24e3
        )
    _, *shared = await shared_steps(at, "/v1/user/captcha", [b""])  # the whole would empty the pool
    return [
        *shared,
        (
            "picture and id",
            "from the pool, seal, base64; now and then the pool draws beside",
            min(issue),
        ),
        ("encoding", "JSON", at.call(lambda: codec.encode(answer, 1))),
    ]


async def shared_steps(at: Place, path: str, bodies: list[bytes]) -> Costs:
    """Return the steps of every request; the first is the total."""
    log = AccessLog(to_nowhere(), "text")
    noted = at.call(lambda: log.record(1 << 40, path, "ok", 1))
    ours = at.server.dispatcher
    bare, through, whole = await at.max_requests(
        [bare_app, empty(path, bodies), ours], path, bodies
    )
    return [
        (WHOLE, f"measured, limits and all; a bare answer is {bare / whole:.2f} of it", whole),
        ("listener", "parsing, task, writing: all of a bare answer", bare),
        ("dispatch", "route, token, body, meter, three more headers", through - bare),
        ("log line", "made, and written with others", noted),
    ]


def empty(path: str, bodies: list[bytes]) -> Dispatcher:
    """Return the dispatcher with an endpoint that does nothing."""

    async def answer(*_asked: object) -> bytes:
        return b"." * 120

    key = ("app", "POST" if bodies else "GET", path)
    route = Route(
        ProtobufCodec(IgnoredBody, OwnInfo), None, bool(bodies), 16384, answer, EndpointMetrics()
    )
    log = AccessLog(None, "text")
    return Dispatcher(
        {key: route}, Cors([]), log, process_number=1, web_host_prefix="www.", media=NoPictures()
    )


class NoPictures:
    """A picture service that handles no request."""

    async def respond(self, *_request: object) -> bool:
        """Leave the request to the API."""
        return False


def to_nowhere() -> TextIO:
    """Return a stream that discards its input, open to the end of the process."""
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - os.devnull is no Path


def render(title: str, costs: Costs) -> str:
    """Return a Markdown table: the steps, their sum, the total."""
    steps = [cost for cost in costs if cost[0] != WHOLE]
    rows = [
        *steps,
        ("**sum of the steps**", "", sum(cost for *_, cost in steps)),
        *(cost for cost in costs if cost[0] == WHOLE),
    ]
    head = f"### {title}\n\n| step | what it does | µs |\n|---|---|---:|\n"
    return head + "".join(f"| {name} | {what} | {cost:.1f} |\n" for name, what, cost in rows)


async def measure(folder: pathlib.Path, sample: list[tuple[int, str]], rounds: int) -> None:
    """Build a server and print a table for each endpoint."""
    with contextlib.redirect_stderr(to_nowhere()):  # the access log's destination
        server = await build_server(
            load_settings({"data_dir": folder, **ROOMY}, {}), make_server_environment({})
        )
    server.infrastructure.captcha_pool.start()
    account, token = sample[len(sample) // 2]
    at = Place(
        server,
        AccountId(account),
        token,
        Tokens(server.infrastructure.secret_box, SystemRandomSource()),
        rounds,
    )
    gc.freeze()
    for title, steps in (
        ("Own info, `GET /v1/user/info`", own_info_steps),
        ("Another's profile, `POST /v1/user/get-user`", get_user_steps),
        ("Nickname, `POST /v1/user/edit-nickname`", nickname_steps),
        ("Captcha, `POST /v1/user/captcha`", captcha_steps),
    ):
        sys.stdout.write(render(title, await steps(at)) + "\n")
    await server.stop()


def main() -> None:
    """Fill a store, measure and print."""
    accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5  # noqa: PLR2004 - the second argument
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sample = fill(folder, accounts)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(measure(folder, sample, rounds))


if __name__ == "__main__":
    main()
