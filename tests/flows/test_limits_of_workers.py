"""Limits under a hundred concurrent requests, with one, two and four processes (security R11).

Counters in the store are exact, for any number of processes. Counters in memory are exact in each
process, so a limit of an address is multiplied by up to the number of processes, as
docs/limits.md says.
"""

import asyncio
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.answers import Answer
from tests.support.captchas import solve
from tests.support.client import WireClient
from tests.support.commands import run_hupan
from tests.support.http_servers import Gateway, serving
from tests.support.parallel import at_once
from tests.support.servers import Server
from tests.support.stores import STORES, open_store

pytestmark = pytest.mark.slow

AT_ONCE = 100
SENDS, GUESSES, TRIES_OF_A_CODE = 5, 10, 5
ADDRESS_CAPTCHAS, ADDRESS_TRIES, MINUTE = 20, 25, 60
WRONG_CODE, TOO_MANY, FROM_HERE, BUSY = 1202, 1203, 1204, 1002
WAIT_SECONDS = 60.0
GUESSED, SENT_TO = "13911110001", "13922220001"
SETTINGS = {
    "HUPAN_SENDS_PER_MINUTE": str(SENDS),
    "HUPAN_SENDS_PER_HOUR": str(SENDS),
    "HUPAN_WRONG_CODES_PER_HOUR": str(GUESSES),
    "HUPAN_ADDRESS_CAPTCHAS_PER_MINUTE": str(ADDRESS_CAPTCHAS),
    "HUPAN_ADDRESS_WRONG_TRIES_PER_HOUR": str(ADDRESS_TRIES),
    "HUPAN_TRUSTED_PROXIES": "127.0.0.1/32",
    "HUPAN_CLIENT_IP_HEADER": "x-forwarded-for",
    "HUPAN_SMS_SENDER": "http",
}


