"""kill -9 under load: every acknowledged sign-in remains (security R01)."""

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

CLIENTS = 4
ROUNDS = 6
MOST_ACCOUNTS = 400
ANSWERED = 5
MOST_SECONDS = 60.0
NUMBERS = itertools.count(1)


def sign_up(client: WireClient, phone: str) -> str:
    """Sign up a new number, as a client does."""
    code = client.sms_code(phone)
    return client.sign_in(phone, code, deviceId="d").text("token")


def work(server: Server, name: int, journal: dict[str, str], over: threading.Event) -> None:
    """Sign up numbers one after the other, and record each response as soon as it arrives."""
    with WireClient(server, is_kept=False) as client:
        for _ in range(MOST_ACCOUNTS):
            if over.is_set():
                return
            phone = f"13{name}{next(NUMBERS):08}"
            try:
                journal[phone] = sign_up(client, phone)
            except (httpx.HTTPError, AssertionError):
                if not over.is_set():
                    time.sleep(0.01)


def strike(server: Server, journals: list[dict[str, str]]) -> None:
    """Kill the server at a random time after a few more sign-ins."""
    aim = sum(map(len, journals)) + ANSWERED
    deadline = time.monotonic() + MOST_SECONDS
    while sum(map(len, journals)) < aim:
        assert time.monotonic() < deadline, "nobody was signed in"
        time.sleep(0.005)
    time.sleep(random.random() / 20)  # noqa: S311 - when to strike
    server.kill()


@pytest.mark.slow
def test_no_answered_sign_in_is_lost(disk_path: Path) -> None:
    """After several kills the token of each recorded sign-in works."""
    journals: list[dict[str, str]] = [{} for _ in range(CLIENTS)]
    with Server("sandbox", "--data-dir", str(disk_path / "data")) as server:
        for round_number in range(ROUNDS):
            over = threading.Event()
            with ThreadPoolExecutor(CLIENTS) as pool:
                workers = [
                    pool.submit(work, server, name, journals[name], over) for name in range(CLIENTS)
                ]
                try:
                    strike(server, journals)
                finally:
                    over.set()
                for worker in workers:
                    worker.result(timeout=30)
            server.start()
            with WireClient(server, is_kept=False) as client:
                for journal in journals:
                    for phone, token in journal.items():
                        assert client.own_info(token).pb_data.text(6) == phone, round_number
