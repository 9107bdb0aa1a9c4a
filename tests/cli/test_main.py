import platform
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hupan import __version__
from hupan.cli.main import COMMANDS, app

pytestmark = pytest.mark.one_engine

runner = CliRunner()


def test_version() -> None:
    """The versions of the program and of Python stand on one line."""
    result = runner.invoke(app, ["version"])
    assert result.exit_code == 0
    assert result.stdout == f"hupan {__version__} (Python {platform.python_version()})\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_in_both_languages(name: str) -> None:
    """Chinese stands before English, in the list of commands and in each command's own help."""
    listed = runner.invoke(app, ["--help"]).stdout
    row = next(line for line in listed.splitlines() if line.startswith(f"  {name} "))
    own = runner.invoke(app, [name, "--help"])
    assert own.exit_code == 0
    paragraphs = own.stdout.split("\n\n")
    assert not row.isascii()
    assert not paragraphs[1].isascii()
    assert paragraphs[2].isascii()


@pytest.mark.parametrize("arguments", [["nonsense"], ["config", "nonsense"], ["version", "--x"]])
def test_what_is_not_a_command_is_refused(arguments: list[str]) -> None:
    """A wrong command line ends with status 2 and a word about it."""
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert "No such" in result.stderr


def test_version_loads_nothing_heavy() -> None:
    """A short command does not wait for the libraries of a long one."""
    script = (
        "import sys; from hupan.cli.main import main; sys.argv = ['hupan', 'version']\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 # our own program, our own arguments
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "typer" in loaded
    assert loaded.isdisjoint({"rich", "msgspec", "starlette", "uvicorn", "apsw", "asyncio", "PIL"})
    assert "hupan.config" not in done.stdout.split()
