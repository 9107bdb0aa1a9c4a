"""Entry point of `python -m bench.load URL`."""

import typer

from bench.load.command import HELP, bench

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command(help=HELP)(bench)

if __name__ == "__main__":
    app(prog_name="python -m bench.load")
