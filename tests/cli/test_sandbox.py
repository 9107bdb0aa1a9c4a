"""`hupan sandbox` as started by a user: its address, its folder, its output."""

import io
import json
import os
import queue
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx
import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.cli.sandbox import FOLDER_PREFIX, remove_abandoned_folders, temporary_data_folder
from hupan.cli.sandbox_start import open_browser, ready_file
from hupan.sandbox.outbox import MAX_QUEUED_LINES, CapturedMessage, CodePrinter
from hupan.sandbox.seeding import PACK_NAMES
from tests.support.client import WireClient
from tests.support.commands import run_hupan, running_hupan
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

WAIT_SECONDS = 60.0
EVERYWHERE = "0.0.0.0"  # noqa: S104 - the test is about its warning


def says(server: Server, text: str) -> bool:
    """Return whether a server prints a text, possibly after its responses."""
    deadline = time.monotonic() + WAIT_SECONDS
    while text not in server.output() and time.monotonic() < deadline:
        time.sleep(0.05)
    return text in server.output()


def test_an_open_address_is_warned_of() -> None:
    """The start warns that every client that reaches it can read the codes (design 8)."""
    with Server("sandbox", "--host", EVERYWHERE) as server:
        assert says(server, "任何人都可读取全部验证码")
    with Server("sandbox", "--host", EVERYWHERE, environment={"HUPAN_LANG": "en"}) as server:
        assert says(server, "everyone who can reach it can read all codes")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_loopback_address_is_not(host: str) -> None:
    """A loopback address, including the default, gets no warning."""
    with Server("sandbox", "--host", host) as server:
        assert "⚠" not in server.output()


@pytest.mark.parametrize("name", ["box:8480", "*", "http://box", "湖.example", ""])
def test_an_allowed_host_is_a_name(name: str) -> None:
    """A value that no `Host` can have is refused."""
    result = CliRunner().invoke(app, ["sandbox", "--allow-host", name])
    assert result.exit_code == 2
    assert "须为不带端口的主机名" in result.stderr


def test_codes_are_printed_once() -> None:
    """Each code is one line on the terminal, in one language; --quiet prints none."""
    with Server("sandbox") as server, WireClient(server) as wire:
        phone, email = wire.fresh_phone(), wire.fresh_email()
        code = wire.sms_code(phone)
        wire.ask_email(email)
        mailed = wire.next_message("email", email, set()).code
        assert says(server, mailed)
        lines = server.output().splitlines()
        assert lines.count(f"短信  {phone}  验证码 {code}") == 1
        assert lines.count(f"邮件  {email}  验证码 {mailed}") == 1
    with Server("sandbox", "--quiet") as server, WireClient(server) as wire:
        code = wire.sms_code(wire.fresh_phone())
        assert code not in server.output()


class Stuck(io.StringIO):
    """A terminal that accepts no output."""

    def write(self, _text: str) -> int:
        """Wait forever."""
        while True:
            time.sleep(60)


def test_printing_never_waits() -> None:
    """A blocked terminal neither stops the sandbox nor fills memory (security X6)."""
    printer = CodePrinter(Stuck(), english=True)
    entry = CapturedMessage(1, "sms", "13900000001", "code", "123456", "", 0)
    for _ in range(3 * MAX_QUEUED_LINES):
        printer.print_code(entry)
    assert printer.queued == MAX_QUEUED_LINES


def test_a_killed_sandbox_leaves_nothing_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start removes its folder, and no other."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    other = tmp_path / f"{FOLDER_PREFIX}just-being-made"
    other.mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / f"{FOLDER_PREFIX}link").symlink_to(tmp_path / "notes")
    with Server("sandbox") as running:
        (kept,) = {path for path in tmp_path.glob(f"{FOLDER_PREFIX}*") if path.is_dir()} - {
            other,
            tmp_path / f"{FOLDER_PREFIX}link",
        }
        with Server("sandbox") as server:
            server.kill()
        assert len(list(tmp_path.glob(f"{FOLDER_PREFIX}*"))) == 4
        with Server("sandbox"):
            pass
        assert set(tmp_path.glob(f"{FOLDER_PREFIX}*")) == {
            kept,
            other,
            tmp_path / f"{FOLDER_PREFIX}link",
        }
        assert (tmp_path / "notes").is_dir()
        assert running.is_running
    assert not kept.exists()


