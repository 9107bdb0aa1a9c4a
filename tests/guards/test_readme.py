"""Both READMEs say the same, and name what is there.

The story: a door of the sandbox got a field, the English page told of it, the Chinese one did not,
and most of the people it was made for read the Chinese one.
"""

import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import fields

from hupan.cli.main import COMMANDS
from hupan.sandbox.routes import AccountBody
from hupan.sandbox.seeding import PackName

NAMES = ("README.md", "README.zh-CN.md")
BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"\s+#.*$", re.MULTILINE)
DOOR = re.compile(r"Route\(\"(/sandbox/[a-z/]+)\"")
DOOR_IN_TABLE = re.compile(r"^\| (?:GET|POST) `(/sandbox/[a-z/]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def pages(root: Path) -> dict[str, str]:
    """Both pages by their names."""
    return {name: (root / name).read_text("utf-8") for name in NAMES}


def blocks(page: str) -> list[str]:
    """What is to be typed or written down, without the comments."""
    return [COMMENT.sub("", block) for block in BLOCK.findall(page)]


def test_the_pages_are_twins(pages: dict[str, str]) -> None:
    """The same commands in the same order, and as many headings and rows of tables."""
    english, chinese = pages.values()
    assert blocks(english) == blocks(chinese)
    for start in ("## ", "| "):
        counts = [
            sum(line.startswith(start) for line in page.splitlines()) for page in pages.values()
        ]
        assert counts[0] == counts[1]


@pytest.mark.parametrize("name", NAMES)
def test_every_door_is_told(pages: dict[str, str], modules: dict[str, str], name: str) -> None:
    """The table has each door of the sandbox and no other, each field of an account, each pack."""
    doors = set(DOOR.findall(modules["sandbox/routes.py"]))
    assert doors
    assert set(DOOR_IN_TABLE.findall(pages[name])) == doors
    for field in fields(AccountBody):
        assert f"{field.encode_name}?" in pages[name]
    for pack in get_args(PackName):
        assert f"`{pack}`" in pages[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_told(pages: dict[str, str], name: str) -> None:
    """Each command of `hupan` stands on the page, but the one that tells the version."""
    missing = [command for command in COMMANDS if f"hupan {command}" not in pages[name]]
    assert missing == ["version"]
