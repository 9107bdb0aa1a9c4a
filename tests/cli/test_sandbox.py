"""`hupan sandbox` as it is started: its address, its folder, what it prints."""

import io
import tempfile
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.cli.sandbox import FOLDER_PREFIX, remove_abandoned_folders, temporary_data_folder
from hupan.sandbox.outbox import MAX_QUEUED_LINES, CapturedMessage, CodePrinter
from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

WAIT_SECONDS = 60.0
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is warned of


def says(server: Server, text: str) -> bool:
    """Whether a server writes a text; it does so beside its answers."""
    deadline = time.monotonic() + WAIT_SECONDS
    while text not in server.output() and time.monotonic() < deadline:
        time.sleep(0.05)
    return text in server.output()


def test_an_open_address_is_warned_of() -> None:
    """Whoever can reach it reads the codes, which the start says aloud (design 8)."""
    with Server("sandbox", "--host", EVERYWHERE) as server:
        assert says(server, "任何人都可读取全部验证码")
    with Server("sandbox", "--host", EVERYWHERE, environment={"HUPAN_LANG": "en"}) as server:
        assert says(server, "everyone who can reach it can read all codes")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_loopback_address_is_not(host: str) -> None:
    """By default, too, nobody else reaches it."""
    with Server("sandbox", "--host", host) as server:
        assert "⚠" not in server.output()


@pytest.mark.parametrize("name", ["box:8480", "*", "http://box", "湖.example", ""])
def test_an_allowed_host_is_a_name(name: str) -> None:
    """What no `Host` will ever say is not taken in silence."""
    result = CliRunner().invoke(app, ["sandbox", "--allow-host", name])
    assert result.exit_code == 2
    assert "须为不带端口的主机名" in result.stderr


def test_codes_are_printed_once() -> None:
    """On the terminal, each code in one line of one language; not with --quiet."""
    with Server("sandbox") as server, WireClient(server) as wire:
        phone, email = wire.fresh_phone(), wire.fresh_email()
        code = wire.sms_code(phone)
        wire.ask_email(email)
        mailed = wire.next_letter("email", email, set()).code
        assert says(server, mailed)
        lines = server.output().splitlines()
        assert lines.count(f"短信  {phone}  验证码 {code}") == 1
        assert lines.count(f"邮件  {email}  验证码 {mailed}") == 1
    with Server("sandbox", "--quiet") as server, WireClient(server) as wire:
        code = wire.sms_code(wire.fresh_phone())
        assert code not in server.output()


class Stuck(io.StringIO):
    """A terminal that takes nothing."""

    def write(self, _text: str) -> int:
        """Wait for good."""
        while True:
            time.sleep(60)


def test_printing_never_waits() -> None:
    """A stopped terminal stops no sandbox, and fills no memory (security X6)."""
    printer = CodePrinter(Stuck(), english=True)
    entry = CapturedMessage(1, "sms", "13900000001", "code", "123456", "", 0)
    for _ in range(3 * MAX_QUEUED_LINES):
        printer.print_code(entry)
    assert printer.queued == MAX_QUEUED_LINES


def test_a_killed_sandbox_leaves_nothing_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start removes its folder, and touches no other."""
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
    """Also where the same process looks; its lock goes with it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_data_folder() as folder:
        remove_abandoned_folders(tmp_path)
        assert folder.is_dir()
    left = tmp_path / f"{FOLDER_PREFIX}left"
    left.mkdir()
    (left / "hupan.db.lock").touch()
    remove_abandoned_folders(tmp_path)
    assert list(tmp_path.iterdir()) == []
