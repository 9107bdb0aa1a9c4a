"""A link in our own pages leads somewhere.

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
    """Return the relative links of a page that lead to no file or folder."""
    prose = CODE.sub("", text)
    targets = [*INLINE.findall(prose), *REFERENCE.findall(prose)]
    relative = [target for target in targets if not ELSEWHERE.match(target)]
    return [t for t in relative if not (page.parent / t.partition("#")[0]).exists()]


def test_every_link_leads_somewhere(root: Path, written: Callable[..., dict[str, str]]) -> None:
    """Each relative link in a Markdown page leads to what is there."""
    pages = written(".md")
    assert "CONTRIBUTING.md" in pages
    dead = {path: dead_links(root / path, text) for path, text in pages.items()}
    assert {path: links for path, links in dead.items() if links} == {}


@pytest.mark.parametrize(
    "text",
    ["[a](gone.md)", "[a](gone.md#part)", '![a](gone.png "title")', "[a][b]\n\n[b]: gone.md"],
)
def test_a_dead_link_is_seen(tmp_path: Path, text: str) -> None:
    """Inline, to a part, of a picture and by reference."""
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
    """To a file that is there, within the page, and to elsewhere; code is not read."""
    (tmp_path / "there.md").touch()
    assert dead_links(tmp_path / "page.md", text) == []
