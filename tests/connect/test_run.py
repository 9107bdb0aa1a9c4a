"""`hupan sandbox run`: only the built-in host names reach a sandbox (kit K-11)."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.commands import run_hupan
from tests.support.servers import FEW_PICTURES

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

HUPAN = str(Path(sys.executable).with_name("hupan"))
SECONDS = 120
CLIENTS = """
import os, signal, sys, urllib.error, urllib.request, httpx
for name in ("chat-go.jwzhd.com", "chat-img.jwznb.com"):
    print(urllib.request.urlopen(f"https://{name}/healthz").status)
print(httpx.get("https://chat-go.jwzhd.com/v1/misc/gray-status").text)
print(httpx.get("http://chat-web-go.jwzhd.com/v1/user/homepage?userId=0").json()["code"])
try:
    httpx.get("https://example.com/")
except httpx.ProxyError:
    print("refused")
print(httpx.get(os.environ["HUPAN_SANDBOX_URL"] + "/sandbox/outbox").json())
sys.exit(7)
"""


NODE = """
const https = require("https"), tls = require("tls");
const get = (url) => new Promise((done) =>
  https.get(url, (r) => done(r.statusCode)).on("error", (e) => done(e.code)));
const open = (port, host) => new Promise((done) => {
  const socket = tls.connect(port, host, () => done(socket.authorized));
  socket.on("error", (error) => done(error.code));
});
(async () => {
  console.log((await fetch("https://chat-go.jwzhd.com/healthz")).status);
  console.log((await fetch("http://chat-web-go.jwzhd.com/healthz")).status);
  console.log(await get("https://chat-img.jwznb.com/healthz"));
  console.log(await open(443, "CHAT-WS-GO.jwzhd.com."));
  console.log(await open(443, "192.0.2.1"));
  console.log(await fetch("https://example.com/").catch(() => "refused"));
  console.log(await get("https://jwzhd.com/") === 200);
  console.log((await fetch(process.env.HUPAN_SANDBOX_URL + "/healthz")).status);
  console.log(process.env.NODE_OPTIONS.endsWith("--no-warnings"));
  process.exit(3);
})();
"""


def run(
    tmp_path: Path, *command: str, options: tuple[str, ...] = (), **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command with a sandbox."""
    start = ("sandbox", "run", "--authority", str(tmp_path / "authority"), *options)
    added = {"HUPAN_LANG": "en", **FEW_PICTURES, **variables}
    return run_hupan(*start, "--", *command, environment=added)


def test_clients_reach_the_sandbox(tmp_path: Path) -> None:
    """Built-in names reach it, others are refused and named; the status is the command's."""
    done = run(tmp_path, sys.executable, "-c", CLIENTS)
    expected = ["200", "200", '{"code":1,"data":{"status":0},"msg":"success"}', "1", "refused"]
    assert done.stdout.splitlines() == [*expected, "[]"], done.stderr
    assert done.returncode == 7
    codes, refused = done.stderr.splitlines()
    assert codes.startswith("sandbox: codes at http://127.0.0.1:")
    assert refused == "sandbox: refused a connection to example.com"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node(tmp_path: Path) -> None:
    """Fetch, https and bare sockets of any Node version reach the sandbox, and no other site."""
    done = run(tmp_path, "node", "-e", NODE, NODE_OPTIONS="--no-warnings")
    expected = ["200", "200", "200", "true", "ECONNREFUSED", "refused", "false", "200", "true"]
    assert done.stdout.splitlines() == expected, done.stderr
    assert done.returncode == 3


def test_the_log_of_the_sandbox(tmp_path: Path) -> None:
    """`--log` writes it to a file, so it does not mix with the command's output."""
    log = tmp_path / "log"
    script = (
        "import urllib.request as r; r.urlopen('https://chat-go.jwzhd.com/v1/misc/gray-status')"
    )
    done = run(tmp_path, sys.executable, "-c", script, options=("--log", str(log)))
    assert len(done.stderr.splitlines()) == 1
    assert "/v1/misc/gray-status" in log.read_text("utf-8")


def test_a_sandbox_that_does_not_start(tmp_path: Path) -> None:
    """The reason is shown, and the command is not run."""
    done = run(tmp_path, "echo", "ran", HUPAN_PORT="x")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "expected a whole number" in done.stderr
    assert "the sandbox did not start" in done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_and_a_signal(tmp_path: Path) -> None:
    """Curl trusts the authority by its variable; the status has the signal that ended it."""
    script = "curl -sf https://chat-ws-go.jwzhd.com/healthz >/dev/null && kill -TERM $$"
    assert run(tmp_path, "sh", "-c", script).returncode == 143


def test_no_such_program(tmp_path: Path) -> None:
    """As in a shell, the status is 127, with a sentence."""
    done = run(tmp_path, "no-such-program-here")
    assert done.returncode == 127
    assert "no-such-program-here: there is no such program" in done.stderr


def test_a_run_that_is_killed_leaves_no_sandbox(tmp_path: Path) -> None:
    """The sandbox ends with it, without any signal."""
    script = "import os, sys; print(os.environ['HUPAN_SANDBOX_URL'], flush=True); sys.stdin.read()"
    process = subprocess.Popen(  # noqa: S603 - our own program
        [
            *(HUPAN, "sandbox", "run", "--authority", str(tmp_path / "authority"), "--"),
            *(sys.executable, "-c", script),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().strip())
        process.kill()
        process.wait(SECONDS)
    deadline = time.monotonic() + SECONDS
    with contextlib.suppress(ConnectionRefusedError):
        while time.monotonic() < deadline:
            socket.create_connection((url.hostname, url.port)).close()
            time.sleep(0.05)
        pytest.fail("the sandbox goes on")
