"""`hupan sandbox run`: only built-in host names reach a sandbox (kit K-11)."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

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


def run(tmp_path: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command with a sandbox."""
    return subprocess.run(  # noqa: S603 - our own program
        [HUPAN, "sandbox", "run", "--authority", str(tmp_path / "authority"), "--", *command],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "HUPAN_LANG": "en"},
    )


def test_clients_reach_the_sandbox(tmp_path: Path) -> None:
    """The fixed names reach it, others are refused and named, the status is the command's."""
    done = run(tmp_path, sys.executable, "-c", CLIENTS)
    expected = ["200", "200", '{"code":1,"data":{"status":0},"msg":"success"}', "1", "refused"]
    assert done.stdout.splitlines() == [*expected, "[]"], done.stderr
    assert done.returncode == 7
    assert "refused a connection to example.com" in done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_and_a_signal(tmp_path: Path) -> None:
    """Curl trusts the authority by its variable; a signal that ends the command is its status."""
    script = "curl -sf https://chat-ws-go.jwzhd.com/healthz >/dev/null && kill -TERM $$"
    assert run(tmp_path, "sh", "-c", script).returncode == 143


def test_no_such_program(tmp_path: Path) -> None:
    """As in a shell: 127, and a sentence."""
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
