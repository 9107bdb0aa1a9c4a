import platform
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hupan import __version__
from hupan.cli.main import COMMANDS, app

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

runner = CliRunner()
# The libraries first: they take most of the time, and import nothing of ours.
IMPORT_EACH_ALONE = """
import os, sys
from importlib import import_module

for library in ("typer", "rich.table", "msgspec", "apsw", "asyncpg", "httptools", "uvloop", "nacl"):
    import_module(library)
for module in sys.argv[1:]:
    pid = os.fork()
    if pid == 0:
        import_module(module)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        sys.exit(f"{module} cannot be imported first")
"""


def test_version() -> None:
    """One line has the versions of the program and of Python."""
    result = runner.invoke(app, ["version"])
    assert result.exit_code == 0
    assert result.stdout == f"hupan {__version__} (Python {platform.python_version()})\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["config", "nonsense"], ["version", "--x"]])
def test_what_is_not_a_command_is_refused(arguments: list[str]) -> None:
    """A usage error ends with status 2 and a message."""
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert "错误：没有" in result.stderr
    assert "No such" not in result.stderr


def test_version_is_an_option_too() -> None:
    """`--version` works as in most programs."""
    assert runner.invoke(app, ["--version"]).stdout == runner.invoke(app, ["version"]).stdout


def test_version_loads_nothing_heavy() -> None:
    """A short command does not import the libraries of a long one."""
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


def test_each_command_may_be_imported_first() -> None:
    """The module of a command imports what it needs; forks of the tests have all of them."""
    modules = sorted({place.split(":")[0] for place in COMMANDS.values()})
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", IMPORT_EACH_ALONE, *modules],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
