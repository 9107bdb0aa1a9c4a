"""Refusals of commands are only in the language of the terminal (names.md rule 9)."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.languages import CHINESE, english_in_chinese

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

COMMANDS = re.compile(r"hupan(?: [a-z-]+)+")
RUN_ALL = """
import json, os, sys
cases = json.load(sys.stdin)
sys.argv = ["hupan"]
from hupan.cli.main import app
from typer.testing import CliRunner
told = []
for words, variables in cases:
    done = CliRunner().invoke(app, words, env=variables)
    told.append([done.exit_code, done.stderr or repr(done.exception)])
print(json.dumps(told))
"""


def cases(folder: Path) -> list[tuple[list[str], dict[str, str]]]:
    """Return commands with their variables; each meets an error of the system or a library."""
    files: dict[str, str | bytes] = {
        "broken.toml": "port = ?\n",
        "twice.toml": "port = 1\nport = 2\n",
        "no-text.toml": b"\xff",
        "vip.json": '{"products": [{"id": "x"}], "benefits": 1}',
        "vip-key.json": '{"goods": []}',
        "no.mmdb": "x" * 100,
        "no.pem": "x",
        "text": "x" * 100,
    }
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    check = ["config", "check"]
    lists = ["account", "list"]
    return [
        (["config", "check", "--config", str(folder / "broken.toml")], {}),
        (["config", "check", "--config", str(folder / "twice.toml")], {}),
        (["config", "check", "--config", str(folder / "no-text.toml")], {}),
        (["config", "check", "--config", str(folder)], {}),
        (["config", "check", "--config", str(folder / "none.toml")], {}),
        (check, {"HUPAN_VIP_PAGE_FILE": str(folder / "vip.json")}),
        (check, {"HUPAN_VIP_PAGE_FILE": str(folder / "vip-key.json")}),
        (check, {"HUPAN_VIP_PAGE_FILE": str(folder / "none.json")}),
        (check, {"HUPAN_COUNTRY_DATABASE": str(folder / "no.mmdb")}),
        (check, {"HUPAN_COUNTRY_DATABASE": str(folder / "none.mmdb")}),
        (check, {"HUPAN_DATABASE": "postgresql://127.0.0.1:1/x?sslmode=nope"}),
        (check, {"HUPAN_DATA_DIR": str(folder / "text" / "data")}),
        (check, {"HUPAN_DATABASE": str(folder)}),
        (lists, {"HUPAN_DATABASE": "postgresql://u@127.0.0.1:1/x?sslmode=disable"}),
        (lists, {"HUPAN_DATABASE": str(folder / "text")}),
        (lists, {"HUPAN_DATA_DIR": "/proc/none"}),
        (["group", "import", str(folder / "none.csv"), "--format", "csv"], {}),
        (["group", "import", str(folder), "--format", "csv"], {}),
        (["backup", "verify", str(folder / "text")], {}),
        (["database", "check"], {"HUPAN_DATABASE": str(folder / "text")}),
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_refusal_is_in_one_language(tmp_path: Path, language: str) -> None:
    """This covers files, folders, settings and databases that cannot be used (rule 9)."""
    asked = cases(tmp_path)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("HUPAN_")
    }
    done = subprocess.run(  # noqa: S603 # our own program, our own arguments
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps(asked),
        env={**environment, "HUPAN_LANG": language, "HUPAN_DATA_DIR": str(tmp_path / "data")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    for (words, variables), (status, told) in zip(asked, json.loads(done.stdout), strict=True):
        assert status in {1, 2}, (words, variables, told)
        shown = COMMANDS.sub("", told.replace(str(tmp_path), ""))
        if language == "zh":
            assert CHINESE.search(shown), (words, variables, told)
            assert english_in_chinese(shown) == [], (words, variables, told)
        else:
            assert not CHINESE.search(shown), (words, variables, told)
