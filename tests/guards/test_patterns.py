r"""Patterns that match too much, and SQL that contains values (I7, I8).

The story: a server matched six digits with `^\d{6}$`. The pattern also accepted a trailing line
break, and the digits of every script, which the database then compared as another code. And a list
that could be sorted by any column put the column's name unchecked into its query.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.support.syntax import nodes_of

# Area -> how often a pattern there may search, or match a beginning, and why.
MAY_SEARCH = {
    "addresses": (8, "blots out contacts in an operator's reason; strips separators of a number"),
    "api": (1, "finds the name of a field in the library's own message"),
    "admin": (5, "writes the host name into our own unit and files of proxies"),
    "cli": (2, "measures the terminal's words; puts help texts into the chosen language"),
    "connect": (1, "takes the certificates out of the system's own bundle"),
    "config": (13, "finds forbidden parts and passwords in a setting; reads an address in pieces"),
    "delivery": (13, "blots out private words; reads the operator's own template and headers"),
    "domain": (5, "finds forbidden characters in a text or an address"),
    "library_errors": (1, "puts blanks between the scripts of our own words"),
    "logs": (2, "blots out what is private in the text of an accident"),
    "sandbox": (
        2,
        "finds half of a surrogate pair in the JSON that a list shows; fills messages of our own",
    ),
    "store": (14, "translates and reads our own statements and schema; reads lists of buckets"),
    "wiring": (1, "turns the name of one of our own fields into that of an option"),
}
# `\d`, `\w` and `\s` match every script unless the pattern is ASCII or bytes.
MAY_HAVE_CLASSES = {
    "admin": (2, "our own files of proxies and units"),
    "cli": (2, "our own help texts"),
    "config": (2, "takes rather too much for an address than too little"),
    "delivery": (7, "the operator's own patterns; blots out rather more than less"),
    "domain": (1, "the address is ASCII by flag; blanks of every script shall be found"),
    "logs": (1, "blots out rather more than less"),
    "store": (5, "our own statements and schema"),
}
# Area -> how many statements have more than constants, and why.
MAY_PUT_TOGETHER = {
    "store": (8, "copies, fills and locks whole tables: the names are those of our own schema"),
}
SEARCHING = {"search", "match", "findall", "finditer", "sub", "subn", "split"}
CLASSES = re.compile(r"\\[dDwWsSbB]|(?<!\\)\$$")
EXECUTING = {"execute", "fetch_one", "fetch_all", "fetch_rows", "fetch", "fetchval", "fetchrow"}
CONSTANT = re.compile(r"_?[A-Z][A-Z_]*|_?table|_?columns?")


def patterns(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names of compiled patterns in a file."""
    return {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and "re.compile" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def searches(source: str) -> int:
    """Return how often a pattern is used without matching the whole text."""
    nodes = nodes_of(source)
    names = {"re", *patterns(nodes)}
    return sum(
        isinstance(node, ast.Attribute)
        and node.attr in SEARCHING
        and isinstance(node.value, ast.Name)
        and node.value.id in names
        for node in nodes
    )


def classes(source: str) -> int:
    """Return how many patterns have a class for all scripts, or end in $."""
    return sum(
        isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and CLASSES.search(part.value) is not None
        for node in nodes_of(source)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.") and node.args
        for part in ast.walk(node.args[0])
    )


def put_together(source: str) -> Iterator[str]:
    """Yield the statements of a file that include more than our own constants."""
    for node in nodes_of(source):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in EXECUTING or not node.args:
            continue
        statement = node.args[0]
        if isinstance(statement, ast.JoinedStr):
            holes = [
                part.value for part in statement.values if isinstance(part, ast.FormattedValue)
            ]
            if not all(
                isinstance(hole, ast.Name) and CONSTANT.fullmatch(hole.id) for hole in holes
            ):
                yield ast.unparse(statement)
        elif isinstance(statement, ast.BinOp) or "format" in ast.unparse(statement):
            yield ast.unparse(statement)


def by_area(modules: dict[str, str], count: Callable[[str], int]) -> dict[str, int]:
    """Return counts by area: a folder below src/hupan, or a file there."""
    found: Counter[str] = Counter()
    for path, text in modules.items():
        found[path.partition("/")[0].removesuffix(".py")] += count(text)
    return dict(+found)


def allowed(reasons: dict[str, tuple[int, str]]) -> dict[str, int]:
    """Return only the numbers."""
    return {area: number for area, (number, _) in reasons.items()}


def test_patterns_match_whole_texts(modules: dict[str, str]) -> None:
    """A check of a text uses `fullmatch`; other uses are counted (security I7)."""
    assert by_area(modules, searches) == allowed(MAY_SEARCH), (
        "use `fullmatch`, or change the number in MAY_SEARCH and its reason"
    )


def test_patterns_know_ascii_alone(modules: dict[str, str]) -> None:
    """Digits are [0-9], and no pattern ends in $ (security I7)."""
    assert by_area(modules, classes) == allowed(MAY_HAVE_CLASSES), (
        r"write [0-9] for \d and fullmatch for $, or change the number in MAY_HAVE_CLASSES"
    )


def test_sql_is_of_constants(modules: dict[str, str]) -> None:
    """Values are parameters; only our own constants are inserted (security I8)."""
    found = by_area(modules, lambda text: len([*put_together(text)]))
    assert found == allowed(MAY_PUT_TOGETHER), (
        "pass values as parameters, or change the number in MAY_PUT_TOGETHER and its reason"
    )


@pytest.mark.parametrize(
    "source",
    ["P = re.compile('x')\nP.match(t)", "re.search('x', t)", "P = re.compile('x')\nP.findall(t)"],
)
def test_a_search_is_seen(source: str) -> None:
    """A search by name or by module is found."""
    assert searches(source)
    assert not searches("P = re.compile('x')\nP.fullmatch(t)\nother.match(t)")


@pytest.mark.parametrize(
    "source", [r"re.compile(r'\d{6}')", "re.compile('^[0-9]{6}$')", r"re.fullmatch(r'\w', t)"]
)
def test_a_class_of_all_scripts_is_seen(source: str) -> None:
    """A pattern that allows a trailing line break is found, too."""
    assert classes(source)
    assert not classes("re.compile('[0-9]{6}')")


@pytest.mark.parametrize(
    "source",
    [
        "tx.execute(f'DELETE FROM t WHERE id = {id}')",
        "tx.fetch_one('SELECT ' + name)",
        "tx.fetch_all('SELECT {}'.format(name))",
    ],
)
def test_a_statement_of_values_is_seen(source: str) -> None:
    """SQL with values in its text is found, in every way of building it."""
    assert list(put_together(source))
    assert not list(put_together("tx.execute(f'SELECT {COLUMNS} FROM t', id)"))
