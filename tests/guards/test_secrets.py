"""Codes come from a secure generator, and no code is known beforehand (security C1).

The story: a published chat server shipped a code for every account, 666666, added for its own
tests, and drew the other codes from a generator whose next number follows from the last. A reviewer
would have noticed neither: both looked like ordinary lines.
"""

import ast
import re

import pytest

from tests.support.syntax import nodes_of

# Path below src/hupan -> why it may be predictable there.
MAY_USE_RANDOM: dict[str, str] = {}

LOOKS_LIKE_A_CODE = re.compile(r"[0-9]{6}")


def roots_imported(node: ast.AST) -> set[str]:
    """Return the modules that a statement imports; for `from`, the package and its names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def uses_random(source: str) -> bool:
    """Return whether the predictable generator of the standard library, or numpy's, is imported."""
    nodes = nodes_of(source)
    return any(roots_imported(node) & {"random", "numpy.random"} for node in nodes)


def literal_codes(path: str, source: str) -> list[str]:
    """Return the literals of exactly six digits."""
    faults = []
    for node in nodes_of(source):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str | bytes):
            continue
        text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        if LOOKS_LIKE_A_CODE.fullmatch(text):
            faults.append(f"{path}:{node.lineno}: a literal that looks like a code")
    return faults


def test_random_is_used_only_where_listed(modules: dict[str, str]) -> None:
    """Only the listed files import `random`, each for a reason."""
    assert {path for path, text in modules.items() if uses_random(text)} == set(MAY_USE_RANDOM), (
        "take the RandomSource of rng.py, or say in MAY_USE_RANDOM why not"
    )
    assert all(MAY_USE_RANDOM.values())


def test_no_code_is_written_down(modules: dict[str, str]) -> None:
    """No string in the product is six digits."""
    assert [fault for path, text in modules.items() for fault in literal_codes(path, text)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "import os, random as chance",
        "from random import randint",
        "def f():\n    import random",
        "import numpy.random",
        "from numpy import random",
    ],
)
def test_random_is_seen(source: str) -> None:
    """Every way of importing it is found."""
    assert uses_random(source)


def test_secrets_is_not_random() -> None:
    """The secure generator is allowed, and so is our own module of any name."""
    assert not uses_random("import secrets\nfrom hupan.rng import Chance")


@pytest.mark.parametrize(
    "source",
    ['code = "666666"', "if code == '000000': pass", 'code = b"123456"', 'f(code=f"987654")'],
)
def test_a_literal_code_is_seen(source: str) -> None:
    """Every kind of literal is found."""
    assert len(literal_codes("a.py", source)) == 1


@pytest.mark.parametrize("source", ["bound = 1_000_000", 'colour = "#123456"', 'zone = "12345"'])
def test_another_number_is_no_code(source: str) -> None:
    """A bound, a colour and five digits are no codes."""
    assert literal_codes("a.py", source) == []
