"""Each fault as real HTTP clients see it: requests, httpx, aiohttp, Node's fetch, Java (K-5)."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests

from tests.support.client import WireClient
from tests.support.servers import CHEAP_HASHES, Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

PATH = "/v1/user/captcha"
TIMEOUT_SECONDS = 2.0
STACKS = Path(__file__).parent.parent / "support" / "stacks"
STEPS: list[tuple[dict[str, object], str]] = [
    ({}, "1"),
    ({"code": 1002}, "1002"),
    ({"httpStatus": 503}, "503"),
    ({"httpStatus": 429, "code": 1002}, "429"),
    ({"delayMs": 100}, "1"),
    ({"delayMs": 60_000}, "timeout"),
    ({"reset": "before"}, "failed"),
    ({"reset": "after"}, "failed"),
    ({"truncate": 0}, "failed"),
    ({"truncate": 100}, "failed"),
    ({"garble": True}, "undecodable"),
    ({"trickle": 20_000}, "1"),
    ({"trickle": 20_000, "truncate": 3000}, "failed"),
    ({}, "1"),
]
"""A rule for each request in turn, and its effect."""


def outcome(status: int, body: bytes) -> str:
    """Return the outcome of a complete response."""
    if status != httpx.codes.OK:
        return str(status)
    try:
        return str(json.loads(body)["code"])
    except ValueError:
        return "undecodable"


def with_requests(url: str) -> list[str]:
    """Post with requests, in one session."""

    def post(session: requests.Session) -> str:
        try:
            reply = session.post(url, data=b"{}", timeout=TIMEOUT_SECONDS)
        except requests.Timeout:
            return "timeout"
        except requests.RequestException:
            return "failed"
        return outcome(reply.status_code, reply.content)

    with requests.Session() as session:
        return [post(session) for _ in STEPS]


def with_httpx(url: str) -> list[str]:
    """Post with httpx, with one client."""

    def post(client: httpx.Client) -> str:
        try:
            reply = client.post(url, content=b"{}")
        except httpx.TimeoutException:
            return "timeout"
        except httpx.TransportError:
            return "failed"
        return outcome(reply.status_code, reply.content)

    with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        return [post(client) for _ in STEPS]


def with_aiohttp(url: str) -> list[str]:
    """Post with aiohttp, in one session."""

    async def post(session: aiohttp.ClientSession) -> str:
        try:
            async with session.post(url, data=b"{}") as reply:
                return outcome(reply.status, await reply.read())
        except TimeoutError:
            return "timeout"
        except aiohttp.ClientError:
            return "failed"

    async def post_all() -> list[str]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return [await post(session) for _ in STEPS]

    return asyncio.run(post_all())


def with_program(program: str, source: str) -> Callable[[str], list[str]]:
    """Post with a program of another language, if it is installed."""

    def post_all(url: str) -> list[str]:
        path = shutil.which(program)
        if path is None or (program == "java" and shutil.which("javac") is None):
            pytest.skip(f"no {program} here")
        command = [path, str(STACKS / source), url, str(len(STEPS))]
        return subprocess.check_output(command, text=True, timeout=120).split()  # noqa: S603 - our program

    return post_all


CLIENTS: dict[str, Callable[[str], list[str]]] = {
    "requests": with_requests,
    "httpx": with_httpx,
    "aiohttp": with_aiohttp,
    "node": with_program("node", "fetch.mjs"),
    "java": with_program("java", "Fetch.java"),
}


@pytest.fixture(scope="module")
def faulty() -> Iterator[WireClient]:
    """Yield a sandbox whose responses may fail."""
    with Server("sandbox", environment=CHEAP_HASHES) as server, WireClient(server) as wire:
        yield wire


@pytest.mark.parametrize("stack", CLIENTS)
def test_a_stack_sees_each_fault(faulty: WireClient, stack: str) -> None:
    """Each fault is reported as such, and the next request works; each rule fired once (K-5)."""
    rules = [{"path": PATH, "nth": nth, **rule} for nth, (rule, _) in enumerate(STEPS, 1) if rule]
    put = faulty.http.put("/sandbox/faults", content=json.dumps(rules))
    assert put.status_code == 200, put.text
    assert CLIENTS[stack](f"{faulty.server.url}{PATH}") == [expected for _, expected in STEPS]
    hits = [rule["hits"] for rule in faulty.http.get("/sandbox/faults").json()]
    assert hits == [1] * len(rules)
