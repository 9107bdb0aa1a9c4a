"""Entry point `hupan`: finds the command, imports its module and runs it.

A command is one line in `COMMANDS` and a function that adds it. Its file is imported when the
command is run, so that `hupan version` does not wait for the server's libraries; `hupan --help`
imports them all.
"""

import contextlib
import io
import os
import platform
import sys
from importlib import import_module
from typing import Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from hupan import __version__

_VERSION_HELP = """显示本程序与 Python 的版本号；反馈问题时请附上。

Show the versions of this program and of Python; put them into a report of a fault.
"""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("version", help=_VERSION_HELP, short_help="显示版本号 Show the version")(version)


def version() -> None:
    """Writes one line: what a report of a fault should begin with."""
    typer.echo(f"hupan {__version__} (Python {platform.python_version()})")


COMMANDS: Final = {
    "serve": "hupan.cli.serve:register",
    "sandbox": "hupan.cli.sandbox:register",
    "config": "hupan.cli.config:register",
    "account": "hupan.cli.accounts:register",
    "coins": "hupan.cli.coins:register",
    "medal": "hupan.cli.medals:register",
    "group": "hupan.cli.discovery:register_group_commands",
    "bot": "hupan.cli.discovery:register_bot_commands",
    "category": "hupan.cli.discovery:register_category_commands",
    "limits": "hupan.cli.limits:register",
    "database": "hupan.cli.database:register",
    "version": "hupan.cli.main:register",
}
"""The function that adds each command, as `module:function`, in the order of the help."""

_PROGRAM_HELP = """湖畔：自己运行的聊天账号服务器。

Hupan: the account server for Yunhu-compatible chat that you run yourself.
"""


class _LazyCommands(TyperGroup):
    """The commands of the table."""

    # The widest type will do, as the context is not looked at.
    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 # the framework passes it
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: object,  # noqa: ARG002 # the framework passes it
        cmd_name: str,
    ) -> TyperCommand | TyperGroup | None:
        """The command, imported now; None for a name that is not in the table."""
        if cmd_name not in COMMANDS:
            return None
        app_of_command = typer.Typer(rich_markup_mode=None)
        module, function = COMMANDS[cmd_name].split(":")
        getattr(import_module(module), function)(app_of_command)
        command = get_group(app_of_command).commands[cmd_name]
        return command if isinstance(command, TyperCommand | TyperGroup) else None


# No rich: it costs more than all the rest of a short command. Its tracebacks might show secrets.
app = typer.Typer(
    name="hupan",
    cls=_LazyCommands,
    help=_PROGRAM_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _hupan() -> None:
    """Makes the app a group; the commands do the work."""


def main() -> None:
    """Runs the command line; what the system refuses is told in a line, with status 1."""
    _prepare_streams()
    try:
        try:
            app()
        except SystemExit:
            sys.stdout.flush()  # now, while it can still be told that it fails
            raise
    except OSError as error:
        _exit_with_error(error)
    except UnicodeEncodeError as error:
        if all(map(_is_encodable, sys.argv)):
            raise
        typer.echo("参数不是 UTF-8 文本 / an argument is no text in UTF-8", err=True)
        raise SystemExit(1) from error


def _prepare_streams() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack Chinese; never fail for it
            stream.reconfigure(errors="replace")


def _exit_with_error(error: OSError) -> NoReturn:
    """Says why, unless it is that nobody reads any more."""
    if not isinstance(error, BrokenPipeError):
        with contextlib.suppress(OSError):
            typer.echo(f"系统报错 / the system says: {error}", err=True)
    # What is still to be written would fail again at the end, with a word from Python.
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(1) from error


def _is_encodable(argument: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in argument)
