"""Guards of the contract's tables: every reader uses each row.

An endpoint in the table without a handler, an error without a code or a table that the reset
forgets would otherwise be found by a user. These guards name the forgotten step.
"""

import ast
import re
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest
from google.protobuf.message import Message
from msgspec import Struct

from hupan.api.app import build_routes
from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import Endpoint, IgnoredBody
from hupan.errors import APP_ERRORS, AppError, ResultClass
from hupan.store.migrate import load_migrations
from hupan.store.tables import data_tables
from tests.support.syntax import nodes_of

Line = Endpoint[Any, Any, Any]
KEPT = {"counters", "migrations", "picture_removals"}


def test_every_endpoint_has_a_handler() -> None:
    """A row of the contract needs a handler in `api/`, in the file of its area."""
    table = build_routes(None)  # type: ignore[arg-type] # services are not asked while routing
    assert set(table) == {line.key for line in ENDPOINTS}, (
        "join a handler in `api/` to its line by @handles(…)"
    )


def test_no_other_file_repeats_a_path(modules: dict[str, str]) -> None:
    """Facts about one endpoint are in its row: no other table names it by its path."""
    paths = re.compile("|".join(re.escape(line.path.removeprefix("/v1/")) for line in ENDPOINTS))
    quoted = {
        path: [text for text in literals(source) if paths.search(text)]
        for path, source in modules.items()
        if not path.startswith(("contract/", "conformance/", "doctor/"))  # clients of any server
    }
    assert {path: texts for path, texts in quoted.items() if texts} == {}, (
        "put what concerns one endpoint on its line in `contract/`"
    )


def literals(source: str) -> list[str]:
    """Return the strings of a file that are no docstrings."""
    nodes = nodes_of(source)
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in prose]
    return [text.value for text in texts if isinstance(text.value, str)]


def test_a_repeated_path_is_seen() -> None:
    """A path in a table is found, one in prose is not."""
    assert literals('"""About /v1/user/info."""\nLIMITS = {"/v1/user/info": 3}') == [
        "/v1/user/info"
    ]


def test_every_request_has_a_sample(subtests: pytest.Subtests) -> None:
    """The attacks of tests/attacks call each endpoint with the sample of its row."""
    for line in ENDPOINTS:
        with subtests.test(line=line):
            assert (line.sample is None) == issubclass(line.request, IgnoredBody), (
                "give the line a `sample`, unless its body is ignored"
            )


def test_no_endpoint_stands_twice() -> None:
    """Surface, method and path name one endpoint."""
    times = Counter(line.key for line in ENDPOINTS)
    assert [key for key, number in times.items() if number > 1] == []


def test_every_endpoint_has_a_golden(subtests: pytest.Subtests) -> None:
    """Each endpoint's path is named by a test that never passes through the contract."""
    for line in ENDPOINTS:
        with subtests.test(line=line):
            here = Path(__file__).parents[1] / "wire"
            written = "\n".join(file.read_text("utf-8") for file in here.glob("*.py"))
            assert line.path.removeprefix("/v1/") in written, (
                "add to tests/wire a test that sends the bytes of a request to this path"
            )


def test_every_error_is_listed() -> None:
    """Errors derive from `AppError` directly; a deeper subclass would be missing from the pages."""
    assert [error for error in APP_ERRORS if error.__subclasses__()] == []
    assert {error.__module__ for error in APP_ERRORS} == {AppError.__module__}


def test_codes_are_unique() -> None:
    """No two errors share a code, except the two numbers that wire.md 2 uses twice."""
    codes = Counter(error.code for error in APP_ERRORS)
    assert {code for code, times in codes.items() if times > 1} == {-101, 1100}, (
        "choose a code that no other error has"
    )


def test_every_error_speaks_both_languages(subtests: pytest.Subtests) -> None:
    """Chinese has Chinese characters, English none, and the outcome is one of the classes."""
    for error in APP_ERRORS:
        with subtests.test(error=error):
            assert re.search("[\u4e00-\u9fff]", error.zh)
            assert error.en.isascii()
            assert error.result in get_args(ResultClass)


def test_the_message_of_every_error_is_complete(subtests: pytest.Subtests) -> None:
    """Each name in braces is an attribute of the error, so that no client sees the braces."""
    for error in APP_ERRORS:
        with subtests.test(error=error):
            made = error(*([7] if "{" in error.zh else []))
            for english in (False, True):
                assert not re.search("[{}]", made.message(english=english))
                assert ("7" in made.message(english=english)) == ("{" in error.zh)


def test_types_travel_as_json_or_protobuf() -> None:
    """There is no third format."""
    for line in ENDPOINTS:
        assert issubclass(line.request, Struct | Message)
        assert issubclass(line.response, Struct | Message)


def test_the_reset_forgets_no_table() -> None:
    """The sandbox's reset empties every table, or keeps it for a reason."""
    sql = "\n".join(migration.sql for migration in load_migrations())
    made = set(re.findall(r"^CREATE (?:VIRTUAL )?TABLE (\w+)", sql, re.MULTILINE))
    assert made - KEPT == set(data_tables()), (
        "a table that a reset keeps is in `_KEPT_BY_RESET` of store/tables.py, and in KEPT here"
    )
