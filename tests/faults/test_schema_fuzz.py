"""Requests that schemathesis derives from docs/openapi.json get valid responses (R23)."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SOME = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(
    max_examples=1_500, derandomize=False, deadline=None, suppress_health_check=list(HealthCheck)
)


def json_alone(document: dict[str, Any]) -> dict[str, Any]:
    """Omit protobuf bodies, which have their own test."""
    for path in document["paths"].values():
        for operation in path.values():
            operation.get("requestBody", {}).get("content", {}).pop("application/x-protobuf", None)
    return document


Case: TypeAlias = schemathesis.Case[Any]


class Caller:
    """A VIP that gets a new account whenever a case ended the old one."""

    def __init__(self, server: Server, wire: WireClient) -> None:
        self._server = server
        self._wire = wire
        self._token = ""

    def send(self, case: Case) -> None:
        """Send one case and check its response."""
        if not self._token or self._wire.own_info(self._token).code != 1:
            self._token = self._wire.account(vipDays=30).token
        headers = {**dict(case.headers or {}), "token": self._token}
        reply = case.call(base_url=self._server.url, headers=headers)
        case.validate_response(reply, checks=CHECKS)
        assert reply.headers["x-result"] != ["error"], reply.content


@pytest.fixture(scope="module")
def caller(sandbox: Server, wire: WireClient) -> Caller:
    """Return one caller for all endpoints."""
    return Caller(sandbox, wire)


def play(caller: Caller, subtests: pytest.Subtests, how: settings) -> None:
    """Send cases to each endpoint; generating them here takes a second or more."""
    document = json_alone(json.loads(DOCUMENT.read_text("utf-8")))
    schema = schemathesis.openapi.from_dict(document)

    def send(case: Case) -> None:
        caller.send(case)

    for made in get_all_tests(schema=schema, test_func=send, settings=how, given_kwargs={}):
        assert isinstance(made, Ok)
        operation, test = made.ok()
        with subtests.test(operation=operation.label):
            test()


def test_some_cases_of_each_endpoint(caller: Caller, subtests: pytest.Subtests) -> None:
    """Every response matches the schema, without exception."""
    play(caller, subtests, SOME)


@pytest.mark.soak
def test_many_cases_of_each_endpoint(caller: Caller, subtests: pytest.Subtests) -> None:
    """The same holds in a long run."""
    play(caller, subtests, MANY)