class Crowd:
    """Clients of one server, each with a different address by default (security I10)."""

    def __init__(self, wire: WireClient, folder: Path, gateway: Gateway) -> None:
        self.wire = wire
        self.folder = folder
        self._gateway = gateway
        self._serial = itertools.count(1)

    def post(self, path: str, body: dict[str, object], address: str = "") -> Answer:
        """Send one request."""
        number = next(self._serial)
        of_its_own = f"10.{number // 250}.{number % 250}.7"  # each in its own network
        return self.wire.post(path, body, headers={"x-forwarded-for": address or of_its_own})

    def solved(self) -> dict[str, object]:
        """Return the fields of a solved captcha."""
        captcha_id = self.post("user/captcha", {}).text("id")
        return {"id": captcha_id, "code": solve(self.folder, captcha_id)}

    def send(self, phone: str, solved: dict[str, object]) -> Answer:
        """Request a code."""
        return self.post("verification/get-verification-code", {"mobile": phone, **solved})

    def guess(self, phone: str, code: str, address: str = "") -> Answer:
        """Guess at a code."""
        body: dict[str, object] = {"mobile": phone, "captcha": code}
        return self.post("user/verification-login", body, address)

    def codes(self, phone: str, number: int) -> list[str]:
        """Return the codes that the gateway received for a number, once there are enough."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            told = [json.loads(seen.body) for seen in list(self._gateway.seen)]
            found = [one["code"] for one in told if one["to"] == phone]
            if len(found) >= number:
                return found
            time.sleep(0.05)
        raise AssertionError(f"fewer than {number} messages came")

    def counted(self, sql: str, *values: str) -> list[int]:
        """Return the first column of some rows of the store."""

        async def read() -> list[int]:
            engine = open_store(self.folder / "hupan.db")
            try:
                return [row[0] for row in await engine.fetch_all(sql, *values)]
            finally:
                await engine.close()

        return asyncio.run(read())


@contextmanager
def crowd(folder: Path, workers: int) -> Iterator[Crowd]:
    """Yield clients of a server with this number of processes, and a gateway for its messages."""
    gateway = Gateway()
    with serving(gateway) as port:
        environment = {**SETTINGS, "HUPAN_SMS_URL": f"http://127.0.0.1:{port}/sms"}
        options = ("--workers", str(workers), "--data-dir", str(folder))
        server = Server("serve", *options, environment=environment)
        with server, WireClient(server) as wire:
            yield Crowd(wire, folder, gateway)


def guesses(clients: Crowd) -> None:
    """Check that five guesses at one code are checked, and the right one is too late (X11)."""
    assert clients.send(GUESSED, clients.solved()).code == 1
    (code,) = clients.codes(GUESSED, 1)
    wrong = [f"{(int(code) + step) % 10**6:06}" for step in range(1, AT_ONCE + 1)]
    answers = at_once(lambda guess: clients.guess(GUESSED, guess), wrong)
    assert {answer.code for answer in answers} == {WRONG_CODE}
    sql = "SELECT count FROM tallies WHERE subject = ?1 AND name = ?2"
    assert clients.counted(sql, f"sms:{GUESSED}:", "wrong-codes-hour") == [TRIES_OF_A_CODE]
    sql = "SELECT attempts FROM codes WHERE target = ?1"
    assert clients.counted(sql, GUESSED) == [TRIES_OF_A_CODE]
    assert clients.guess(GUESSED, code).code == WRONG_CODE


def sends(clients: Crowd) -> None:
    """Check that one number gets as many codes as its limit (C11)."""
    solved = [clients.solved() for _ in range(AT_ONCE)]
    answers = at_once(lambda one: clients.send(SENT_TO, one), solved)
    assert Counter(answer.code for answer in answers) == {1: SENDS, TOO_MANY: AT_ONCE - SENDS}
    assert len(clients.codes(SENT_TO, SENDS)) == SENDS
    sql = "SELECT count FROM tallies WHERE subject LIKE ?1 AND name = ?2"
    assert clients.counted(sql, f"send:sms:{SENT_TO}%", "sends-hour") == [SENDS]


def one_captcha(clients: Crowd) -> None:
    """Check that a captcha used a hundred times at once is accepted once (C9)."""
    solved = clients.solved()
    phones = [f"1393333{at:04}" for at in range(0, AT_ONCE * 100, 100)]
    answers = at_once(lambda phone: clients.send(phone, solved), phones)
    assert sum(answer.code == 1 for answer in answers) == 1


def at_most(most: int, window_seconds: int, workers: int, act: Callable[[], int]) -> None:
    """Check a counter in memory: at most the limit for each process, in each window.

    The first process alone lets the whole limit pass, so it is also the minimum.
    """
    began = int(time.time()) // window_seconds
    passed = act()
    windows = int(time.time()) // window_seconds - began + 1
    assert min(most, AT_ONCE) <= passed <= most * workers * windows


def captchas(clients: Crowd, workers: int) -> None:
    """Check the captchas of one address (C10)."""

    def fetch() -> int:
        address = "192.0.2.1"
        answers = at_once(lambda _: clients.post("user/captcha", {}, address), range(AT_ONCE))
        codes = Counter(answer.code for answer in answers)
        assert set(codes) <= {1, FROM_HERE, BUSY}
        return codes[1] + codes[BUSY]

    at_most(ADDRESS_CAPTCHAS, MINUTE, workers, fetch)


def tries_of_one_address(clients: Crowd, workers: int) -> None:
    """Check wrong codes of a hundred numbers from one address (C6)."""

    def guess() -> int:
        phones = [f"1394444{at:04}" for at in range(AT_ONCE)]
        answers = at_once(lambda phone: clients.guess(phone, "000000", "192.0.2.2"), phones)
        codes = Counter(answer.code for answer in answers)
        assert set(codes) <= {WRONG_CODE, FROM_HERE}
        return codes[WRONG_CODE]

    at_most(ADDRESS_TRIES, 3600, workers, guess)


def reset(clients: Crowd) -> None:
    """Check that the command resets the store's counters of a number at once."""
    assert clients.send(SENT_TO, clients.solved()).code == TOO_MANY
    variables = {**os.environ, **STORES.environment(clients.folder)}
    words = ("limits", "reset", SENT_TO, "--data-dir", clients.folder)
    done = run_hupan(*words, environment=variables)
    assert done.returncode == 0, done.stderr
    assert clients.send(SENT_TO, clients.solved()).code == 1


def everything(folder: Path, workers: int) -> None:
    """Run all checks on one server."""
    with crowd(folder, workers) as clients:
        guesses(clients)
        sends(clients)
        one_captcha(clients)
        captchas(clients, workers)
        tries_of_one_address(clients, workers)
        reset(clients)


@pytest.mark.one_engine
@pytest.mark.parametrize("workers", [1, 4])
def test_limits_hold_with_processes(tmp_path: Path, workers: int) -> None:
    """Guesses and sends are exact, captchas at most multiplied by the processes (R11)."""
    everything(tmp_path / "data", workers)


def test_limits_hold_with_two_processes(tmp_path: Path) -> None:
    """Two processes do the same on both engines (C4, C11, R11)."""
    everything(tmp_path / "data", 2)
