"""Run operator commands on a store, and read their output."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner, Result

from hupan.cli.main import app
from tests.support.audit_events import events

runner = CliRunner()
PASSWORD = "herons stand in the reeds"
JsonObject = dict[str, object]


def run(data: Path, *arguments: str, stdin: str = "") -> Result:
    """Run one command."""
    return runner.invoke(app, [*arguments, "--data-dir", str(data)], input=stdin)


def call(data: Path, *arguments: str, stdin: str = "") -> JsonObject:
    """Return the JSON output of a successful command."""
    result = run(data, *arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    output: JsonObject = json.loads(result.stdout)
    return output


def refused(data: Path, *arguments: str, stdin: str = "") -> str:
    """Return the message of a refused command."""
    result = run(data, *arguments, stdin=stdin)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert not result.stderr.isascii()
    return result.stderr


def all_lines(data: Path) -> list[dict[str, str]]:
    """Return all operator log lines so far, including the first lines of actions."""
    return events((data / "operators.log").read_text("utf-8"))


def written(data: Path) -> list[dict[str, str]]:
    """Return the last lines of actions so far, without their times."""
    lines = [line for line in all_lines(data) if line["result"] != "begun"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.pop("time")) for line in lines)
    return lines
