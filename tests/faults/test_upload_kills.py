"""kill -9 during uploads: no acknowledged picture is lost, and no extra file stays (R01)."""

import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import httpx
import pytest

from tests.support.client import WireClient
from tests.support.pictures import picture, upload
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

UPLOADERS, ROUNDS, ANSWERED, MOST_SECONDS = 3, 3, 4, 20.0
LEASE_SECONDS = 3600


def work(server: Server, tokens: list[str], journal: list[str], over: threading.Event) -> None:
    """Upload pictures, and record each response as soon as it arrives."""
    with WireClient(server, is_kept=False) as client:
        for token in tokens:
            key = f"{random.randrange(1 << 60)}.png"  # noqa: S311 - a test's key
            if over.is_set():
                return
            try:
                reply = upload(client, token, key, picture(size=(600, 400)))
                if reply.status_code == 200:
                    journal.append(json.loads(reply.content)["key"])
            except (httpx.HTTPError, KeyError, json.JSONDecodeError):
                time.sleep(0.01)


def test_no_picture_is_lost_and_no_file_stays(disk_path: Path) -> None:
    """After several kills every acknowledged picture exists; in the end, no other file does."""
    data = disk_path / "data"
    journals: list[list[str]] = [[] for _ in range(UPLOADERS)]
    with Server("sandbox", "--data-dir", str(data)) as server:
        with WireClient(server, is_kept=False) as client:
            tokens = [[client.account().token for _ in range(6)] for _ in range(UPLOADERS)]
        for _ in range(ROUNDS):
            strike(server, tokens, journals)
            server.start()
            with WireClient(server, is_kept=False) as client:
                for key in (key for journal in journals for key in journal):
                    assert client.request("GET", f"/media/{key}").status_code == 200
        with WireClient(server, is_kept=False) as client:
            client.set_clock(advance=LEASE_SECONDS)
        files = {path.name for path in (data / "media").rglob("*") if path.is_file()}
        with apsw.Connection(str(data / "hupan.db"), flags=apsw.SQLITE_OPEN_READONLY) as store:
            names = {str(name) for (name,) in store.execute("SELECT name FROM pictures")}
        assert files - {"owner"} == names  # it names the store of the folder
        assert len(names) >= sum(map(len, journals))


def strike(server: Server, tokens: list[list[str]], journals: list[list[str]]) -> None:
    """Kill the server at a random time after a few more uploads."""
    over = threading.Event()
    aim = sum(map(len, journals)) + ANSWERED
    with ThreadPoolExecutor(UPLOADERS) as pool:
        workers = [
            pool.submit(work, server, tokens[name], journals[name], over)
            for name in range(UPLOADERS)
        ]
        try:
            deadline = time.monotonic() + MOST_SECONDS
            while sum(map(len, journals)) < aim:
                assert time.monotonic() < deadline, "nothing was uploaded"
                time.sleep(0.005)
            time.sleep(random.random() / 20)  # noqa: S311 - when to kill
            server.kill()
        finally:
            over.set()
        for worker in workers:
            worker.result(timeout=30)
