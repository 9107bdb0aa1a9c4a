"""A server with configurable senders, and a client that requests codes from it."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from tests.support.captchas import solve
from tests.support.client import WireClient
from tests.support.servers import Server

SENDS_AT_ONCE, GATEWAY_THREADS = 16, 4
PATIENCE_SECONDS = 60.0
MAIL, SMS = "verification/get-email-verification-code", "verification/get-verification-code"


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition, with a limit that only a fault reaches."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class CodeRequests:
    """A server with external senders, and a client of it."""

    def __init__(self, server: Server, wire: WireClient, folder: Path) -> None:
        self.server = server
        self.wire = wire
        self._folder = folder
        self._numbers = itertools.count()

    def request_code(self, path: str = MAIL) -> None:
        """Request one code for a new target; the response is a success with any sender."""
        number = next(self._numbers)
        captcha_id = self.wire.post("user/captcha").text("id")
        target = {"mobile": f"138{number:08}"} if path == SMS else {"email": f"a{number}@b.example"}
        solved = {"code": solve(self._folder, captcha_id), "id": captcha_id}
        assert self.wire.post(path, {**target, **solved}).code == 1

    def waiting(self) -> int:
        """Return how many messages are in the outbox."""
        store = apsw.Connection(str(self._folder / "hupan.db"), flags=apsw.SQLITE_OPEN_READONLY)
        with contextlib.closing(store):
            store.set_busy_timeout(5000)
            return int(str(store.execute("SELECT count(*) FROM outbox").fetchall()[0][0]))

    def said(self, words: str) -> int:
        """Return how often the log has a text."""
        return self.server.output().count(words)


@contextlib.contextmanager
def asking(folder: Path, port: int, **settings: str) -> Iterator[CodeRequests]:
    """Run a server that sends mail and SMS to a port."""
    environment = {
        "HUPAN_EMAIL_SENDER": "smtp",
        "HUPAN_SMTP_HOST": "127.0.0.1",
        "HUPAN_SMTP_PORT": str(port),
        "HUPAN_SMTP_SECURITY": "none",
        "HUPAN_SMTP_FROM": "hupan@example.com",
        "HUPAN_SMS_SENDER": "http",
        "HUPAN_SMS_URL": f"http://127.0.0.1:{port}/",
        "HUPAN_LIMITS_ENABLED": "false",
        **settings,
    }
    with (
        Server("serve", "--data-dir", str(folder), environment=environment) as server,
        WireClient(server, is_kept=True) as wire,
    ):
        yield CodeRequests(server, wire, folder)
