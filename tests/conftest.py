"""Fixtures that start real servers."""

from collections.abc import Generator, Iterator

import pytest

from tests.servers import Server
from tests.wire.client import WireClient

OUTPUT_TAIL = 6000


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Server]:
    """One sandbox that all tests share; each test uses numbers and addresses of its own."""
    with Server("sandbox") as server:
        yield server
        assert server.is_running, server.output()[-OUTPUT_TAIL:]


@pytest.fixture
def own_sandbox() -> Iterator[Server]:
    """A sandbox for one test alone, which may wind its clock or reset it."""
    with Server("sandbox") as server:
        yield server


@pytest.fixture(scope="session")
def wire(sandbox: Server) -> Iterator[WireClient]:
    """A stranger's client of the shared sandbox."""
    with WireClient(sandbox) as client:
        yield client


@pytest.fixture
def own_wire(own_sandbox: Server) -> Iterator[WireClient]:
    """A stranger's client of the test's own sandbox."""
    with WireClient(own_sandbox) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the server wrote beside a failure."""
    report = yield
    fixtures: dict[str, object] = getattr(item, "funcargs", {})
    if report.failed:
        for name, value in fixtures.items():
            if isinstance(value, Server):
                report.sections.append((f"output of {name}", value.output()[-OUTPUT_TAIL:]))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves tests that start a server of their own out of `make check`: each takes a second."""
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        if "own_sandbox" in fixtures or item.path.parent.name == "flows":
            item.add_marker(pytest.mark.slow)
