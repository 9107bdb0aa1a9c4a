"""The fixtures `hupan` and `hupan_async`: an empty sandbox for each test.

A run that uses neither pays for this file alone, so what costs time is imported by who needs it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # they take a fifth of a second
    from hupan_client import AsyncSandbox, Sandbox


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting of further arguments of the sandbox."""
    parser.addini(
        "hupan_args", "further arguments of `hupan sandbox`, such as --limits", type="args"
    )


@pytest.fixture(scope="session")
def hupan_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """Where this worker's sandbox is; it starts when it is first asked for."""
    from pytest_hupan.server import SandboxProcess  # noqa: PLC0415 - see above

    with SandboxProcess(pytestconfig.getini("hupan_args")) as process:
        yield process.url


@pytest.fixture(scope="session")
def _hupan_session(hupan_url: str) -> "Iterator[Sandbox]":
    from hupan_client import Sandbox  # noqa: PLC0415 - see above

    with Sandbox(hupan_url) as sandbox:
        yield sandbox


@pytest.fixture
def hupan(_hupan_session: "Sandbox") -> "Sandbox":
    """An empty sandbox: `url`, `accounts`, `outbox`, `clock`, `client()`, `sign_in()`."""
    _hupan_session.reset()
    return _hupan_session


@pytest.fixture
def hupan_async(hupan: "Sandbox") -> "AsyncSandbox":
    """The same, with methods that are awaited; it keeps no connection and needs no closing."""
    from hupan_client import AsyncSandbox  # noqa: PLC0415 - see above

    return AsyncSandbox(hupan.url, keeps_connections=False)
