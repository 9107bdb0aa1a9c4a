"""Trailers, on each listener of a real server (security X1, I10)."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.fault_clients import connect, rest
from tests.support.ports import LOOPBACK, free_port
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

SECONDS = 5
MIB = 1 << 20
FRONT = {"HUPAN_TRUSTED_PROXIES": f"{LOOPBACK}/32", "HUPAN_CLIENT_IP_HEADER": "x-real-ip"}
FLOOD = b"a:b\r\n" * 10_000


@pytest.fixture(scope="module")
def metrics_port() -> int:
    """Return the port of the metrics."""
    return free_port()


@pytest.fixture(scope="module")
def server(metrics_port: int) -> Iterator[Server]:
    """Yield a sandbox behind a proxy, with limits and metrics."""
    environment = {**FRONT, "HUPAN_METRICS_PORT": str(metrics_port)}
    with Server("sandbox", "--limits", environment=environment) as server:
        yield server


def memory(server: Server) -> int:
    """Return the memory of the process, in bytes."""
    statm = Path(f"/proc/{server.process.pid}/statm").read_text("ascii")
    return int(statm.split()[1]) * 4096


def chunked(path: str, body: bytes, *trailers: str, host: str = "a") -> bytes:
    """Return a complete request in one chunk, with trailers; the response ends the connection."""
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n"
    head += "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    end = "\r\n".join(["0", *trailers, "", ""])
    return head.encode() + piece + end.encode()


@pytest.mark.parametrize(
    ("listener", "path"),
    [
        ("app", "/v1/user/captcha"),
        ("web", "/v1/user/captcha"),
        ("app", "/v1/nothing"),
        ("metrics", "/metrics"),
    ],
)
def test_five_seconds_of_trailers(
    server: Server, metrics_port: int, listener: str, path: str
) -> None:
    """The process does not grow, and answers all the while (security X1)."""
    port = metrics_port if listener == "metrics" else server.port
    host = "chat-web-go.example" if listener == "web" else "a"
    start = chunked(path, b"{}", host=host)[: -len(b"\r\n")]
    before, until = memory(server), time.monotonic() + SECONDS
    with WireClient(server, is_kept=False) as wire:
        while time.monotonic() < until:
            with connect(port) as flooding, contextlib.suppress(ConnectionError):
                flooding.sendall(start)
                for _ in range(100):
                    flooding.sendall(FLOOD)
            assert wire.request("GET", "/healthz").status_code == 200
    assert memory(server) - before < 16 * MIB


def test_a_token_in_a_trailer_is_ignored(server: Server) -> None:
    """Only a token in the headers counts."""
    with WireClient(server, is_kept=False) as wire:
        token = wire.account().token
    for trailer in (f"token: {token}", f"authorization: Bearer {token}"):
        with connect(server.port) as client:
            client.sendall(chunked("/v1/user/medal", b"", trailer))
            answer = rest(client)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"x-result: unauthenticated\r\n" in answer


def test_a_trailer_names_no_client(server: Server) -> None:
    """Wrong attempts count for the address in the headers, not in trailers (security I10)."""
    body = json.dumps({"mobile": "13900000001", "captcha": "1", "deviceId": "d", "platform": "x"})
    classes = set()
    for number in range(80):
        request = chunked(
            "/v1/user/verification-login", body.encode(), f"x-real-ip: 203.0.113.{number}"
        )
        with connect(server.port) as client:
            client.sendall(request)
            classes.add(rest(client).partition(b"x-result: ")[2].partition(b"\r\n")[0])
    assert b"limited" in classes
