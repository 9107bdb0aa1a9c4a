"""Texts in two languages: no Chinese sentence quotes an exception, and no text shows its braces.

Libraries write English (names.md rule 9).

The story: two refusals named the file in Chinese. The English text beside it had no `f` before its
quotation mark, so operators read "Move it back to {database}".
"""

import ast
import re

import pytest

CHINESE = re.compile("[\u4e00-\u9fff]")
ERROR_WORDS = {"error.strerror", "error.msg", "error.reason"}
HOLE = re.compile(r"\{\w+\}")
ERRORS = {"error", "exc", "exception", "failure", "err"}


def quoted(source: str) -> list[str]:
    """Return the Chinese texts of a file that include an exception or the system's error text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        words = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        holes = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        is_quoting = any(
            (isinstance(hole, ast.Name) and hole.id in ERRORS)
            or (isinstance(hole, ast.Attribute) and ast.unparse(hole) in ERROR_WORDS)
            or (isinstance(hole, ast.Call) and ast.unparse(hole).startswith("str(error"))
            for hole in holes
        )
        if is_quoting and CHINESE.search(words):
            found.append(ast.unparse(node))
    return found


def test_no_exception_is_quoted_in_chinese(modules: dict[str, str]) -> None:
    """`localize_reason` and `localize_error` express it in the reader's language."""
    found = {path: texts for path, text in modules.items() if (texts := quoted(text))}
    assert found == {}


@pytest.mark.parametrize(
    "source",
    ['f"无法读取：{error}"', 'f"无法读取：{error.strerror}"', 'f"无法读取 {path}：{str(error)}"'],
)
def test_a_quotation_is_seen(source: str) -> None:
    """A quotation by name, by the system's text, or as a string is found."""
    assert quoted(source)
    assert not quoted(source.replace("无法读取", "cannot read").replace("：", ": "))


def unfilled(source: str) -> list[str]:
    """Return the texts with a name in braces that are no f-string, beside one in the same call."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            texts = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(text, ast.JoinedStr) for text in texts):
                found += [
                    text.value
                    for text in texts
                    if isinstance(text, ast.Constant)
                    and isinstance(text.value, str)
                    and HOLE.search(text.value)
                ]
    return found


def test_both_languages_are_filled_in(modules: dict[str, str]) -> None:
    """A text beside an f-string shows no name in braces."""
    found = {path: texts for path, text in modules.items() if (texts := unfilled(text))}
    assert found == {}, "write f before the quotation mark"


def test_a_forgotten_prefix_is_seen() -> None:
    """The English text of the story is found, and its f-string is not."""
    assert unfilled('Refused(f"没有：{path}", "there is none: {path}")') == [
        "there is none: {path}"
    ]
    assert not unfilled('Refused(f"没有：{path}", f"there is none: {path}")')
