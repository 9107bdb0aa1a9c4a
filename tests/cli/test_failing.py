"""A system error ends a command with one plain line, never with a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hupan.store.migrate import migrate_file
from tests.support.commands import exit_status, run_hupan

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

FULL = Path("/dev/full")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current directory, with a store at the default location."""
    for variable in os.environ:
        if variable.startswith("HUPAN_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("HUPAN_LANG", "zh")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    migrate_file(tmp_path / "data" / "hupan.db")
    return tmp_path


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "command", ["version", "account list", "account list --json", "group list --json", "--help"]
)
def test_a_full_disk(folder: Path, command: str) -> None:
    """A failed write is reported in one line, with status 1."""
    with FULL.open("wb") as full, (folder / "told").open("wb") as told:
        assert exit_status(*command.split(), streams=(None, full, told)) == 1
        assert exit_status(*command.split(), streams=(None, full, full)) == 1
    (line,) = (folder / "told").read_text("utf-8").splitlines()
    assert line.startswith("系统错误：")
    assert "磁盘空间不足" in line


@pytest.mark.parametrize(
    "command", ["config show", "config show --json", "account list", "version"]
)
def test_a_reader_that_went_away(folder: Path, command: str) -> None:
    """A closed pipe ends a command quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe, (folder / "told").open("wb") as told:
        assert exit_status(*command.split(), streams=(None, pipe, told)) == 1
    assert (folder / "told").read_bytes() == b""


@pytest.mark.parametrize("closed", [{1}, {0}, {2}, {0, 1, 2}])
@pytest.mark.parametrize(
    "command", ["account list", "account list --json", "group import - --format csv"]
)
def test_streams_that_are_closed(folder: Path, command: str, closed: set[int]) -> None:
    """A command works without standard streams."""
    with (
        Path(os.devnull).open("rb") as given,
        (folder / "out").open("wb") as out,
        (folder / "told").open("wb") as told,
    ):
        streams = [
            None if number in closed else file for number, file in enumerate((given, out, told))
        ]
        assert exit_status(*command.split(), streams=streams) == int("import" in command)
    assert b"Traceback" not in (folder / "told").read_bytes()


def test_bytes_that_are_no_text(folder: Path) -> None:
    """An argument that is not UTF-8 is refused, except as a file name."""
    name = os.fsdecode(b"\xff.csv")
    (folder / name).write_text("chatId,nickname\n100000001,a\n", "utf-8")
    assert run_hupan("group", "import", name).returncode == 0
    for command in (
        "account show",
        "group list --keyword",
        "group list --category",
        "medal define",
    ):
        done = run_hupan(*command.split(), os.fsdecode(b"\xff"))
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1


def test_what_no_command_expected(folder: Path) -> None:
    """Any system error is one line; an internal error still shows its traceback."""
    for error, last in (
        ("OSError(5, 'Input/output error')", "系统错误：读写错误"),
        ("ZeroDivisionError('ours')", "ZeroDivisionError: ours"),
    ):
        script = (
            "import sys; from unittest.mock import patch; from hupan.cli import main; "
            f"patch('platform.python_version', side_effect={error}).start(); "
            "sys.argv = ['hupan', 'version']; main.main()"
        )
        (folder / "play.py").write_text(script, encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, folder / "play.py"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(last)
        assert ("Traceback" in done.stderr) == ("ZeroDivision" in error)
