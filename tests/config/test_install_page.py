"""docs/install.md: the commands that need no root work in the order of the page."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hupan import __version__
from hupan.cli.main import app
from hupan.store.migrate import migrate_file

pytestmark = pytest.mark.one_engine

PAGES = Path(__file__).parents[2] / "docs"
PAGE = (PAGES / "install.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_both_languages_have_the_same_commands() -> None:
    """R20: the commands name the packages of this version, too."""
    chinese = PAGES / "install.zh-CN.md"
    blocks = re.compile(r"^```(?:sh|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
    assert blocks.findall(chinese.read_text("utf-8")) == blocks.findall(PAGE)
    named = set(re.findall(r"\bhupan[_:-](\d+\.\d+\.\d+)", PAGE))
    assert named == {__version__}


def test_the_commands_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R20: the commands work as written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)
    lines = [line for block in BLOCKS for line in block.splitlines()]
    assert {line.split()[0] for line in lines} == {"hupan"}
    for line in lines:
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, f"{line}\n{done.output}"
        if line.startswith("hupan config check"):  # the page starts the server here
            migrate_file(tmp_path / "data/hupan.db")
