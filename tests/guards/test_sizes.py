"""How long a file and a function may be.

The story: beauty is decided by the largest file and the longest function. The file that everybody
dreads was never written at a thousand lines; it was added to at four hundred, each time by somebody
in a hurry who found it easier than to cut it. So the fourth hundred is the last.
"""

import ast
from collections.abc import Callable

import pytest

FILE_LINES = 400
FUNCTION_LINES = 60
MOST_FILES_LINES = 120
MOST_FILES_SHARE = 0.8

Written = Callable[..., dict[str, str]]


def long_functions(path: str, source: str) -> list[str]:
    """The functions and methods that are past the limit."""
    functions = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [
        f"{path}:{node.lineno}: {node.name} has {length} lines"
        for node in functions
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]


def long_files(files: dict[str, str]) -> list[str]:
    """The files that are past the limit."""
    lengths = {path: len(text.splitlines()) for path, text in files.items()}
    return [f"{path} has {length} lines" for path, length in lengths.items() if length > FILE_LINES]


def share_of_short_files(files: dict[str, str]) -> float:
    """How many of the files are as short as most should be, from 0 to 1."""
    short = [path for path, text in files.items() if len(text.splitlines()) < MOST_FILES_LINES]
    return len(short) / len(files)


def test_no_file_is_too_long(written: Written) -> None:
    """No source file, in whatever language, has more than 400 lines."""
    files = written(".py", ".sql", ".html", ".css")
    assert long_files({path: text for path, text in files.items() if path.startswith("src")}) == []


def test_most_files_are_short(modules: dict[str, str]) -> None:
    """Four of five Python files have fewer than 120 lines."""
    assert share_of_short_files(modules) >= MOST_FILES_SHARE


def test_no_function_is_too_long(modules: dict[str, str]) -> None:
    """No function has more than 60 lines."""
    assert [fault for path, text in modules.items() for fault in long_functions(path, text)] == []


@pytest.mark.parametrize("head", ["def f():", "async def f():", "class A:\n  def f(self):"])
def test_a_long_function_is_seen(head: str) -> None:
    """The sixty-first line of a function is one too many, the sixtieth is not."""
    lines = [head, *["    pass"] * FUNCTION_LINES]
    assert len(long_functions("a.py", "\n".join(lines))) == 1
    assert long_functions("a.py", "\n".join(lines[:-1])) == []


def test_a_long_file_is_seen() -> None:
    """The four hundred and first line of a file is one too many, the four hundredth is not."""
    assert long_files({"a.py": "x = 1\n" * 401, "b.py": "x = 1\n" * 400}) == ["a.py has 401 lines"]


def test_too_many_middling_files_are_seen() -> None:
    """A file of 120 lines is no longer a short one."""
    assert share_of_short_files({"a.py": "x = 1\n" * 120, "b.py": "x = 1\n" * 119}) == 0.5
