"""Guards of the contract's tables: what one line says, every reader knows.

An endpoint in the table without a handler, a refusal without a code or a table that the reset
forgets shows only when a user meets it. These guards name the step that was forgotten.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest
from google.protobuf.message import Message
from msgspec import Struct

from hupan.api.errors import WIRE_ERROR_BY_EXCEPTION
from hupan.api.routes import build_router
from hupan.contract.endpoints import ENDPOINTS, Endpoint
from hupan.contract.errors import INVALID_FIELD, UNREADABLE_BODY, WIRE_ERRORS, ResultClass
from hupan.errors import AppError
from hupan.store.database import DATA_TABLES
from hupan.store.migrate import load_migrations

Line = Endpoint[Any, Any, Any]
KEPT = {"counters", "migrations"}


def leaves(kind: type[AppError]) -> set[type[AppError]]:
    """A refusal and all below it, without the root."""
    below = {leaf for child in kind.__subclasses__() for leaf in leaves(child)}
    return below | (set() if kind is AppError else {kind})


def test_every_endpoint_has_a_handler() -> None:
    """A line in endpoints.py needs a line in routes.py, and the other way round."""
    table = build_router(None).table  # type: ignore[arg-type] # services are not asked while routing
    assert set(table) == {line.key for line in ENDPOINTS}


def test_no_endpoint_stands_twice() -> None:
    """Surface, method and path name one endpoint."""
    assert [
        key for key, times in Counter(line.key for line in ENDPOINTS).items() if times > 1
    ] == []


@pytest.mark.parametrize("line", ENDPOINTS, ids=lambda line: f"{line.surface} {line.path}")
def test_every_endpoint_has_a_golden(line: Line) -> None:
    """A test that never passes through the contract names the path of each endpoint."""
    here = Path(__file__).parents[1] / "wire"
    written = "\n".join(file.read_text("utf-8") for file in here.glob("*.py"))
    assert line.path.removeprefix("/v1/") in written


def test_every_refusal_reaches_the_wire() -> None:
    """A refusal without a failure would be an internal error to its user."""
    assert set(WIRE_ERROR_BY_EXCEPTION) == leaves(AppError)


def test_codes_are_told_apart() -> None:
    """No two failures share a code, but for the two that wire.md 2 gives one number."""
    codes = Counter(failure.code for failure in WIRE_ERRORS)
    assert {code for code, times in codes.items() if times > 1} == {INVALID_FIELD.code}
    assert UNREADABLE_BODY.code == INVALID_FIELD.code


@pytest.mark.parametrize("failure", WIRE_ERRORS, ids=lambda failure: str(failure.code))
def test_every_failure_speaks_both_languages(failure: Any) -> None:  # noqa: ANN401 - a row of the table
    """Chinese has Chinese characters, English none, and the result is one of the classes."""
    assert re.search("[\u4e00-\u9fff]", failure.zh)
    assert failure.en.isascii()
    assert failure.result in get_args(ResultClass)


def test_types_travel_as_json_or_protobuf() -> None:
    """There is no third form."""
    for line in ENDPOINTS:
        assert issubclass(line.request, Struct | Message)
        assert issubclass(line.response, Struct | Message)


def test_the_reset_forgets_no_table() -> None:
    """Every table of the schema is emptied by the sandbox's reset, or kept for a reason."""
    sql = "\n".join(migration.sql for migration in load_migrations())
    made = set(re.findall(r"^CREATE (?:VIRTUAL )?TABLE (\w+)", sql, re.MULTILINE))
    assert made - KEPT == set(DATA_TABLES)
