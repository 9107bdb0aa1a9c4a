"""The examples of docs/message-server.md run as the page says."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.client import WireClient
from tests.support.ports import LOOPBACK, free_port
from tests.support.servers import Server
from tests.support.sockets import PATIENCE_SECONDS, SocketClient

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = "a key that both servers share"


@contextmanager
def example(name: str) -> Iterator[str]:
    """Run an example; return its URL."""
    port = free_port()
    environment = {**os.environ, "HUPAN_UPSTREAM_SECRET": KEY}
    process = subprocess.Popen(  # noqa: S603 - our own example
        [sys.executable, str(EXAMPLES / name), str(port)],
        env=environment,
        stderr=subprocess.DEVNULL,
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


@pytest.mark.parametrize("name", ["toy_chat.py", "toy_room.py"])
def test_an_example_is_short(name: str) -> None:
    """It has 60 lines at most."""
    assert len((EXAMPLES / name).read_text().splitlines()) <= 60


def test_two_people_talk() -> None:
    """Each reads the other's message; strangers, forged and repeated requests have no effect."""
    with example("toy_chat.py") as url:
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


def test_two_people_talk_over_the_socket() -> None:
    """Both get each message at once; a socket without Hupan's signature is refused."""
    with example("toy_room.py") as url:
        socket_url = url.replace("http", "ws") + "/ws"
        settings = {"HUPAN_UPSTREAM_WS": socket_url, "HUPAN_UPSTREAM_SECRET": KEY}
        with Server("sandbox", environment=settings) as server, WireClient(server) as wire:
            speaker = wire.account(nickname="湖 & 畔")
            listener = wire.account(nickname="listener")
            with (
                SocketClient(server.port).log_in(speaker.token) as one,
                SocketClient(server.port).log_in(listener.token) as other,
            ):
                other.send("say", "I am here")  # this enters the room
                assert json.loads(other.connection.recv(timeout=PATIENCE_SECONDS)) == {
                    "from": "listener",
                    "said": "I am here",
                }
                one.send("say", {"text": "你好"})
                heard = {"from": "湖 & 畔", "said": {"text": "你好"}}
                assert json.loads(other.connection.recv(timeout=PATIENCE_SECONDS)) == heard
        with pytest.raises(InvalidStatus):
            connect(socket_url, proxy=None).__enter__()
