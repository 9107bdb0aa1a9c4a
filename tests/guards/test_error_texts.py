"""No Chinese sentence quotes an exception: libraries write English (names.md rule 9)."""

import ast
import re

import pytest

CHINESE = re.compile("[\u4e00-\u9fff]")
ERROR_WORDS = {"error.strerror", "error.msg", "error.reason"}
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
