"""The fixtures `hupan` and `hupan_async`: an empty sandbox for each test.

The report of a failed test has the requests that the sandbox received.

A run that uses neither imports only this file: slow imports are inside the functions.
"""

from collections.abc import Generator, Iterator
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
    """Yield the URL of this worker's sandbox; it starts on first use."""
    from pytest_hupan.server import SandboxProcess  # noqa: PLC0415 - see above

    with SandboxProcess(pytestconfig.getini("hupan_args")) as process:
        yield process.url


@pytest.fixture
def hupan(hupan_url: str) -> "Iterator[Sandbox]":
    """Yield an empty sandbox: `url`, `accounts`, `outbox`, `clock`, `faults`, `requests`."""
    from hupan_client import Sandbox  # noqa: PLC0415 - see above

    with Sandbox(hupan_url) as sandbox:  # of this test only, which may close it
        sandbox.reset()
        yield sandbox


@pytest.fixture
def hupan_async(hupan: "Sandbox") -> "AsyncSandbox":
    """Return the same, with awaitable methods; it keeps no connection and needs no closing."""
    from hupan_client import AsyncSandbox  # noqa: PLC0415 - see above

    return AsyncSandbox(hupan.url, keeps_connections=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the journal of the sandbox to the report of a failed test."""
    report = yield
    fixtures: dict[str, object] = getattr(item, "funcargs", {})
    if report.failed and call.when == "call" and "hupan" in fixtures:
        from pytest_hupan.journal import describe_requests  # noqa: PLC0415 - see above

        report.sections.append(("Requests to the sandbox", describe_requests(fixtures["hupan"])))
    return report
