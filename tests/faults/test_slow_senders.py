"""A slow or dead sender of messages slows no request (security R07)."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from tests.faults.senders import (
    Talk,
    failing,
    mute_after_data,
    permanent,
    silent_gateway,
    sound,
    tar_pit,
    temporary,
)
from tests.flows.solving import solve
from tests.ports import free_port
from tests.servers import Server
from tests.soak.body import size
from tests.wire.client import WireClient

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

CODES = 24
SENDS_AT_ONCE, GATEWAY_THREADS = 16, 4
PATIENCE_SECONDS = 60.0
LIFE_SECONDS = 6
MAIL, SMS = "verification/get-email-verification-code", "verification/get-verification-code"


def until(holds: Callable[[], bool]) -> None:
    """Waits for a fact, with a bound that only a fault passes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Asking:
    """A server whose senders are elsewhere, and a client of it."""

    def __init__(self, server: Server, wire: WireClient, folder: Path) -> None:
        self.server = server
        self.wire = wire
        self._folder = folder
        self._numbers = itertools.count()

    def run(self, path: str = MAIL) -> None:
        """Asks for one code to somebody new; it is promised whatever the sender does."""
        number = next(self._numbers)
        captcha_id = self.wire.post("user/captcha").text("id")
        target = {"mobile": f"138{number:08}"} if path == SMS else {"email": f"a{number}@b.example"}
        solved = {"code": solve(self._folder, captcha_id), "id": captcha_id}
        assert self.wire.post(path, {**target, **solved}).code == 1

    def waiting(self) -> int:
        """How many messages lie in the outbox."""
        store = apsw.Connection(str(self._folder / "hupan.db"), flags=apsw.SQLITE_OPEN_READONLY)
        with contextlib.closing(store):
            store.set_busy_timeout(5000)
            return int(str(store.execute("SELECT count(*) FROM outbox").fetchall()[0][0]))

    def said(self, words: str) -> int:
        """How often its log says something."""
        return self.server.output().count(words)


@contextlib.contextmanager
def asking(folder: Path, port: int, **settings: str) -> Iterator[Asking]:
    """Runs a server that sends mail and SMS to a port."""
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
        WireClient(server, kept=1) as wire,
    ):
        yield Asking(server, wire, folder)


@pytest.mark.parametrize("talk", [tar_pit, mute_after_data])
def test_codes_are_promised_while_all_mail_hangs(tmp_path: Path, talk: Talk) -> None:
    """With every send stuck, further codes are answered, and no thread is started for them."""
    with failing(talk) as post, asking(tmp_path, post.port) as our:
        for _ in range(SENDS_AT_ONCE):
            our.run()
        until(lambda: post.open == SENDS_AT_ONCE)
        threads = size(our.server.process.pid).threads
        for _ in range(CODES):
            our.run()
        assert our.wire.post("user/captcha").code == 1
        assert (post.open, post.connections) == (SENDS_AT_ONCE, SENDS_AT_ONCE)
        assert size(our.server.process.pid).threads <= threads
        assert our.server.stop() == 0


def test_codes_are_promised_while_the_gateway_hangs(tmp_path: Path) -> None:
    """A gateway that never answers holds four threads, whatever waits behind them."""
    with failing(silent_gateway) as gateway, asking(tmp_path, gateway.port) as our:
        our.wire.post("user/captcha")
        threads = size(our.server.process.pid).threads
        for _ in range(CODES):
            our.run(SMS)
        until(lambda: gateway.open == GATEWAY_THREADS)
        for _ in range(CODES):
            our.run(SMS)
        assert gateway.connections == GATEWAY_THREADS
        assert size(our.server.process.pid).threads <= threads + GATEWAY_THREADS
        assert our.server.stop() == 0


def test_a_mail_of_unknown_fate_is_not_sent_twice(tmp_path: Path) -> None:
    """Taken and never acknowledged: each code leaves once, and another try is never made."""
    with (
        failing(mute_after_data) as post,
        asking(tmp_path, post.port, HUPAN_SMTP_TIMEOUT_SECONDS="1") as our,
    ):
        for _ in range(CODES):
            our.run()
        until(lambda: our.said("may have been sent") == CODES)
        until(lambda: post.open == 0)
        assert post.connections == len(post.mails) == CODES
        assert set(post.mails.values()) == {1}


def test_a_refusal_for_good_is_not_tried_again(tmp_path: Path) -> None:
    """A 5xx ends a message at its first try."""
    with failing(permanent) as post, asking(tmp_path, post.port) as our:
        for _ in range(CODES):
            our.run()
        until(lambda: our.said("was not sent") == CODES)
        until(lambda: our.waiting() == 0)
        assert post.connections == CODES


def test_a_refusal_for_now_is_tried_until_the_code_is_dead(tmp_path: Path) -> None:
    """A 4xx is tried again, and forgotten with the life of the code."""
    with (
        failing(temporary) as post,
        asking(tmp_path, post.port, HUPAN_CODE_LIFETIME_SECONDS=str(LIFE_SECONDS)) as our,
    ):
        for _ in range(CODES):
            our.run()
        until(lambda: post.connections > CODES)
        until(lambda: our.waiting() == 0)
        assert post.mails.total() == 0


def test_a_server_that_is_down_gets_its_mail_later(tmp_path: Path) -> None:
    """Nobody listens; a restart later each code that still lives arrives, once."""
    port = free_port()
    with asking(tmp_path, port) as our:
        for _ in range(CODES):
            our.run()
        until(lambda: our.said("was not sent") > 0)
        assert our.server.stop() == 0
        with failing(sound, port) as post:
            our.server.start()
            until(lambda: len(post.mails) == CODES)
            assert our.server.stop() == 0
            assert set(post.mails.values()) == {1}
