"""A read request writes nothing: no counter, no day, no clock time.

Whole servers without background tasks are called through their ASGI app, with a clock that stands
still.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hupan.application import Server, build_server
from hupan.config import Settings
from hupan.domain.sessions import Device
from hupan.environment import Environment
from hupan.rng import SystemRandomSource
from hupan.store.database import Transaction
from hupan.store.migrate import migrate_file
from tests.support import pb
from tests.support.stores import STORES
from tests.support.world import StandingClock

FIRST = 1_000_001
DAY_SECONDS = 86_400
TIMES = 20


class Question(NamedTuple):
    """One read request."""

    method: str
    path: str
    body: bytes = b""
    query: bytes = b""


QUESTIONS = [
    Question("GET", "/v1/user/info"),
    Question("POST", "/v1/user/get-user", pb.text(2, str(FIRST))),
    Question("POST", "/v1/user/get-user-data"),
    Question("GET", "/v1/user/clients"),
    Question("GET", "/v1/misc/qiniu-token"),
    Question("POST", "/v1/user/medal"),
    Question("POST", "/v1/user/gold-coin-increase-decrease-record", b'{"size":10,"page":1}'),
    Question("POST", "/v1/user/invite/invite-progress"),
    Question("POST", "/v1/user/recommend-category-list", b'{"appChannel":""}'),
    Question("POST", "/v1/user/recommend"),
    Question("POST", "/v1/user/get-user-show-adv"),
    Question("GET", "/web/v1/user/info"),
    Question("GET", "/web/v1/user/homepage", query=f"userId={FIRST}".encode()),
]


class ReadTester:
    """A server, one signed-in account, and the clock."""

    def __init__(self, server: Server, clock: StandingClock, token: str) -> None:
        self._server = server
        self.clock = clock
        self._token = token

    @property
    def changes(self) -> int:
        """Return how many changes the store has committed so far."""
        return self._server.infrastructure.database.stats().committed_changes

    async def send(self, question: Question, token: str | None = None) -> Mapping[bytes, bytes]:
        """Send a request and return the headers of the answer."""
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": question.body, "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401 - any message of the server
            said.append(message)

        sent = self._token if token is None else token
        scope = {
            "type": "http",
            "method": question.method,
            "path": question.path,
            "query_string": question.query,
            "headers": [(b"token", sent.encode())],
            "client": ("127.0.0.1", 1),
        }
        await self._server.dispatcher(scope, receive, send)
        return dict(said[0]["headers"])


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[ReadTester]:
    """Yield a server on a new store."""
    settings = Settings(data_dir=folder, database=STORES.setting(folder))
    if not settings.is_postgres:
        migrate_file(settings.database_path)
    clock = StandingClock()
    server = await build_server(
        settings, Environment(clock, lambda _purpose: SystemRandomSource(), {})
    )

    async def arrive(tx: Transaction) -> str:
        account = await server.infrastructure.accounts.create(tx, phone=None, email=None)
        return await server.infrastructure.sessions.open(tx, account.id, Device("d", "android"))

    try:
        yield ReadTester(
            server, clock, await server.infrastructure.database.run_transaction(arrive)
        )
    finally:
        await server.stop()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.path)
async def test_a_question_writes_nothing(tmp_path: Path, question: Question) -> None:
    """Once the day is counted, no repetition writes."""

    async def ask() -> tuple[int, bytes]:
        async with opened(tmp_path) as tester:
            await tester.send(QUESTIONS[0])
            before = tester.changes
            for _ in range(TIMES):
                answer = await tester.send(question)
            return tester.changes - before, answer[b"x-result"]

    assert await ask() == (0, b"ok")


async def test_a_day_is_counted_by_its_first_request(tmp_path: Path) -> None:
    """The first request writes once; all others of the day write nothing."""

    async def ask() -> list[int]:
        async with opened(tmp_path) as tester:
            changes = [tester.changes]
            for _ in range(3):
                for _ in range(TIMES):
                    await tester.send(QUESTIONS[0])
                changes.append(tester.changes)
                tester.clock.time += DAY_SECONDS
            return [after - before for before, after in pairwise(changes)]

    assert await ask() == [1, 1, 1]


async def test_a_refused_token_writes_nothing(tmp_path: Path) -> None:
    """Guessing tokens causes no writes."""

    async def ask() -> tuple[int, bytes]:
        async with opened(tmp_path) as tester:
            before = tester.changes
            for n in range(TIMES):
                token = f"{n:08x}-0000-4000-8000-000000000000"
                answer = await tester.send(QUESTIONS[0], token)
            return tester.changes - before, answer[b"x-result"]

    assert await ask() == (0, b"unauthenticated")
