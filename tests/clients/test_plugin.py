"""The pytest plugin, in separate runs of pytest."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.support.servers import FEW_PICTURES

ROOT = Path(__file__).parents[2]
FLAGS = re.DOTALL | re.MULTILINE
RUN_SECONDS = 120
USING = """
import asyncio
import os

import pytest
from hupan_client import AsyncSandbox, Sandbox


@pytest.mark.parametrize("number", range(6))
def test_each_begins_with_an_empty_sandbox(hupan: Sandbox, number: int) -> None:
    assert hupan.accounts.create(nickname="湖").id == "1000001"
    assert hupan.outbox.list() == ()
    client = hupan.sign_in("13800138000")
    assert client.get_own_info().phone == "13800138000"
    assert hupan.clock.advance(60).now > 0
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    with open(f"{worker}.txt", "a") as seen:
        seen.write(f"{hupan.url}\\n")


def test_awaited(hupan_async: AsyncSandbox) -> None:
    async def use() -> None:
        client = await hupan_async.sign_in()
        assert (await client.get_own_info()).id == "1000001"

    asyncio.run(use())
"""
UNUSED = """
import sys


def test_nothing_was_imported() -> None:
    assert "pytest_hupan.plugin" in sys.modules
    assert not {"hupan", "hupan_client", "httpx"} & set(sys.modules)
"""
HANGING = """
import time


def test_hangs(hupan) -> None:
    with open("url.txt.new", "w") as url:
        url.write(hupan.url)
    import os
    os.rename("url.txt.new", "url.txt")
    time.sleep(600)
"""
FAILING = """
def test_fails(hupan) -> None:
    client = hupan.sign_in("13800138000")
    client.edit_nickname("湖" * 3)
    try:
        client.list_groups(size=200)
    finally:
        assert client.get_user("1")


def test_passes(hupan) -> None:
    hupan.sign_in()


def test_fails_without_it(hupan_url) -> None:
    raise AssertionError
"""
CLOSING = """
def test_fails(hupan) -> None:
    hupan.close()
    raise AssertionError


def test_passes(hupan) -> None:
    hupan.sign_in()
"""
pytestmark = pytest.mark.slow


def command(*arguments: str) -> list[str]:
    """Return the command of a pytest run with warnings as errors and only the named plugins."""
    options = ["-W", "error", "-p", "no:cacheprovider", "-p", "pytest_hupan.plugin"]
    return [sys.executable, "-m", "pytest", *options, *arguments]


def environment() -> dict[str, str]:
    """Return the variables of a run that is no worker of this one."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("PYTEST_")}
    return {**kept, **FEW_PICTURES, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def run(folder: Path, text: str, *arguments: str, ini: str = "") -> tuple[int, str]:
    """Run pytest on one file; return its exit status and output."""
    (folder / "test_bot.py").write_text(text, "utf-8")
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n", "utf-8")
    done = subprocess.run(  # noqa: S603 - our own command
        command(*arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_each_worker_has_its_own_sandbox(tmp_path: Path) -> None:
    """Each test begins with an empty one, and workers do not share it."""
    status, output = run(tmp_path, USING, "-p", "xdist.plugin", "-n", "2", "--dist", "each")
    assert status == 0, output
    assert "14 passed" in output
    urls = [set(path.read_text().split()) for path in tmp_path.glob("gw*.txt")]
    assert [len(seen) for seen in urls] == [1, 1]
    assert len(set.union(*urls)) == 2


def test_a_run_that_does_not_use_it_imports_nothing(tmp_path: Path) -> None:
    """It imports neither client nor server, and starts no sandbox."""
    status, output = run(tmp_path, UNUSED)
    assert status == 0, output


def test_a_failed_test_shows_its_requests(tmp_path: Path) -> None:
    """The requests are in order, decoded, with account, refusal and the wrong field."""
    status, output = run(tmp_path, FAILING)
    assert status == 1
    assert output.count("Requests to the sandbox") == 1
    shown = output.partition("Requests to the sandbox")[2]
    assert "POST /v1/user/edit-nickname as 1000001 → 200 ok" in shown
    assert 'sent {"name": "湖湖湖"}' in shown
    assert "sent size: outOfRange" in shown
    assert "4402 UnknownUser" in shown
    assert shown.index("/v1/user/captcha") < shown.index("/v1/user/get-user")
    for page in ("docs/testing-clients.md", "docs/testing-clients.zh-CN.md"):
        (example,) = re.findall(r"^```text\n(.*?)^```", (ROOT / page).read_text("utf-8"), FLAGS)
        assert example in shown


def test_a_test_that_closes_its_sandbox(tmp_path: Path) -> None:
    """Its report says so, and later tests get a new sandbox."""
    status, output = run(tmp_path, CLOSING)
    assert status == 1
    assert "1 failed, 1 passed" in output
    assert "The journal cannot be read" in output


def test_further_arguments(tmp_path: Path) -> None:
    """The setting `hupan_args` adds them; the sandbox's error about wrong ones is shown."""
    status, output = run(tmp_path, USING, "-x", ini="hupan_args = --nonsense")
    assert status == 1, output
    assert "SandboxDidNotStart" in output
    assert "--nonsense" in output


def test_nothing_is_left_of_a_killed_run(tmp_path: Path) -> None:
    """The sandbox ends with the run, even if the run is killed."""
    (tmp_path / "test_bot.py").write_text(HANGING, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    with subprocess.Popen(  # noqa: S603 - our own command
        command(), cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL
    ) as running:
        try:
            url = wait_for(tmp_path / "url.txt")
            assert httpx.get(f"{url}/healthz", trust_env=False).is_success
        finally:
            running.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/healthz", trust_env=False)
        except httpx.TransportError:
            return
        time.sleep(0.05)
    pytest.fail("the sandbox still answers")


def wait_for(path: Path) -> str:
    """Wait for a file and return its text."""
    deadline = time.monotonic() + RUN_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return path.read_text("utf-8")
