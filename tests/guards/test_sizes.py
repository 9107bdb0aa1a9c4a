"""The maximum size of files and functions keeps them readable."""

import ast
from collections.abc import Callable

import pytest

from tests.support.syntax import nodes_of

FILE_LINES = 800
FUNCTION_LINES = 60

Written = Callable[..., dict[str, str]]


def long_functions(path: str, source: str) -> list[str]:
    """Return the functions and methods above the limit."""
    functions = (
        node
        for node in nodes_of(source)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [
        f"{path}:{node.lineno}: {node.name} has {length} lines"
        for node in functions
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]


def long_files(files: dict[str, str]) -> list[str]:
    """Return the files above the limit."""
    lengths = {path: len(text.splitlines()) for path, text in files.items()}
    return [f"{path} has {length} lines" for path, length in lengths.items() if length > FILE_LINES]


def test_no_file_is_too_long(written: Written) -> None:
    """No source file of any language has more than 800 lines."""
    files = written(".py", ".sql", ".html", ".css")
    ours = {path: text for path, text in files.items() if path.startswith("src")}
    assert long_files(ours) == [], "move one of its subjects to a file of its own"


def test_no_function_is_too_long(modules: dict[str, str]) -> None:
    """No function has more than 60 lines."""
    faults = [fault for path, text in modules.items() for fault in long_functions(path, text)]
    assert faults == [], "move one of its steps to a function of its own"


@pytest.mark.parametrize("head", ["def f():", "async def f():", "class A:\n  def f(self):"])
def test_a_long_function_is_seen(head: str) -> None:
    """The limit is sixty lines: sixty-one are too many."""
    lines = [head, *["    pass"] * FUNCTION_LINES]
    assert len(long_functions("a.py", "\n".join(lines))) == 1
    assert long_functions("a.py", "\n".join(lines[:-1])) == []


def test_a_long_file_is_seen() -> None:
    """The limit is eight hundred lines: eight hundred and one are too many."""
    assert long_files({"a.py": "x = 1\n" * 801, "b.py": "x = 1\n" * 800}) == ["a.py has 801 lines"]
