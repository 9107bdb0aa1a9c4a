"""The real server in this process, on its own file: called as the listener does."""

import asyncio
import json
import shutil
from collections.abc import Coroutine, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from hupan.api.codecs import Receive, Scope, Send
from hupan.application import Server, build_server
from hupan.config import Settings
from hupan.delivery.sender import Message
from hupan.domain.captchas import IssuedCaptcha
from hupan.environment import Environment
from hupan.opening import prepared_store
from hupan.rng import RandomSource, SeededRandomSource
from hupan.store.database import Row
from tests.model.reference import MOST_VISITS
from tests.support.answers import Answer, read_answer
from tests.support.stores import STORES, empty_file
from tests.support.world import StandingClock

Result = TypeVar("Result")
KEPT = ("hupan.db", "hupan.db-wal", "secret.key")


class RecordingSender:
    """A sender that records its messages."""

    def __init__(self) -> None:
        self.letters: list[Message] = []

    async def send(self, message: Message) -> None:
        """Record a message."""
        self.letters.append(message)

    async def close(self) -> None:
        """Do nothing."""


class InProcessServer:
    """A server that can be closed and reopened; clock, random numbers and messages continue."""

    def __init__(self, folder: Path) -> None:
        self.clock = StandingClock()
        self.sender = RecordingSender()
        self._folder = folder
        self._lives = 0
        self._captcha: IssuedCaptcha[Any] | None = None
        self._chances: dict[str, RandomSource] = {}
        self._runner = asyncio.Runner()
        self._held = ExitStack()
        self._copy_empty_file()
        self._open()

    def _copy_empty_file(self) -> None:
        """Begin with a store that is up to date; the migrations have tests of their own."""
        if STORES.engine == "sqlite":
            data_dir = self._folder / "0"
            data_dir.mkdir(mode=0o700, parents=True)
            (data_dir / "hupan.db").write_bytes(empty_file())

    def _open(self) -> None:
        settings = Settings(
            data_dir=self._folder / str(self._lives),
            database=STORES.setting(self._folder),
            sessions_per_account=MOST_VISITS,
            first_nickname_coins=1,
            limits_enabled=False,
            captcha_pool=1,
            password_memory_kib=8,
            password_passes=1,
            password_threads=1,
            test_profile=True,
        )
        senders: dict[Any, RecordingSender] = {"sms": self.sender, "email": self.sender}
        outside = Environment(self.clock, self._chance, senders, self._show)
        self._held.enter_context(prepared_store(settings))
        self.server = self.run(_start(settings, outside))

    def reopen(self) -> None:
        """Stop the server in order and restart it on the same file."""
        self._stop()
        self._open()

    def crash(self) -> None:
        """Continue with the current files on disk, as after a kill."""
        old = self._folder / str(self._lives)
        self._lives += 1
        new = self._folder / str(self._lives)
        new.mkdir(mode=0o700)
        for name in KEPT:
            if (old / name).exists():
                shutil.copy2(old / name, new / name)
        self.reopen()

    def close(self) -> None:
        """Stop everything and remove the files."""
        try:
            self._stop()
        finally:
            self._runner.close()
            STORES.forget(self._folder)
            shutil.rmtree(self._folder)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something on the server's loop.

        `Runner.run` would set a signal handler and format the task each time.
        """
        return self._runner.get_loop().run_until_complete(work)

    def post(self, path: str, body: Mapping[str, object] | bytes = b"", token: str = "") -> Answer:
        """Send a POST to `/v1/<path>`."""
        raw = json.dumps(body).encode() if isinstance(body, Mapping) else body
        return self.run(self._request("POST", f"/v1/{path}", raw, token))

    def get(self, path: str, token: str = "") -> Answer:
        """Send a GET to `/v1/<path>`."""
        return self.run(self._request("GET", f"/v1/{path}", b"", token))

    def solved(self) -> dict[str, object]:
        """Return the two fields of a solved captcha."""
        assert self.post("user/captcha").code == 1
        assert self._captcha is not None
        return {"code": self._captcha.answer, "id": self._captcha.id}

    def letters(self) -> list[Message]:
        """Return the messages sent since the last call."""
        self.run(self.server.infrastructure.outbox_worker.drain())
        letters, self.sender.letters = self.sender.letters, []
        return letters

    def rows(self, sql: str) -> list[Row]:
        """Return the rows of a query."""
        return self.run(self.server.infrastructure.database.fetch_all(sql))

    async def _request(self, method: str, path: str, body: bytes, token: str) -> Answer:
        sent: list[Mapping[str, Any]] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: Mapping[str, Any]) -> None:
            sent.append(event)

        await self._call(method, path, token, receive, send)
        start, content = sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return read_answer(start["status"], headers, content["body"])

    async def _call(self, method: str, path: str, token: str, receive: Receive, send: Send) -> None:
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"token", token.encode())] if token else [],
            "client": ("127.0.0.1", 50_000),
        }
        await self.server.dispatcher(scope, receive, send)

    def _stop(self) -> None:
        self.run(self.server.stop())
        self._held.close()

    def _show(self, captcha: IssuedCaptcha[Any]) -> None:
        self._captcha = captcha

    def _chance(self, purpose: str) -> RandomSource:
        """Continue the sequence after a restart, or the same tokens would come again."""
        return self._chances.setdefault(purpose, SeededRandomSource(purpose))


async def _start(settings: Settings, outside: Environment) -> Server:
    """Start without outbox worker and housekeeping: the test runs those."""
    server = await build_server(settings, outside)
    server.infrastructure.captcha_pool.start()
    server.infrastructure.slide_pool.start()
    return server
