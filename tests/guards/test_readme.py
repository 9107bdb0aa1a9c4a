"""The READMEs, the pages of commands and the indexes are complete.

The story: an endpoint of the sandbox got a field, the English page mentioned it, the Chinese one
did not, and most of the people it was made for read the Chinese one.
"""

import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import fields
from typer import Context
from typer.core import TyperGroup
from typer.main import get_group

from hupan import __version__
from hupan.cli.main import COMMANDS, app
from hupan.sandbox.routes import AccountBody
from hupan.sandbox.seeding import PackName

NAMES = ("README.md", "README.zh-CN.md")
COMMAND_PAGES = ("docs/commands.md", "docs/commands.zh-CN.md")
INDEXES = ("docs/README.md", "docs/README.zh-CN.md")
ROUTE = re.compile(r"Route\(\s*\"(/sandbox/[a-z/]+)\"")
LISTED_ROUTE = re.compile(
    r"^\| (?:(?:GET|POST|PUT|DELETE)(?:, )?)+ `(/sandbox/[a-z/]+)", re.MULTILINE
)


@pytest.fixture(scope="module")
def pages(root: Path) -> dict[str, str]:
    """Return all pages by name."""
    names = (*NAMES, *COMMAND_PAGES, *INDEXES)
    return {name: (root / name).read_text("utf-8") for name in names}


@pytest.mark.parametrize("name", NAMES)
def test_every_endpoint_of_the_sandbox_is_listed(
    pages: dict[str, str], modules: dict[str, str], name: str
) -> None:
    """The table has exactly the endpoints, each field of an account, each pack."""
    sandbox = [text for path, text in modules.items() if path.startswith("sandbox")]
    routes = {route for text in sandbox for route in ROUTE.findall(text)}
    assert routes
    assert set(LISTED_ROUTE.findall(pages[name])) == routes, "change the table of the README"
    for field in fields(AccountBody):
        assert f"{field.encode_name}?" in pages[name]
    for pack in get_args(PackName):
        assert f"`{pack}`" in pages[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_group_of_commands_is_listed(pages: dict[str, str], name: str) -> None:
    """The page has each group of commands of `hupan`."""
    missing = {command for command in COMMANDS if f"hupan {command}" not in pages[name]}
    assert missing <= {"bench", "version"}, "give the command a row in both READMEs"


@pytest.mark.parametrize("name", COMMAND_PAGES)
def test_every_command_is_listed(pages: dict[str, str], name: str) -> None:
    """The page has exactly the existing commands."""
    group = get_group(app)
    context = Context(group)
    commands = set[str]()
    for first in COMMANDS:
        command = group.get_command(context, first)
        names = sorted(command.commands) if isinstance(command, TyperGroup) else []
        commands |= {f"{first} {second}" for second in names} or {first}
        if isinstance(command, TyperGroup) and command.invoke_without_command:
            commands.add(first)  # `hupan sandbox` also runs without a subcommand
    listed = set(re.findall(r"^hupan ([a-z]+(?: [a-z-]+)?)(?=\s|$)", pages[name], re.MULTILINE))
    found = {line if line in commands else line.split()[0] for line in listed}
    assert found == commands - {"bench"}, "give the command a line in docs/commands.md and its twin"


@pytest.mark.parametrize("name", INDEXES)
def test_every_page_is_in_the_index(root: Path, pages: dict[str, str], name: str) -> None:
    """The index links every page of docs/, in at least one language."""
    files = {path.name for path in (root / "docs").iterdir() if path.suffix in {".md", ".json"}}
    linked = set(re.findall(r"\]\(([a-z][^)/]*)\)", pages[name]))
    twins = {file.replace(".zh-CN", "") for file in linked}
    pages_there = {file.replace(".zh-CN", "") for file in files} - {"README.md"}
    assert pages_there <= twins, "link the page in docs/README.md and its twin"


def test_the_readme_shows_this_version() -> None:
    """The sandbox of this version prints the same output at its start."""
    root = Path(__file__).parents[2]
    shown = [
        re.findall(r"^(?:Hupan|湖畔) (\S+) · ", page.read_text("utf-8"), re.MULTILINE)
        for page in map(root.joinpath, NAMES)
    ]
    assert shown == [[__version__]] * 2


def test_no_page_promises_an_index() -> None:
    """Hupan is in no package index: the name there is free, or another project's."""
    promise = re.compile(
        r"(?:install|uvx)\s(?:-\S+\s)*(?:pytest-)?hupan(?:-client)?(?![-_*.\w/])|pypi\.org/project/"
    )
    assert promise.search("pip install -q hupan-client\n")
    root = Path(__file__).parents[2]
    pages = [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("clients/*/README.md")]
    assert len(pages) > 20
    assert [str(page) for page in pages if promise.search(page.read_text("utf-8"))] == []
