"""`hupan doctor`: each check fails only for its own defect (kit K-13)."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hupan_client import Fault, Sandbox
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.conformance.target import Reply, Unreachable, parse_target
from hupan.connect.authority import Authority, prepare_authority
from hupan.connect.front import Front
from hupan.connect.names import CHAT_NAMES
from hupan.doctor import checks
from hupan.doctor.checks import CHECKS, examine_server
from hupan.doctor.local import examine_settings
from tests.conformance.mutants import Mutate, MutatedWire, Request, Send, header, on_reply, status
from tests.support.certificates import issue
from tests.support.ports import free_port
from tests.support.servers import CHEAP_HASHES, Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

CANARY = "canary7f3a"
INFO, HOMEPAGE = "/v1/user/info", "/v1/user/homepage"
LOGIN = "/v1/user/verification-login"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Yield a sandbox."""
    with Server("sandbox", "--quiet", environment=CHEAP_HASHES) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return a new authority."""
    return prepare_authority(tmp_path_factory.mktemp("doctor") / "authority")


def as_is(request: Request, send: Send) -> Reply:
    """Break nothing."""
    return send(request)


def failed(url: str, mutate: Mutate = as_is, ca_file: str = "") -> list[str]:
    """Return the ids of the checks that fail."""
    wire = MutatedWire(parse_target(url), ca_file, time.monotonic() + 60, mutate)
    return [finding.id for finding in examine_server(wire) if finding.status == "failed"]


def test_every_check_leads_to_a_page_in_both_languages() -> None:
    """The page of each check exists, and so does its Chinese twin."""
    root = Path(__file__).parents[2]
    pages = {advice.page for _, advice in CHECKS.values()}
    pages |= {finding.advice.page for finding in examine_settings(None)}
    missing = [
        name
        for page in pages
        for name in (page, page.replace(".md", ".zh-CN.md"))
        if not (root / name).is_file()
    ]
    assert not missing


def first_again(request: Request, send: Send, kept: list[Reply] | None = None) -> Reply:
    """Repeat the first response to own info without a token."""
    replies = _KEPT if kept is None else kept
    if not request.is_for(INFO) or request.headers:
        return send(request)
    replies.append(send(request))
    return replies[0]


_KEPT: list[Reply] = []


def token_dropped(request: Request, send: Send) -> Reply:
    """Drop the header token."""
    return send(replace(request, headers={}) if "token" in request.headers else request)


def host_rewritten(request: Request, send: Send) -> Reply:
    """Rewrite Host."""
    return send(replace(request, headers={}) if "host" in request.headers else request)


def small_limit(request: Request, send: Send) -> Reply:
    """Refuse bodies that the server would accept."""
    return status(413)(send(request)) if request.is_for(LOGIN) else send(request)


def no_limit(request: Request, send: Send) -> Reply:
    """Hide the server's refusal of a large body."""
    return status(200)(send(request)) if request.is_for(LOGIN) else send(request)


def sent_again(request: Request, send: Send) -> Reply:
    """Send a request once more after its connection broke."""
    try:
        return send(request)
    except Unreachable:
        return send(request)


DEFECTS: list[tuple[str, Mutate]] = [
    ("host", host_rewritten),
    ("x-result", on_reply("", header("x-result", None))),
    ("token", token_dropped),
    ("error-pages", on_reply("/v1/user/no-such-path", lambda r: replace(r, body=b"<html>"))),
    (
        "cors",
        lambda r, send: (
            status(405)(header("access-control-allow-headers", None)(send(r)))
            if r.method == "OPTIONS"
            else send(r)
        ),
    ),
    ("clock", on_reply("/healthz", header("date", "Thu, 01 Jan 2026 00:00:00 GMT"))),
    ("body-passes", small_limit),
    ("body-bound", no_limit),
    ("compression", on_reply("", header("content-encoding", "gzip"))),
    ("cache", first_again),
    ("retries", sent_again),
]


def test_nothing_is_wrong(server: Server) -> None:
    """A plain sandbox has no problem; there are at least fourteen checks."""
    assert failed(server.url) == []
    assert len(CHECKS) >= 14


@pytest.mark.parametrize(("check", "mutate"), DEFECTS, ids=[name for name, _ in DEFECTS])
def test_a_defect_of_the_front(server: Server, check: str, mutate: Mutate) -> None:
    """Only the responsible check fails."""
    assert failed(server.url, mutate) == [check]


