"""Helpers of tests are in tests/support; no file imports a test module.

The story: eighteen modules took their helpers from the tests of something else. Moving or changing
those tests broke others, and unwanted fixtures came along.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def imported_tests(source: str) -> list[str]:
    """Return the test modules that a source imports."""
    modules: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            modules += [module, *(f"{module}.{name.name}" for name in node.names)]
    return [
        module
        for module in modules
        if module.startswith("tests.") and module.rpartition(".")[2].startswith("test_")
    ]


def test_no_test_module_is_imported() -> None:
    """Neither helpers nor other tests import from a module of tests."""
    found = {
        str(path.relative_to(TESTS)): names
        for path in TESTS.rglob("*.py")
        if (names := imported_tests(path.read_text()))
    }
    assert found == {}, "move what is shared to tests/support"


@pytest.mark.parametrize(
    "line",
    [
        "import tests.wire.test_parallel",
        "from tests.wire import test_parallel",
        "from tests.wire.test_parallel import at_once",
        "def late():\n    from tests.cli.test_account import run",
    ],
)
def test_each_form_of_an_import_is_found(line: str) -> None:
    """An import anywhere in a file is found."""
    assert imported_tests(line)
    assert not imported_tests("from tests.support.parallel import at_once")
