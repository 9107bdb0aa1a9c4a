"""Runs many commands in one process: `python many_commands.py`, with the cases on its input."""

import json
import sys


def main() -> int:
    """Print a list of exit status, standard output, and standard error or the exception."""
    cases = json.load(sys.stdin)
    sys.argv = ["hupan"]
    from typer.testing import CliRunner  # noqa: PLC0415 - it is not part of the program

    from hupan.cli.main import app  # noqa: PLC0415 - after the language is known

    done = [CliRunner().invoke(app, words, env=variables) for words, variables in cases]
    told = [(one.exit_code, one.stdout, one.stderr or repr(one.exception)) for one in done]
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
