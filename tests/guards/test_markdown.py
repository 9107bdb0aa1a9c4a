"""Every link in our own pages has a target.

The story: the page on how to report a weakness was renamed, and the one link that led to it stayed
as it was. The next finder wrote a public issue instead.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s+<?([^\s>]+)", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//|#")


def dead_links(page: Path, text: str) -> list[str]:
    """Return the relative links of a page without a file or folder."""
    prose = CODE.sub("", text)
    targets = [*INLINE.findall(prose), *REFERENCE.findall(prose)]
    relative = [target for target in targets if not ELSEWHERE.match(target)]
    return [t for t in relative if not (page.parent / t.partition("#")[0]).exists()]


def test_every_link_leads_somewhere(root: Path, written: Callable[..., dict[str, str]]) -> None:
    """Each relative link in a Markdown page leads to an existing file or folder."""
    pages = written(".md")
    assert "CONTRIBUTING.md" in pages
    dead = {path: dead_links(root / path, text) for path, text in pages.items()}
    assert {path: links for path, links in dead.items() if links} == {}


@pytest.mark.parametrize(
    "text",
    ["[a](gone.md)", "[a](gone.md#part)", '![a](gone.png "title")', "[a][b]\n\n[b]: gone.md"],
)
def test_a_dead_link_is_seen(tmp_path: Path, text: str) -> None:
    """A dead link is found: inline, to a heading, of a picture and by reference."""
    assert len(dead_links(tmp_path / "page.md", text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[a](there.md)",
        "[a](there.md#part)",
        "[a](#part)",
        "[a](https://example.org/gone.md)",
        "[a](mailto:a@example.org)",
        "`[a](gone.md)`",
        "```\n[a](gone.md)\n```",
    ],
)
def test_a_link_that_leads_somewhere_passes(tmp_path: Path, text: str) -> None:
    """An existing file, the same page and other sites pass; code is ignored."""
    (tmp_path / "there.md").touch()
    assert dead_links(tmp_path / "page.md", text) == []
