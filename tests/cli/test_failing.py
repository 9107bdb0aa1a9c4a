"""A system error ends a command with one plain line, never with a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hupan.store.migrate import migrate_file

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

HUPAN = Path(sys.executable).with_name("hupan")
FULL = Path("/dev/full")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a store at the default location."""
    (tmp_path / "data").mkdir()
    migrate_file(tmp_path / "data" / "hupan.db")
    return tmp_path


def shell(folder: Path, script: str) -> tuple[int, bytes, str]:
    """Return status, standard output and standard error of a shell command."""
    done = subprocess.run(  # noqa: S603 - our own program, our own arguments
        ["/bin/sh", "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HUPAN": str(HUPAN), "PYTHONUTF8": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "command", ["version", "account list", "account list --json", "group list --json", "--help"]
)
def test_a_full_disk(folder: Path, command: str) -> None:
    """A failed write is reported in one line, with status 1."""
    status, _, told = shell(folder, f'"$HUPAN" {command} > /dev/full')
    assert status == 1
    assert len(told.splitlines()) == 1
    assert told.startswith("系统错误：")
    assert "磁盘空间不足" in told
    assert shell(folder, f'"$HUPAN" {command} > /dev/full 2> /dev/full')[0] == 1


@pytest.mark.parametrize(
    "command", ["config show", "config show --json", "account list", "version"]
)
def test_a_reader_that_went_away(folder: Path, command: str) -> None:
    """A closed pipe ends a command quietly."""
    script = f'("$HUPAN" {command}; echo "status $?" >&2) | true'
    status, _, told = shell(folder, script)
    assert status == 0
    assert told in ("status 0\n", "status 1\n")


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- <&- 2>&-"])
@pytest.mark.parametrize(
    "command", ["account list", "account list --json", "group import - --format csv"]
)
def test_streams_that_are_closed(folder: Path, command: str, closed: str) -> None:
    """A command works without standard streams."""
    status, _, told = shell(folder, f'"$HUPAN" {command} {closed} </dev/null')
    assert status == int("import" in command)
    assert "Traceback" not in told


def test_bytes_that_are_no_text(folder: Path) -> None:
    """An argument that is not UTF-8 is refused, except as a file name."""
    script = 'f="$(printf "\\377.csv")"; printf "chatId,nickname\\n100000001,a\\n" > "$f"; '
    assert shell(folder, script + '"$HUPAN" group import "$f"')[0] == 0
    for command in (
        "account show",
        "group list --keyword",
        "group list --category",
        "medal define",
    ):
        status, out, told = shell(folder, f'"$HUPAN" {command} "$(printf "\\377")"')
        assert (status, out) == (1, b"")
        assert len(told.splitlines()) == 1


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
        status, _, told = shell(folder, f'"{sys.executable}" play.py')
        assert status == 1
        assert told.splitlines()[-1].startswith(last)
        assert ("Traceback" in told) == ("ZeroDivision" in error)
