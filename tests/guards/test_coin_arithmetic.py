"""Coins are counted in whole hundredths; no file about them knows a float (security D5, L8).

The story: a server kept balances as floats. Three gifts of 0.1 made 0.30000000000000004, a purchase
for 0.3 left a trace that no page showed, and the sum of all entries was never zero again.
"""

import ast
from pathlib import PurePosixPath

import pytest

from tests.support.syntax import nodes_of


def is_about_coins(path: str) -> bool:
    """Return whether a file's name says that it is about coins."""
    return PurePosixPath(path).name.startswith("coin")


def floats(source: str) -> list[int]:
    """Return the lines with a float, the type's name, or a true division."""
    lines: list[int] = []
    for node in nodes_of(source):
        is_float = (
            (isinstance(node, ast.Constant) and isinstance(node.value, float))
            or (isinstance(node, ast.Name) and node.id == "float")
            or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
        )
        if is_float and isinstance(node, ast.stmt | ast.expr):
            lines.append(node.lineno)
    return lines


def test_coins_are_whole_numbers(modules: dict[str, str]) -> None:
    """No file about coins has a float or a true division."""
    about = {path: source for path, source in modules.items() if is_about_coins(path)}
    assert {"api/coins.py", "domain/coins.py", "store/coins.py"} <= about.keys()
    assert {path: floats(source) for path, source in about.items() if floats(source)} == {}


@pytest.mark.parametrize(
    "source", ["x = 0.5", "x = float(y)", "x: float", "x = cents / 100", "x /= 2"]
)
def test_a_float_is_seen(source: str) -> None:
    """Each way to introduce a float is found."""
    assert floats(source) == [1]
