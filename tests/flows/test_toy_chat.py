"""The example of docs/message-server.md, run as the page says."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.client import WireClient
from tests.support.ports import LOOPBACK, free_port
from tests.support.servers import Server

pytestmark = pytest.mark.one_engine

EXAMPLE = Path(__file__).parents[2] / "examples" / "toy_chat.py"
KEY = "a key that both servers share"


@contextmanager
def toy_chat() -> Iterator[str]:
    """Run the example; return its URL."""
    port = free_port()
    environment = {**os.environ, "HUPAN_UPSTREAM_SECRET": KEY}
    process = subprocess.Popen(  # noqa: S603 - our own example
        [sys.executable, str(EXAMPLE), str(port)], env=environment, stderr=subprocess.DEVNULL
    )
    url = f"http://{LOOPBACK}:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(url, timeout=5, trust_env=False)
                break
            except httpx.ConnectError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def test_the_example_is_short() -> None:
    """It has 60 lines at most."""
    assert len(EXAMPLE.read_text().splitlines()) <= 60


def test_two_people_talk() -> None:
    """What one says the other reads; a stranger, a forged and a repeated request do nothing."""
    with toy_chat() as url:
        settings = {"HUPAN_UPSTREAM": url, "HUPAN_UPSTREAM_SECRET": KEY}
        with (
            Server("sandbox", environment=settings) as server,
            WireClient(server) as wire,
        ):
            speaker, reader = wire.account(nickname="湖 & 畔"), wire.account()
            said = "你好".encode()
            reply = wire.request("POST", "/v1/msg/say", said, token=speaker.token)
            assert reply.status_code == 200
            heard = wire.request("GET", "/v1/msg/recent", token=reader.token).json()
            assert heard["data"] == [{"from": "湖 & 畔", "text": "你好"}]
            assert wire.request("GET", "/v1/msg/recent").json()["code"] == -101
        forged = {"x-hupan-user-id": speaker.id, "x-hupan-time": "1", "x-hupan-signature": "0"}
        for headers in ({}, forged):
            reply = httpx.get(f"{url}/v1/msg/recent", headers=headers, trust_env=False)
            assert reply.status_code == 403
