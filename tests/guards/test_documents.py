"""The pages about the contract match it.

The story: a page on compatibility was written by hand, once. Two releases later it promised a
removed endpoint and omitted three new ones, and no check noticed. And a comment that cites a rule
by its number does not help a newcomer if the rule is nowhere to be found.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import Endpoint
from hupan.errors import APP_ERRORS
from tools.docs.__main__ import PAGES, main
from tools.docs.compatibility import source_marks
from tools.docs.forms import describe_message
from tools.docs.general import GENERAL_NOTES
from tools.docs.protocol import when

Line = Endpoint[Any, Any, Any]

ID = r"[A-Z]\d{1,2}"
RUN = rf"{ID}(?: [a-d])?(?:(?:-|, | and ){ID}(?: [a-d])?)*"
WIRE = re.compile(r"wire\.md (\d+(?:\.\d+)?)")
DESIGN = re.compile(r"design,? (?:section )?(\d+)\b")
COMPONENT = re.compile(r"security (?:section )?(\d+, \w+)")
SECURITY = re.compile(rf"(?:security |\()({RUN})(?=[).,;:\s\"])")
ROW = re.compile(r"^\| ([^|]+?) \|", re.MULTILINE)


def in_runs(text: str) -> Iterator[str]:
    """Yield the ids that a text cites, including those within a range."""
    for run in SECURITY.findall(text):
        for first, last in re.findall(rf"({ID})(?:-({ID}))?", run):
            until = int(last[1:]) if last else int(first[1:])
            for number in range(int(first[1:]), until + 1):
                yield first[0] + str(number).zfill(len(first) - 1)


def citations(text: str) -> set[str]:
    """Return everything that a text cites, as the page names it."""
    plain = re.sub(r"\s+(?:#|--|//)?\s*", " ", text)
    return {
        *WIRE.findall(plain),
        *(f"design {number}" for number in DESIGN.findall(plain)),
        *COMPONENT.findall(plain),
        *in_runs(plain),
    }


def entries(page: str) -> set[str]:
    """Return the ids that a page explains: the first cells of its rows."""
    return set(ROW.findall(page))


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_contract_makes(root: Path, name: str) -> None:
    """`make docs` changes nothing."""
    assert (root / "docs" / name).read_text("utf-8") == PAGES[name](), "run make docs"


def test_a_page_that_is_not_made_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The command names the pages it can make."""
    assert main(["protocols"]) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in PAGES)


def test_every_endpoint_has_its_row_and_source(root: Path) -> None:
    """Each row of the table is on both pages, with its source."""
    for name in ("compatibility", "compatibility.zh-CN"):
        page = (root / "docs" / f"{name}.md").read_text("utf-8")
        for line in ENDPOINTS:
            start = f"| {line.surface} | {line.method} | `{line.path}` |"
            rows = [row for row in page.splitlines() if row.startswith(start)]
            assert len(rows) == 1, "run make docs"
            assert rows[0].endswith(f"| {source_marks(line)} |")


def test_every_note_stands_in_both_languages(subtests: pytest.Subtests) -> None:
    """The Chinese twin has each note; the English one has no Chinese but 精选."""
    for note in [*GENERAL_NOTES, *(note for line in ENDPOINTS for note in line.notes)]:
        with subtests.test(note=note):
            assert re.search("[\u4e00-\u9fff]", note.zh)
            assert note.en.replace("精选", "").isascii()


def test_every_error_says_when_it_occurs(root: Path, subtests: pytest.Subtests) -> None:
    """The page on the protocol has a row for each error."""
    for error in APP_ERRORS:
        with subtests.test(error=error):
            page = (root / "docs" / "protocol.md").read_text("utf-8")
            assert when(error), "say in the docstring of the error when it occurs"
            assert page.count(f"\n| {error.code} | {when(error)} |") == 1, "run make docs"


def test_every_message_is_on_the_page(root: Path) -> None:
    """Each JSON message of an endpoint that has fields has a heading."""
    page = (root / "docs" / "protocol.md").read_text("utf-8")
    forms = {form for line in ENDPOINTS for form in (line.request, line.response)}
    named = {form for form in forms if issubclass(form, Struct) and form.__struct_fields__}
    assert {form.__name__ for form in named if f"\n### {form.__name__}\n" not in page} == set()


def test_an_attribute_that_is_gone_is_seen() -> None:
    """A docstring that describes a field that its message no longer has is refused."""

    class Gone(Struct):
        """A message.

        Attributes:
            text: exists.
            other: does not.
        """

        text: str

    with pytest.raises(ValueError, match="other"):
        describe_message(Gone, is_request=True)


def test_every_citation_is_explained(root: Path, written: Callable[..., dict[str, str]]) -> None:
    """docs/wire-rules.md has every rule that code and tests cite."""
    known = entries((root / "docs" / "wire-rules.md").read_text("utf-8"))
    texts = written(".py", ".sql", ".proto")
    del texts["tests/guards/test_documents.py"]
    cited = {path: citations(text) - known for path, text in texts.items()}
    assert {path: ids for path, ids in cited.items() if ids} == {}, (
        "explain the rule in docs/wire-rules.md, or correct the citation"
    )


def test_the_rules_stay_a_compact_list(root: Path) -> None:
    """The page is a reference, so it has fewer than 400 lines and no repetition."""
    page = (root / "docs" / "wire-rules.md").read_text("utf-8")
    assert len(page.splitlines()) < 400
    ids = [entry for entry in ROW.findall(page) if re.fullmatch(ID, entry)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("# one look-up (wire.md 1.3).", {"1.3"}),
        ('"""Tokens (wire.md 5); hashes (security T1, T2)."""', {"5", "T1", "T2"}),
        ("-- one live code (security C1-C3, C7)", {"C1", "C2", "C3", "C7"}),
        ("told later (E3).", {"E3"}),
        ("# as long as it is\n    # asked for (security\n    # R14 b)", {"R14"}),
        ("(security section 4, protobuf)", {"4, protobuf"}),
        ("under `/sandbox` (design, section 8)", {"design 8"}),
        ("a page of A4 paper, and U+200B", set()),
    ],
)
def test_a_citation_is_seen(text: str, cited: set[str]) -> None:
    """Citations in comments of every language, in lists and in ranges are found."""
    assert citations(text) == cited
