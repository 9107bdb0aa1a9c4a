"""The client has one method for each row of the contract's table, and sends what it says.

The story: another project wrote a client library by hand next to its server. A year later
it had methods for removed endpoints, and none for those that its users asked for most.
"""

import ast
import inspect
import sys
import tomllib
from typing import Any

import pytest
from hupan_client import AsyncClient, AsyncSandbox, Client, Sandbox, calls, errors
from hupan_client.calls import Call
from packaging.requirements import Requirement

from hupan.contract import AREAS
from hupan.contract.endpoints import AllowLoggedOut, Endpoint, Public
from hupan.errors import APP_ERRORS, MissingToken
from tests.support.both_clients import method_names
from tools.clients import ROOT, made_files, make_twin

LINES: dict[str, Endpoint[Any, Any, Any]] = {
    name: line for area in AREAS for name, line in vars(area).items() if isinstance(line, Endpoint)
}
ARGUMENTS: dict[str, Any] = {
    "str": "x",
    "str | None": "x",
    "int": 1,
    "int | None": 1,
    "float | None": 1.0,
    "bool": True,
    "collections.abc.Mapping[str, str] | None": {"k": "v"},
    "Literal['forget_password', '']": "",
}


def call_of(name: str) -> Call[Any]:
    """Return the call of a row, with some value for each argument."""
    make = getattr(calls, name)
    named = inspect.signature(make).parameters
    given = {key: ARGUMENTS[inspect.formatannotation(p.annotation)] for key, p in named.items()}
    call: Call[Any] = make(**given)
    return call


@pytest.mark.parametrize("name", LINES)
def test_each_line_has_its_method(name: str) -> None:
    """Surface, method, path and form agree; the token is sent where required (wire.md 4)."""
    line, call = LINES[name], call_of(name)
    assert (call.surface, call.method, call.path) == line.key
    assert call.form == ("json" if hasattr(line.response, "__struct_fields__") else "protobuf")
    assert call.sends_token == (not isinstance(line.access, Public))
    assert call.ends_session == (
        isinstance(line.access, AllowLoggedOut) or name == "cancel_account"
    )
    assert call.is_login == (line.response.__name__ == "LoginToken")
    for client in (Client, AsyncClient):
        assert name in method_names(client), (
            "add the method to _async/client.py of clients/hupan-client, then run make clients"
        )


def test_no_method_is_left_over() -> None:
    """The other methods are those that every client has."""
    functions = inspect.getmembers(calls, inspect.isfunction)
    own = {name for name, one in functions if one.__module__ == calls.__name__}
    assert {name for name in own if not name.startswith("_")} == set(LINES), (
        "calls.py of clients/hupan-client has one function for each line, with its name; the lines "
        "of a new area count once it is in AREAS of contract/__init__.py"
    )
    assert method_names(Client) - set(LINES) == {"close", "socket", "upload_picture"}
    assert method_names(AsyncClient) - set(LINES) == {"aclose", "socket", "upload_picture"}


def test_both_halves_have_the_same_methods() -> None:
    """Both halves have the same methods with the same parameters."""
    for one, other in ((AsyncClient, Client), (AsyncSandbox, Sandbox)):
        for name in method_names(one) - {"aclose"}:
            ours, twin = (inspect.signature(getattr(half, name)) for half in (one, other))
            assert list(ours.parameters) == list(twin.parameters)


def test_what_is_made_is_up_to_date() -> None:
    """`make clients` changes nothing: neither the synchronous half nor the errors."""
    made = made_files()
    assert {path.name for path in made} >= {"client.py", "http.py", "sandbox.py", "errors.py"}
    for path, text in made.items():
        assert path.read_text("utf-8") == text, "run make clients"


def test_a_twin_does_not_wait() -> None:
    """No `await` or `async` is left, and classes have the plain name."""
    source = "class AsyncA:\n    async def f(self) -> None:\n        await self.aclose()\n"
    assert make_twin(source) == "class A:\n    def f(self) -> None:\n        self.close()\n"


@pytest.mark.parametrize("error", [e for e in APP_ERRORS if e is not MissingToken])
def test_each_error_of_the_server_is_a_class(error: type[Any]) -> None:
    """The class has the error's name, code and both texts (wire.md 2)."""
    refusal = getattr(errors, error.__name__)
    assert issubclass(refusal, errors.Refusal)
    assert (refusal.code, refusal.zh, refusal.en) == (error.code, error.zh, error.en)


def test_no_error_is_left_over() -> None:
    """Every code in the tree exists in the server."""
    known = {error.__name__ for error in APP_ERRORS}
    assert {one.__name__ for one in errors.refusal_types()} == known - {"MissingToken"}


def imported(package: str) -> set[str]:
    """Return the top-level packages that a project below clients/ imports."""
    found: set[str] = set()
    for path in (ROOT / "clients" / package / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("package", "libraries"),
    [
        ("hupan-client", {"httpx", "msgspec", "websockets"}),
        ("pytest-hupan", {"hupan", "hupan_client", "pytest"}),
    ],
)
def test_what_is_needed_is_declared(package: str, libraries: set[str]) -> None:
    """Each project declares three libraries, with bounds; the client needs no server."""
    text = (ROOT / "clients" / package / "pyproject.toml").read_text("utf-8")
    needed = [Requirement(one) for one in tomllib.loads(text)["project"]["dependencies"]]
    assert {one.name.replace("-", "_") for one in needed} == libraries
    assert all(one.specifier for one in needed)
    own = package.replace("-", "_")
    assert imported(package) - {own} == libraries - {"hupan"}  # hupan is run, not imported
