"""Entry point `hupan`: finds the command, imports its module and runs it.

A command is one line in `COMMANDS`. Its module is imported when the command is run, so that
`hupan version` does not wait for the server's libraries; `hupan --help` imports them all.
"""

import contextlib
import io
import os
import platform
import sys
from importlib import import_module
from typing import Annotated, Final, Literal, NoReturn

import typer
from typer._click.core import Context
from typer._click.shell_completion import CompletionItem
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from hupan import __version__
from hupan.cli.help import RootGroup
from hupan.cli.language import LANGUAGE_OPTION, LANGUAGE_VARIABLE, say

COMMANDS: Final = {
    "serve": "hupan.cli.serve:app",
    "sandbox": "hupan.cli.sandbox:app",
    "connect": "hupan.cli.connect:app",
    "setup": "hupan.cli.setup:app",
    "conformance": "hupan.cli.conformance:app",
    "doctor": "hupan.cli.doctor:app",
    "config": "hupan.cli.config:app",
    "account": "hupan.cli.accounts:app",
    "coins": "hupan.cli.coins:app",
    "product": "hupan.cli.shop:app",
    "medal": "hupan.cli.medals:app",
    "group": "hupan.cli.discovery:groups_app",
    "bot": "hupan.cli.discovery:bots_app",
    "category": "hupan.cli.discovery:categories_app",
    "client": "hupan.cli.clients:app",
    "limits": "hupan.cli.limits:app",
    "database": "hupan.cli.database:app",
    "upgrade": "hupan.cli.upgrades:app",
    "backup": "hupan.cli.backups:app",
    "restore": "hupan.cli.backups:restore_app",
    "version": "hupan.cli.main:version_app",
}
"""The typer app of each command, as `module:name`, in the order of the help."""


class _LazyCommands(RootGroup):
    """The commands of the table."""

    # The widest type will do, as the context is not looked at.
    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 # the framework passes it
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: object,  # noqa: ARG002 # the framework passes it
        cmd_name: str,
    ) -> TyperCommand | TyperGroup | None:
        """Import the command and return it; None for a name that is not in the table."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = get_command(getattr(import_module(module), name))
        command.name = cmd_name
        return command if isinstance(command, TyperCommand | TyperGroup) else None

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """Complete options and names of commands, without importing the commands."""
        names = [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)]
        return [*names, *super(TyperGroup, self).shell_complete(ctx, incomplete)]


# No rich: it costs more than all the rest of a short command. Its tracebacks might show secrets.
app = typer.Typer(
    name="hupan",
    cls=_LazyCommands,
    help=say("湖畔：可自行部署的聊天账号服务器。", "Hupan: a self-hosted chat account server."),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version_and_exit(*, wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def _hupan(
    *,
    lang: Annotated[  # read before the help is made; declared to be shown and checked
        Literal["zh", "en"] | None,
        typer.Option(
            LANGUAGE_OPTION,
            help=say(
                f"终端的语言；默认由 {LANGUAGE_VARIABLE}、LC_ALL、LC_MESSAGES、LANG 决定。",
                f"Language of the terminal. Default: from {LANGUAGE_VARIABLE}, LC_ALL, LC_MESSAGES "
                "or LANG.",
            ),
            show_default=False,
        ),
    ] = None,
    show_version: Annotated[  # its callback acts
        bool,
        typer.Option(
            "--version",
            help=say("显示版本号。", "Show the version."),
            callback=lambda value: _print_version_and_exit(wanted=value),
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Make the app a group; the commands do the work."""


version_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@version_app.command(
    help=say(
        "显示本程序与 Python 的版本号；反馈问题时请附上。",
        "Show the versions of Hupan and Python; include them in bug reports.",
    ),
    short_help=say("显示版本号", "Show the version"),
)
def version() -> None:
    """Print one line for the top of a bug report."""
    typer.echo(f"hupan {__version__} (Python {platform.python_version()})")


def main() -> None:
    """Run the command line; an error of the system is one line and exit status 1."""
    _prepare_streams()
    try:
        try:
            app()
        except SystemExit:
            sys.stdout.flush()  # now, while a failure can still be reported
            raise
    except OSError as error:
        _exit_with_error(error)
    except UnicodeEncodeError as error:
        if all(map(_is_encodable, sys.argv)):
            raise
        typer.echo(say("参数不是 UTF-8 文本", "An argument is not UTF-8 text"), err=True)
        raise SystemExit(1) from error


def _prepare_streams() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the parent process
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack Chinese; never fail for it
            stream.reconfigure(errors="replace")


def _exit_with_error(error: OSError) -> NoReturn:
    """Print the error, unless the reader of the output is gone."""
    if not isinstance(error, BrokenPipeError):
        with contextlib.suppress(OSError):
            from hupan.library_errors import localize_error  # noqa: PLC0415 - loads decoders

            reason = localize_error(error)
            typer.echo(say(f"系统错误：{reason.zh}", f"System error: {reason.en}"), err=True)
    # Python would fail again, with a traceback, when it flushes what is still buffered.
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(1) from error


def _is_encodable(argument: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in argument)
