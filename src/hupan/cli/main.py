"""The entry point `hupan`.

A command is one line in `COMMANDS` and one file with a function `register(app)`. The file is
imported when its command is asked for, so that `hupan version` does not wait for the server's
libraries; `hupan --help` imports them all.
"""

import contextlib
import io
import os
import sys
from importlib import import_module
from typing import Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

COMMANDS: Final = {
    "serve": "hupan.cli.serve",
    "sandbox": "hupan.cli.sandbox",
    "config": "hupan.cli.config_commands",
    "account": "hupan.cli.account_commands",
    "coins": "hupan.cli.coin_commands",
    "medal": "hupan.cli.medal_commands",
    "group": "hupan.cli.group_commands",
    "bot": "hupan.cli.bot_commands",
    "category": "hupan.cli.category_commands",
    "limits": "hupan.cli.limit_commands",
    "database": "hupan.cli.database_commands",
    "bench": "hupan.cli.bench",
    "version": "hupan.cli.version",
}
"""The file of each command, in the order of the help."""

_HELP = """湖畔：自己运行的聊天账号服务器。

Hupan: the account server for Yunhu-compatible chat that you run yourself.
"""


class _Commands(TyperGroup):
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
        part = typer.Typer(rich_markup_mode=None)
        import_module(COMMANDS[cmd_name]).register(part)
        command = get_group(part).commands[cmd_name]
        return command if isinstance(command, TyperCommand | TyperGroup) else None


# No rich: it costs more than all the rest of a short command. Its tracebacks might show secrets.
app = typer.Typer(
    name="hupan",
    cls=_Commands,
    help=_HELP,
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
        _give_up(error)
    except UnicodeEncodeError as error:
        if all(map(_is_text, sys.argv)):
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


def _give_up(error: OSError) -> NoReturn:
    """Says why, unless it is that nobody reads any more."""
    if not isinstance(error, BrokenPipeError):
        with contextlib.suppress(OSError):
            typer.echo(f"系统报错 / the system says: {error}", err=True)
    # What is still to be written would fail again at the end, with a word from Python.
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(1) from error


def _is_text(argument: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in argument)
