"""Give each test its own sandbox: these tests inspect processes, and stop them."""

from collections.abc import Iterator

import pytest

from tests.support.client import WireClient
from tests.support.servers import Server


@pytest.fixture
def own_wire(own_sandbox: Server) -> Iterator[WireClient]:
    """Yield an unauthenticated client of the test's own sandbox."""
    with WireClient(own_sandbox) as client:
        yield client