def test_a_folder_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock works within the same process too, and ends with it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_data_folder() as folder:
        remove_abandoned_folders(tmp_path)
        assert folder.is_dir()
    left = tmp_path / f"{FOLDER_PREFIX}left"
    left.mkdir()
    (left / "hupan.db.lock").touch()
    remove_abandoned_folders(tmp_path)
    assert list(tmp_path.iterdir()) == []


TERMINAL_COLUMNS: Final = 80


def test_it_says_three_things_to_act_on() -> None:
    """It prints the pages, the base URL, how to sign in, and opens no browser (K-1)."""
    for lang, words in (("en", ("pages", "base URL", "sign in")), ("zh", ("页面", "接口", "登录"))):
        with running_hupan("sandbox", "--port", "0", environment={"HUPAN_LANG": lang}) as (_, out):
            lines = [out.line() for _ in range(5)]
        for line, word in zip(lines[1:4], words, strict=True):
            assert word in line
        assert all("http://127.0.0.1:" in line for line in lines[1:3])
        assert all(len(line) <= TERMINAL_COLUMNS for line in lines[:4])


def test_programs_read_where_it_runs(tmp_path: Path) -> None:
    """A line of JSON is printed when it is ready, and a file has the same until it stops (K-1)."""
    ready = tmp_path / "ready.json"
    ready.write_text("of an earlier one")
    command = ("sandbox", "--port", "0", "--json", "--ready-file", str(ready), "--seed", "lake")
    with running_hupan(*command) as (process, out):
        facts = json.loads(out.line())
        assert httpx.get(facts["url"] + "/readyz").status_code == 200
        assert facts["pages"] == facts["url"] + "/"
        assert facts["outbox"] == facts["url"] + "/sandbox/outbox"
        assert (facts["pid"], facts["seed"]) == (process.pid, "lake")
        assert facts["url"].endswith(f":{facts['port']}")
        deadline = time.monotonic() + WAIT_SECONDS
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert json.loads(ready.read_text()) == facts
        process.send_signal(signal.SIGTERM)
        assert out.rest() == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["not JSON", "[]", '{"pid": 1}'])
def test_what_another_wrote_to_a_ready_file_stays(tmp_path: Path, content: str) -> None:
    """A stopping sandbox removes only its own file, and does not fail (K-1)."""
    path = tmp_path / "ready.json"
    with ready_file(path):
        path.write_text(content)
    assert path.read_text() == content


def test_a_ready_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The refusal comes before anything starts, and leaves the folder unchanged (K-1)."""
    for path in (tmp_path, tmp_path / "nowhere" / "ready.json"):
        result = CliRunner().invoke(app, ["sandbox", "--ready-file", str(path)])
        assert result.exit_code == 2
        assert "--ready-file" in result.stderr
    assert tmp_path.is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens")
def test_a_port_in_use_names_its_process() -> None:
    """It names the process, and that --port 0 chooses another one (K-1)."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for lang, words in (
            ("en", ("by process", "chooses")),
            ("zh", ("占用者为进程", "自动选择")),
        ):
            done = run_hupan("sandbox", "--port", str(port), environment={"HUPAN_LANG": lang})
            said = done.stderr
            assert done.returncode == 1
            assert f" {os.getpid()} " in said.replace("（", " ")
            assert all(word in said for word in (*words, "--port 0", str(port)))
            assert said.count("\n") == 1


def test_packs_are_named_in_the_help() -> None:
    """The help lists all packs (K-1)."""
    said = CliRunner().invoke(app, ["sandbox", "--help"]).stdout
    assert all(pack in said for pack in PACK_NAMES)


def test_a_browser_is_opened_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a browser reports that instead of failing (K-1)."""
    opened: queue.Queue[str] = queue.Queue()

    def note(url: str) -> bool:
        opened.put(url)
        return True

    monkeypatch.setattr("webbrowser.open", note)
    open_browser("http://127.0.0.1:1/")
    assert opened.get(timeout=WAIT_SECONDS) == "http://127.0.0.1:1/"
