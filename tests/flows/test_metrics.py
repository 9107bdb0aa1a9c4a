"""`/metrics`, on its own listener (decision 0015)."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hupan.metrics import BUCKET_BOUNDS_SECONDS
from tests.support.client import WireClient
from tests.support.ports import LOOPBACK, ports_in_a_row
from tests.support.servers import Server

pytestmark = pytest.mark.slow

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\})? ([0-9.e+-]+|\+Inf)')
JUNK = "01234567-89ab-4cde-8f01-23456789abcd"
PATIENCE_SECONDS = 60.0


def scraped(port: int) -> dict[str, float]:
    """Return every sample of one process by name and labels; check the format of each line."""
    reply = httpx.get(
        f"http://{LOOPBACK}:{port}/metrics",
        trust_env=False,
        verify=False,  # noqa: S501 - plain HTTP on loopback; reading the roots costs 40 ms
        timeout=PATIENCE_SECONDS,
    )
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples: dict[str, float] = {}
    for line in reply.text.splitlines():
        if not line.startswith("# "):
            found = SAMPLE.fullmatch(line)
            assert found, line
            name = f"{found[1]}{{{found[2]}}}" if found[2] else found[1]
            assert name not in samples
            samples[name] = float(found[3])
    return samples


def total(port: int, name: str, count: int = 1) -> float:
    """Return a sample, summed over the processes."""
    return sum(scraped(port + worker).get(name, 0) for worker in range(count))


def await_metrics(port: int) -> None:
    """Wait for a worker that starts later than the first."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            scraped(port)
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def requests(method: str, path: str, result: str) -> str:
    """Return the name of a request counter."""
    return f'hupan_requests_total{{surface="app",endpoint="{method} {path}",result="{result}"}}'


@pytest.fixture
def port() -> int:
    """Return the port of the metrics."""
    return ports_in_a_row()


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[Server]:
    """Yield a sandbox with metrics."""
    environment = {"HUPAN_METRICS_PORT": str(port)}
    with Server("sandbox", "--data-dir", str(tmp_path), environment=environment) as server:
        yield server


def test_the_numbers_are_those_of_the_requests(server: Server, port: int) -> None:
    """The samples have endpoint, class, duration, auth outcomes, messages and component states."""
    with WireClient(server) as wire:
        phone = wire.fresh_phone()
        token = wire.signed_in(phone)
        for _ in range(3):
            assert wire.own_info(token).code == 1
        assert wire.own_info(JUNK).code == -101
        assert wire.request("GET", "/v1/13900000001").status_code == 404
        assert wire.request("POST", "/v1/msg/list-message").status_code == 404
        assert wire.request("POST", "/v1/user/captcha", b"x" * 70_000).status_code == 413
    samples = scraped(port)
    assert samples[requests("GET", "/v1/user/info", "ok")] == 3
    assert samples[requests("GET", "/v1/user/info", "unauthenticated")] == 1
    assert samples[requests("POST", "/v1/user/captcha", "refused")] == 1
    assert samples['hupan_requests_total{surface="",endpoint="other",result="refused"}'] == 1
    assert samples['hupan_requests_total{surface="",endpoint="outside",result="refused"}'] == 1
    labels = 'surface="app",endpoint="GET /v1/user/info"'
    assert samples[f"hupan_request_seconds_count{{{labels}}}"] == 4
    below = [
        samples[f'hupan_request_seconds_bucket{{{labels},le="{upper}"}}']
        for upper in [*map(repr, BUCKET_BOUNDS_SECONDS), "+Inf"]
    ]
    assert below == sorted(below)
    assert below[-1] == 4
    assert samples['hupan_auth_events_total{event="sign-in-by-code",result="ok"}'] == 1
    assert samples['hupan_auth_events_total{event="token-refused",result="unauthenticated"}'] == 1
    assert samples['hupan_messages_total{channel="sms",outcome="sent"}'] == 1
    assert samples['hupan_outbox_messages{channel="sms"}'] == 0
    assert samples["hupan_captchas_ready"] > 0
    assert samples["hupan_password_queue"] == 0
    assert samples["hupan_store_changes_total"] >= samples["hupan_store_commits_total"] > 0
    assert samples["hupan_store_failures_total"] == 0
    for name in ("resident_memory_bytes", "open_fds", "cpu_seconds_total", "start_time_seconds"):
        assert samples[f"process_{name}"] > 0


@pytest.mark.one_engine
def test_every_process_has_its_own_metrics(tmp_path: Path, port: int) -> None:
    """Two workers have two ports, and their counters add up to the number of requests."""
    environment = {"HUPAN_METRICS_PORT": str(port)}
    arguments = ("--workers", "2", "--data-dir", str(tmp_path))
    name = requests("GET", "/v1/user/info", "unauthenticated")
    with Server("serve", *arguments, environment=environment) as server:
        with WireClient(server) as wire:
            for _ in range(20):
                assert wire.own_info(JUNK).code == -101
        await_metrics(port + 1)
        assert total(port, name, 2) == 20


def test_no_listener_by_default(tmp_path: Path) -> None:
    """Without the setting there is no metrics listener, and the API has no such path."""
    with Server("serve", "--data-dir", str(tmp_path)) as server, WireClient(server) as wire:
        assert wire.request("GET", "/metrics").status_code == 404
        inodes = {link.resolve().name for link in Path(f"/proc/{server.process.pid}/fd").iterdir()}
        listening = [
            fields[1]
            for fields in map(str.split, Path("/proc/net/tcp").read_text("ascii").splitlines()[1:])
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes
        ]
        assert listening == [f"0100007F:{server.port:04X}"]


@pytest.mark.one_engine
def test_other_paths_are_not_found(server: Server, port: int) -> None:
    """The metrics listener has one path and one method."""
    assert server.is_running
    with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", trust_env=False) as http:
        assert http.get("/").status_code == 404
        assert http.get("/v1/user/info").status_code == 404
        assert http.post("/metrics").status_code == 404
        assert http.get("/metrics").headers["cache-control"] == "no-store"


@pytest.mark.one_engine
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_reported(tmp_path: Path, port: int, workers: str) -> None:
    """The server does not start, and names the port."""
    environment = {"HUPAN_METRICS_PORT": str(port)}
    arguments = ("--workers", workers, "--data-dir", str(tmp_path))
    last = port + int(workers) - 1
    server = Server("serve", *arguments, environment=environment)
    with socket.create_server((LOOPBACK, last)):
        with contextlib.suppress(RuntimeError):  # with two, the other may have answered already
            server.start()
        assert server.process.wait(PATIENCE_SECONDS) == 1
    output = server.output()
    server.close()
    assert f"端口 {last} 已被占用" in output
    assert "Traceback" not in output
