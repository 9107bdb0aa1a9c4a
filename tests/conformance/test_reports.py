"""Which servers are refused, what a report contains, and what a baseline allows (kit K-10)."""

import contextlib
import json
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from hupan.cli import conformance as cli
from hupan.cli.main import app
from hupan.conformance.checks import Check, Outcome, Probe, run_checks
from hupan.conformance.report import (
    BadBaseline,
    new_failures,
    read_baseline,
    to_json,
    to_junit,
)
from hupan.conformance.suite import ALL_CHECKS
from hupan.conformance.target import BadTarget, Reply, Unreachable, Wire, parse_target
from hupan.conformance.world import Supplies, World
from hupan.doctor.checks import CHECKS, examine_server
from hupan.localized import LocalizedText
from tests.conformance.mutants import (
    Mutate,
    MutatedWire,
    Request,
    Send,
    on_reply,
    status,
    swap_body,
)
from tests.support.servers import CHEAP_HASHES, Server

pytestmark = pytest.mark.one_engine

SOME_CHECKS = ("json-error", "captcha-needed", "messages", "own-info", "code-once")
NOBODY = "http://127.0.0.1:1"
PUBLIC = [
    "https://chat-go.jwzhd.com",
    "chat-web-go.jwzhd.com",
    "http://CHAT-WS-GO.JWZHD.COM.:8080/v1",
    "http://me@chat-go.jwzhd.com",
    "http://chat-go。jwzhd。com",
    "http://ｊｗｚｈｄ.com",
    "https://chat-img.jwznb.com",
    "https://api.qiniu.com",
    "https://upload-z2.qiniup.com",
]
NONSENSE = [
    b"[]",
    b'"x"',
    b"[" * 100_000,
    b'{"code":1,"data":[1],"msg":"\\ud800\\u001b[2J"}',
    b'{"code":1203,"data":{"token":1,"list":[1]},"msg":"\\u001b[31m"}',
]
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Yield a sandbox."""
    with Server("sandbox", "--quiet", environment=CHEAP_HASHES) as server:
        yield server


def failing(*keys: str) -> Check:
    """Return a check that finds these problems."""

    def body(_world: World, probe: Probe) -> None:
        for key in keys:
            probe.same(key, "\x00<got>", "expected")

    return Check("c", "must", "wire.md 1.1", LocalizedText("检查", "a check"), body)


def outcome_of(check: Check) -> Outcome:
    """Run one check that needs no server."""
    [outcome] = run_checks(World(Wire(parse_target(NOBODY))), [check])
    return outcome


@contextlib.contextmanager
def hostile_server(answer: bytes) -> Iterator[str]:
    """Answer every request with the same bytes, and end no connection; return the URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.connection.recv(65536)
                self.connection.sendall(answer)
                while self.connection.recv(65536):
                    pass

    class Hostile(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Hostile(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("body", NONSENSE)
def test_a_server_that_answers_nonsense(body: bytes) -> None:
    """Every check of both tools completes, and the output is safe for a terminal."""
    with hostile_server(JSON_HEAD % len(body) + body) as url:
        wire = Wire(parse_target(url))
        outcomes = run_checks(World(wire), [one for one in ALL_CHECKS if one.id in SOME_CHECKS])
        findings = examine_server(wire)
    assert len(outcomes) == len(SOME_CHECKS)
    assert any(outcome.status == "failed" for outcome in outcomes)
    assert [finding.id for finding in findings] == list(CHECKS)
    shown = [problem.got for outcome in outcomes for problem in outcome.problems]
    shown += [text for outcome in outcomes for text in (outcome.reason.zh, outcome.reason.en)]
    assert all(text.isprintable() for text in [*shown, *(one.detail for one in findings)])


@pytest.mark.slow
def test_a_server_that_drips() -> None:
    """A response that arrives byte by byte ends at the time limit of all checks."""
    dripping = threading.Event()

    def drip(server: socket.socket) -> None:
        with server.accept()[0] as connection, contextlib.suppress(OSError):
            connection.sendall(JSON_HEAD % 1000)
            while not dripping.wait(0.05):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        try:
            target = parse_target(f"http://127.0.0.1:{server.getsockname()[1]}")
            with pytest.raises(Unreachable):
                Wire(target, "", time.monotonic() + 1).send("GET", "/healthz")
        finally:
            dripping.set()
            thread.join()


@pytest.mark.parametrize("url", ["http://127.0.0.1/湖", "http://127.0.0.1/a b"])
def test_a_path_that_no_request_can_have(url: str) -> None:
    """The path is refused in one sentence."""
    with pytest.raises(BadTarget):
        parse_target(url)


@pytest.mark.parametrize("url", PUBLIC)
def test_the_public_service_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any spelling of its name is refused before it is resolved or anything is sent."""

    def forbidden(*_args: object, **_more: object) -> None:
        raise AssertionError("a packet")

    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    monkeypatch.setattr(socket, "create_connection", forbidden)
    result = CliRunner().invoke(app, ["conformance", url])
    assert result.exit_code == 2
    assert "公共服务" in result.stderr


@pytest.mark.parametrize("command", ["conformance", "doctor"])
def test_a_name_that_leads_to_the_public_service(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alias of it is refused; one in a hosts file is allowed, as it names one's own server."""
    seen: list[str] = []

    def connect(*_args: object, **_more: object) -> None:
        seen.append("a packet")
        raise ConnectionRefusedError

    def alias(address: str) -> None:
        found = (socket.AF_INET, socket.SOCK_STREAM, 6, "CHAT-go.jwzhd.com.", (address, 80))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: [found])

    monkeypatch.setattr(socket, "create_connection", connect)
    alias("93.184.216.34")
    result = CliRunner().invoke(app, [command, "http://alias.example"])
    assert (result.exit_code, seen, result.stdout) == (2, [], "")
    assert "公共服务" in result.stderr
    alias("192.168.1.2")
    assert "公共服务" not in CliRunner().invoke(app, [command, "http://alias.example"]).stderr
    assert seen


@pytest.mark.parametrize("command", ["conformance", "doctor"])
@pytest.mark.parametrize("location", ["https://chat-go.jwzhd.com/", "//CHAT-go.jwzhd.com.:443/x"])
def test_a_server_that_redirects_to_the_public_service(command: str, location: str) -> None:
    """The redirect is not followed."""
    answer = f"HTTP/1.1 301 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    with hostile_server(answer.encode()) as url:
        result = CliRunner().invoke(app, [command, url])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "公共服务" in result.stderr


def behind(defect: Mutate, send: Send) -> Send:
    """Put a defect before a server."""
    return lambda request: defect(request, send)


@pytest.mark.slow
def test_a_run_with_a_baseline(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken server fails; compared with itself it passes, and fails only on new problems."""
    some = [one for one in ALL_CHECKS if one.id in ("unknown-path", "no-token", "messages")]
    monkeypatch.setattr(cli, "ALL_CHECKS", some)
    baseline, junit = tmp_path / "before.json", tmp_path / "junit.xml"

    def run(*defects: Mutate, arguments: Sequence[str]) -> Result:
        def mutate(request: Request, send: Send) -> Reply:
            for defect in defects:
                send = behind(defect, send)
            return send(request)

        monkeypatch.setattr(cli, "Wire", partial(MutatedWire, mutate=mutate))
        return CliRunner().invoke(app, ["conformance", server.url, *arguments])

    not_404 = on_reply("/v1/user/no-such-path", status(200))
    english = on_reply("", swap_body("未登录", "Sign in"))
    assert run(arguments=[]).exit_code == 0
    broken = run(not_404, arguments=["--json", "--junit", str(junit)])
    assert broken.exit_code == 1
    baseline.write_text(broken.stdout)
    compared = ["--baseline", str(baseline)]
    assert run(not_404, arguments=compared).exit_code == 0
    assert run(arguments=compared).exit_code == 0
    new = run(not_404, english, arguments=compared)
    assert new.exit_code == 1
    assert new.stdout.splitlines()[-1] == "与基线相比新的不符：messages"
    assert ET.parse(junit).getroot().get("failures") == "1"  # noqa: S314 - our own


@pytest.mark.parametrize(
    "url", ["", "ftp://a", "http://", "http://a:99999", "http://a b", "http://a/?q"]
)
def test_no_address(url: str) -> None:
    """An invalid address is refused before anything is sent."""
    with pytest.raises(BadTarget):
        parse_target(url)


def test_an_address_keeps_its_prefix() -> None:
    """A server may be below a path."""
    assert parse_target("HTTPS://[::1]:8443/a/").url == "https://[::1]:8443/a"


def test_no_listener() -> None:
    """A missing server does not pass: status 2, in one sentence."""
    result = CliRunner().invoke(app, ["conformance", NOBODY])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "没有返回 HTTP 响应" in result.stderr


def test_a_baseline_fails_on_what_is_new() -> None:
    """The same problem is not new; another problem of the same check is."""
    before = json.dumps(to_json(NOBODY, [outcome_of(failing("a"))])).encode()
    known = read_baseline(before)
    assert new_failures([outcome_of(failing("a"))], known) == []
    assert new_failures([outcome_of(failing())], known) == []
    assert len(new_failures([outcome_of(failing("a", "b"))], known)) == 1
    assert len(new_failures([outcome_of(failing("a"))], {})) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"format":1}',
        b'{"format":2,"checks":[]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_no_baseline(content: bytes) -> None:
    """An invalid report is refused in one sentence."""
    with pytest.raises(BadBaseline):
        read_baseline(content)


def test_junit() -> None:
    """A failed must is a failure, in XML that any reader accepts."""
    content = to_junit(NOBODY, [outcome_of(failing("a")), outcome_of(failing())], english=True)
    suite = ET.fromstring(content)  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    [failure] = suite.iter("failure")
    assert failure.text == r"a: expected ≠ \x00<got>"


def test_every_check_has_its_rule() -> None:
    """Each check has a group and cites the protocol; there are many."""
    assert len(ALL_CHECKS) > 80
    assert all(check.rule.startswith("wire.md ") for check in ALL_CHECKS)
    assert {check.level for check in ALL_CHECKS} == {"must", "should", "known"}


def test_codes_from_a_command(tmp_path: Path) -> None:
    """A command gets channel and receiver, and prints the code."""
    script = tmp_path / "code.py"
    script.write_text("import sys; print(sys.argv[1], sys.argv[2], len(sys.stdin.buffer.read()))")
    world = World(Wire(parse_target(NOBODY)), Supplies(f"{sys.executable} {script}"))
    assert world.code("captcha", "id", "data:image/png;base64,aaaa") == "captcha id 3"


@pytest.mark.slow
def test_a_run_with_codes_from_a_command(server: Server, tmp_path: Path) -> None:
    """A server without sandbox routes passes the same checks, with the tester's own numbers."""

    class Served(Wire):
        """A connection to a server that has no sandbox."""

        def send_raw(self, method: str, path: str, *rest: Any) -> Reply:  # noqa: ANN401 - passed on unchanged
            found = super().send_raw(method, path, *rest)
            return replace(found, status=404) if path.startswith("/sandbox/") else found

    script = tmp_path / "code.py"
    script.write_text(
        "import json, sys, urllib.request\n"
        f"url = '{server.url}/sandbox/outbox/wait'\n"
        "url += '?channel=' + sys.argv[1] + '&to=' + sys.argv[2]\n"
        "print(json.load(urllib.request.urlopen(url))['code'])\n"
    )
    supplies = Supplies(f"{sys.executable} {script}", ["13800138000"])
    world = World(Served(parse_target(server.url)), supplies)
    some = [one for one in ALL_CHECKS if one.id in ("code-once", "get-user-vip", "logout")]
    outcomes = {one.check.id: one for one in run_checks(world, some)}
    assert outcomes["code-once"].status == "passed"
    assert "--phone" in outcomes["logout"].reason.en
    assert "only a sandbox" in outcomes["get-user-vip"].reason.en


def test_musts_without_codes_are_no_pass() -> None:
    """A run that cannot sign in reports so for each check."""
    world = World(Wire(parse_target(NOBODY)), Supplies("false", ["13800138000"]))
    outcomes = run_checks(world, [check for check in ALL_CHECKS if check.id == "code-once"])
    assert [outcome.status for outcome in outcomes] != ["passed"]
