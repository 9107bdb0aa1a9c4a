r"""Patterns that take more than they seem to, and SQL that is put together from values (I7, I8).

The story: a server took six digits by `^\d{6}$`. It took them with a line break behind as well, and
in the digits of every script, which its database then compared as another code. And a list that
could be sorted by any column put the column's name, as it came, into its query.
"""

import ast
import re
from collections.abc import Iterator

import pytest

# Path below src/hupan -> why a pattern there may search, or match a beginning.
MAY_SEARCH = {
    "logs.py": "blots out what is private in the text of an accident",
    "api/codecs.py": "finds the name of a field in the library's own message",
    "wiring.py": "turns the name of one of our own fields into that of an option",
    "config/types.py": "looks for what must stand nowhere in a setting",
    "config/types.py": "looks for a password anywhere in a text that is shown",
    "config/types.py": "reads the beginning and the hosts of an address piece by piece",
    "cli/help.py": "translates the parser's own messages",
    "cli/text.py": "takes a text apart where a line may end",
    "delivery/sms_options.py": "finds the charset in a header, the parts of an own pattern",
    "delivery/sms_options.py": "finds what may be a key in the operator's own body",
    "delivery/texts.py": "blots out what is private in the words of a gateway",
    "tools/docs/document_forms.py": "reads our own docstrings, for the pages",
    "delivery/sms_options.py": "finds the places to fill in the operator's own template",
    "domain/profiles.py": "looks for what must stand nowhere in an address",
    "addresses.py": "blots out what an operator wrote into a reason",
    "addresses.py": "takes off what stands between digits; the rest is matched whole",
    "domain/text.py": "looks for what must stand nowhere in a text",
    "store/postgres_pool.py": "renumbers the parameters of our own SQL",
    "store/postgres_migrate.py": "translates our own schema",
}
# `\d`, `\w` and `\s` know every script unless the pattern says ASCII or is of bytes.
MAY_HAVE_CLASSES = {
    "cli/help.py": "the parser's own messages",
    "cli/text.py": "a line may end at blanks of every script",
    "logs.py": "blots out rather more than less",
    "config/types.py": "takes rather too much for an address than too little",
    "delivery/sms_options.py": "an operator's own pattern, and a header of the gateway",
    "delivery/sms_options.py": "an operator's own body",
    "delivery/texts.py": "blots out rather more than less",
    "tools/docs/document_forms.py": "our own docstrings",
    "delivery/sms_options.py": "an operator's own template",
    "domain/profiles.py": "the address is ASCII by flag; blanks of every script shall be found",
    "store/postgres_migrate.py": "our own schema",
}
# Path below src/hupan -> whose words are put into a statement there.
MAY_PUT_TOGETHER: dict[str, str] = {
    "store/copying.py": "copies whole tables: the names are those of our own schema",
}
SEARCHING = {"search", "match", "findall", "finditer", "sub", "subn", "split"}
CLASSES = re.compile(r"\\[dDwWsSbB]|(?<!\\)\$$")
EXECUTING = {"execute", "executescript", "one", "all", "run", "fetch", "fetchval", "fetchrow"}
CONSTANT = re.compile(r"_?[A-Z][A-Z_]*|_?table|_?columns?")


def patterns(tree: ast.Module) -> set[str]:
    """The names that compiled patterns have in a file."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "re.compile" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def searches(source: str) -> bool:
    """Whether a pattern is used in a way that leaves part of the text unseen."""
    tree = ast.parse(source)
    names = {"re", *patterns(tree)}
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in SEARCHING
        and isinstance(node.value, ast.Name)
        and node.value.id in names
        for node in ast.walk(tree)
    )


def has_classes(source: str) -> bool:
    """Whether a text pattern has a class that knows all scripts, or an end in $."""
    return any(
        isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and CLASSES.search(part.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.") and node.args
        for part in ast.walk(node.args[0])
    )


def put_together(path: str, source: str) -> Iterator[str]:
    """The statements of a file that hold more than constants of our own."""
    for node in ast.walk(ast.parse(source)):
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
                yield f"{path}:{node.lineno}: {ast.unparse(statement)}"
        elif isinstance(statement, ast.BinOp) or "format" in ast.unparse(statement):
            yield f"{path}:{node.lineno}: {ast.unparse(statement)}"


def test_patterns_match_whole_texts(modules: dict[str, str]) -> None:
    """Whatever decides about a text does so with `fullmatch`; the rest is listed (security I7)."""
    assert {path for path, text in modules.items() if searches(text)} == set(MAY_SEARCH)


def test_patterns_know_ascii_alone(modules: dict[str, str]) -> None:
    """Digits are [0-9], and no pattern of ours ends in $ (security I7)."""
    assert {path for path, text in modules.items() if has_classes(text)} == set(MAY_HAVE_CLASSES)


def test_sql_is_of_constants(modules: dict[str, str]) -> None:
    """Values are parameters; what is put into a statement is a constant of ours (security I8)."""
    found = {
        path
        for path, text in modules.items()
        if path.startswith("store/") and list(put_together(path, text))
    }
    assert found == set(MAY_PUT_TOGETHER)


@pytest.mark.parametrize(
    "source",
    ["P = re.compile('x')\nP.match(t)", "re.search('x', t)", "P = re.compile('x')\nP.findall(t)"],
)
def test_a_search_is_seen(source: str) -> None:
    """By name and by module."""
    assert searches(source)
    assert not searches("P = re.compile('x')\nP.fullmatch(t)\nother.match(t)")


@pytest.mark.parametrize(
    "source", [r"re.compile(r'\d{6}')", "re.compile('^[0-9]{6}$')", r"re.fullmatch(r'\w', t)"]
)
def test_a_class_of_all_scripts_is_seen(source: str) -> None:
    """And so is an end that lets a line break by."""
    assert has_classes(source)
    assert not has_classes("re.compile('[0-9]{6}')")


@pytest.mark.parametrize(
    "source",
    [
        "tx.run(f'DELETE FROM t WHERE id = {id}')",
        "tx.one('SELECT ' + name)",
        "tx.all('SELECT {}'.format(name))",
    ],
)
def test_a_statement_of_values_is_seen(source: str) -> None:
    """Put together by whatever means."""
    assert list(put_together("store/a.py", source))
    assert not list(put_together("store/a.py", "tx.run(f'SELECT {COLUMNS} FROM t', id)"))
