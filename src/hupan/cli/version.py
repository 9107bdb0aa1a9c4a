"""`hupan version`."""

import platform

import typer

from hupan import __version__

_HELP = """显示本程序与 Python 的版本号；反馈问题时请附上。

Show the versions of this program and of Python; put them into a report of a fault.
"""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("version", help=_HELP, short_help="显示版本号 Show the version")(version)


def version() -> None:
    """Writes one line: what a report of a fault should begin with."""
    typer.echo(f"hupan {__version__} (Python {platform.python_version()})")
