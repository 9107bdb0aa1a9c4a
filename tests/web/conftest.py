"""One browser and one sandbox for each file of browser tests."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import open_browser
from tests.support.client import WireClient
from tests.support.servers import CHEAP_HASHES, Server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield the system's chromium."""
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def shown_sandbox() -> Iterator[Server]:
    """Yield a sandbox for tests of its pages."""
    with Server("sandbox", environment=CHEAP_HASHES) as server:
        yield server


@pytest.fixture(scope="module")
def shown_wire(shown_sandbox: Server) -> Iterator[WireClient]:
    """Yield a client of that sandbox."""
    with WireClient(shown_sandbox) as client:
        yield client
