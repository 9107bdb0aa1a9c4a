"""The fixtures `hupan` and `hupan_async`: an empty sandbox for each test.

What clients sent to the sandbox during a test that fails is part of its report.

A run that uses neither imports this file only: slow imports stand where they are needed.
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
    """Where this worker's sandbox is; it starts when it is first asked for."""
    from pytest_hupan.server import SandboxProcess  # noqa: PLC0415 - see above

    with SandboxProcess(pytestconfig.getini("hupan_args")) as process:
        yield process.url


@pytest.fixture
def hupan(hupan_url: str) -> "Iterator[Sandbox]":
    """An empty sandbox: `url`, `accounts`, `outbox`, `clock`, `faults`, `requests`."""
    from hupan_client import Sandbox  # noqa: PLC0415 - see above

    with Sandbox(hupan_url) as sandbox:  # of this test alone, which may close it
        sandbox.reset()
        yield sandbox


@pytest.fixture
def hupan_async(hupan: "Sandbox") -> "AsyncSandbox":
    """The same, with methods that are awaited; it keeps no connection and needs no closing."""
    from hupan_client import AsyncSandbox  # noqa: PLC0415 - see above

    return AsyncSandbox(hupan.url, keeps_connections=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the journal of the sandbox to the report of a test that fails."""
    report = yield
    fixtures: dict[str, object] = getattr(item, "funcargs", {})
    if report.failed and call.when == "call" and "hupan" in fixtures:
        from pytest_hupan.journal import describe_requests  # noqa: PLC0415 - see above

        report.sections.append(("Requests to the sandbox", describe_requests(fixtures["hupan"])))
    return report