def test_name(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve is reported."""
    real = socket.getaddrinfo
    found = [real("127.0.0.1", server.port, type=socket.SOCK_STREAM)]

    def once(*_args: object, **_more: object) -> object:
        monkeypatch.setattr(socket, "getaddrinfo", real)
        raise socket.gaierror(f"not known beside {len(found)}")

    monkeypatch.setattr(socket, "getaddrinfo", once)
    assert failed(server.url) == ["name"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_listener(scheme: str) -> None:
    """A port without a listener: the other checks are skipped."""
    assert failed(f"{scheme}://127.0.0.1:{free_port()}") == ["listener"]


def test_socket(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy without Upgrade is reported."""

    def refused(*_args: object, **_more: object) -> None:
        raise OSError("no upgrade")

    monkeypatch.setattr(checks, "connect", refused)
    assert failed(server.url) == ["socket"]


def test_tls(server: Server, authority: Authority) -> None:
    """A sandbox with its TLS has no problem."""
    with Front(server.port, authority.server_context(), proxy=False) as front:
        assert failed(f"https://localhost:{front.port}", as_is, str(authority.certificate)) == []


def test_tls_1_2(server: Server, authority: Authority) -> None:
    """A proxy that only has TLS 1.3 is reported."""
    context = authority.server_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with Front(server.port, context, proxy=False) as front:
        url = f"https://localhost:{front.port}"
        assert failed(url, as_is, str(authority.certificate)) == ["tls-1.2"]


def test_certificate_names(server: Server, tmp_path: Path) -> None:
    """A certificate without the clients' built-in names is reported."""
    issued = issue(tmp_path, "localhost", permitted=["localhost"])
    with Front(server.port, issued.server_context(), proxy=False) as front:
        url = f"https://localhost:{front.port}"
        assert failed(url, as_is, str(issued.authority)) == ["certificate-names"]


def test_name_constraints(server: Server, tmp_path: Path) -> None:
    """An authority that could certify any site is reported."""
    issued = issue(tmp_path, "localhost", *CHAT_NAMES)
    with Front(server.port, issued.server_context(), proxy=False) as front:
        url = f"https://localhost:{front.port}"
        assert failed(url, as_is, str(issued.authority)) == ["name-constraints"]


@pytest.mark.parametrize(
    "lines",
    [
        "127.0.0.1 localhost\n192.0.2.1 chat-go.jwzhd.com chat-web-go.jwzhd.com",
        "192.0.2.1 chat-go.jwzhd.com CHAT-web-go.jwzhd.com\n192.0.2.2\tchat-ws-go.jwzhd.com # x",
        "192.0.2.1 chat-go.jwzhd.com chat-web-go.jwzhd.com\n# 192.0.2.1 chat-ws-go.jwzhd.com",
    ],
)
def test_hosts(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    """A hosts file that redirects only some of the three names is reported."""
    hosts = tmp_path / "hosts"
    monkeypatch.setattr(checks, "HOSTS_FILE", hosts)
    hosts.write_text(lines)
    assert failed(server.url) == ["hosts"]
    hosts.write_text("".join(f"192.0.2.1 {name}\n" for name in CHAT_NAMES))
    assert failed(server.url) == []


def test_the_faults_of_others_stay(server: Server) -> None:
    """A sandbox that is in use keeps its faults, and gets no others."""
    with Sandbox(server.url) as driver:
        assert failed(server.url) == []
        assert driver.faults.list() == ()
        told = driver.faults.set(Fault(path="/v1/nobody", code=1002))
        assert failed(server.url) == []
        assert driver.faults.list() == told
        driver.faults.clear()


def test_chain(server: Server, authority: Authority) -> None:
    """An untrusted authority is reported."""
    with Front(server.port, authority.server_context(), proxy=False) as front:
        assert failed(f"https://localhost:{front.port}") == ["chain"]


@pytest.mark.parametrize(
    ("check", "lines"),
    [
        ("settings", "port = 70000"),
        ("store", 'data_dir = "/dev/null/x"'),
        ("key", 'secret_key_file = "/dev/null/x"'),
        ("sender", 'sms_sender = "http"'),
        ("client-address", 'public_url = "https://chat.example"'),
    ],
)
def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: str, lines: str) -> None:
    """Only the responsible check fails."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "hupan.toml"
    config.write_text(lines)
    found = [finding.id for finding in examine_settings(config) if finding.status == "failed"]
    assert found == [check]


def test_json_is_a_list(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check has its cause, a remedy and a link."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["doctor", server.url, "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert isinstance(found, list)
    keys = {"id", "status", "title", "detail", "cause", "fix", "link"}
    assert all(set(entry) == keys and entry["fix"] and entry["link"] for entry in found)


def test_a_report_has_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no password, host, file or user of the settings."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / f"{CANARY}.toml"
    config.write_text(
        f'smtp_host = "{CANARY}.example"\nsmtp_user = "{CANARY}"\nsmtp_password = "{CANARY}"\n'
        f'data_dir = "/dev/null/{CANARY}"\nport = "{CANARY}"\n'
    )
    config.chmod(0o600)
    arguments = ["doctor", f"http://{CANARY}.invalid:1", "--report", "--config", str(config)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert CANARY not in result.output
    assert "failed  settings" in result.stdout


def test_foreign_words_have_their_own_line() -> None:
    """A title in Chinese and the reason of the system never share a line."""
    url = f"http://127.0.0.1:{free_port()}"
    printed = CliRunner().invoke(app, ["--lang", "zh", "doctor", url]).output.splitlines()
    place = next(index for index, line in enumerate(printed) if " listener  " in line)
    assert printed[place].endswith("湖畔正在监听")
    assert printed[place + 1].startswith("    ")
