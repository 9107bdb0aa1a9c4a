"""A Chinese page says what its English counterpart says.

The story: a page for operators was translated once. The English one got a new command and a new
metric, the Chinese one did not; an operator that read it ran the command of the year before.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

CHINESE = ".zh-CN.md"
BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"\s+(?:#|--) .*$", re.MULTILINE)
HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Settings, metrics and columns; options; commands with their subcommand.
NAME = re.compile(
    r"[a-z]+(?:_[a-z]+)+|--[a-z][a-z-]*|\b(?:hupan|make) [a-z]+(?: [a-z]+(?:-[a-z]+)*)?"
)

PAGES = sorted(
    path.relative_to(root).as_posix().removesuffix(CHINESE)
    for root in (Path(__file__).parents[2],)
    for path in (*root.glob(f"*{CHINESE}"), *root.glob(f"docs/**/*{CHINESE}"))
)
# The Chinese page on security links to the test files without naming each test.
NAMES_DIFFER = {"docs/security"}
TWINS = pytest.mark.parametrize("page", PAGES)


def commands(text: str) -> list[str]:
    """Return the commands and files of a page, without comments.

    A `text` block shows terminal output, in the language of its page.
    """
    typed = (block for block in BLOCK.findall(text) if not block.startswith("```text\n"))
    return [COMMENT.sub("", block) for block in typed]


def levels(text: str) -> list[int]:
    """Return the level of each heading of a page."""
    return [len(marks) for marks, _ in HEADING.findall(BLOCK.sub("", text))]


def subjects(text: str) -> list[str]:
    """Return the subject of each table row, if it is a name of the program; else ""."""
    cells = [row.split("|")[1].strip() for row in ROW.findall(BLOCK.sub("", text))]
    return [", ".join(CODE.findall(cell)) for cell in cells]


def names(text: str) -> set[str]:
    """Return the settings, metrics, options and commands that the text of a page names."""
    return {name for code in CODE.findall(BLOCK.sub("", text)) for name in NAME.findall(code)}


def anchors(text: str) -> set[str]:
    """Return the anchors of a page: each heading in small letters, without punctuation."""
    titles = [title for _, title in HEADING.findall(BLOCK.sub("", text))]
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def wrong_links(page: Path) -> list[str]:
    """Return links of a Chinese page to an English page with a Chinese twin, or to no heading."""
    wrong = []
    own_twin = page.name.replace(CHINESE, ".md")
    for link in LINK.findall(BLOCK.sub("", page.read_text("utf-8"))):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if name.startswith("http") or target.suffix != ".md":
            continue
        twin = target.with_name(target.name.replace(".md", CHINESE))
        is_english = twin.exists() and target.name != own_twin
        if is_english or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            wrong.append(link)
    return wrong


@pytest.fixture
def texts(root: Path, page: str) -> tuple[str, str]:
    """Return a page in English and in Chinese."""
    english, chinese = (root / f"{page}{end}" for end in (".md", CHINESE))
    return english.read_text("utf-8"), chinese.read_text("utf-8")


@TWINS
def test_the_twins_have_the_same_shape(texts: tuple[str, str]) -> None:
    """Headings have the same number and levels, and table rows the same subjects."""
    english, chinese = texts
    assert levels(english) == levels(chinese), "change the headings of both twins"
    assert subjects(english) == subjects(chinese), "change the tables of both twins"


@TWINS
def test_the_twins_have_the_same_commands(page: str, texts: tuple[str, str]) -> None:
    """Blocks of code differ only in their comments; the text names the same commands."""
    english, chinese = texts
    assert commands(english) == commands(chinese), "change the code blocks of both twins"
    if page not in NAMES_DIFFER:
        assert names(english) ^ names(chinese) == set(), "name the same in both twins"


@TWINS
def test_each_twin_leads_to_the_other(page: str, texts: tuple[str, str]) -> None:
    """Below the title, the page's own language is plain text and the other is a link."""
    name = page.rpartition("/")[2]
    english, chinese = (set(text.splitlines()[2].split(" · ")) for text in texts)
    assert english == {"English", f"[中文]({name}{CHINESE})"}
    assert chinese == {"中文", f"[English]({name}.md)"}


@TWINS
def test_a_chinese_page_leads_to_chinese_pages(root: Path, page: str) -> None:
    """This applies to every page that has a Chinese twin; headings must exist."""
    assert wrong_links(root / f"{page}{CHINESE}") == [], (
        "link the Chinese page, and a heading that it has"
    )


def test_what_was_added_to_one_twin_is_seen() -> None:
    """Each new heading, row, block, setting, option or command is; terminal output is not."""
    page = "# A\n\n| `a_b` | x |\n\n```sh\nhupan serve    # runs it\n```\n\n`hupan account ban`\n"
    assert levels(page) != levels(f"{page}## B\n")
    assert subjects(page) != subjects(f"{page}\n| `c_d` | y |\n")
    assert commands(page) == commands(page.replace("runs it", "运行"))
    assert commands(page) != commands(page.replace("serve", "sandbox"))
    assert commands(page) == commands(f"{page}\n```text\n监听\n```\n")
    for more in ("`c_d = 1`", "`--days 3`", "`hupan account unban WHO`", "`make fuzz`"):
        assert names(page) < names(f"{page}{more}")


def test_a_link_that_leaves_the_language_is_seen(
    tmp_path: Path, written: Callable[..., dict[str, str]]
) -> None:
    """It leads to a page that exists in Chinese, or to a missing heading."""
    pages = written(".md")
    assert {f"{page}{CHINESE}" for page in PAGES} <= set(pages)
    (tmp_path / "b.md").write_text("# B\n", "utf-8")
    (tmp_path / "b.zh-CN.md").write_text("# 乙\n\n## 域名与证书\n", "utf-8")
    (tmp_path / "c.md").write_text("# C\n", "utf-8")
    page = tmp_path / "a.zh-CN.md"
    links = ["b.md", "b.zh-CN.md", "b.zh-CN.md#域名与证书", "b.zh-CN.md#names", "c.md", "a.md"]
    page.write_text("# 甲\n\n中文 · [E](a.md)\n\n" + " ".join(f"[x]({x})" for x in links), "utf-8")
    assert wrong_links(page) == ["b.md", "b.zh-CN.md#names"]
