"""Give each test its own sandbox: these tests inspect processes, and stop them."""

from collections.abc import Iterator

import pytest

from tests.support.client import WireClient
from tests.support.servers import Server


@pytest.fixture
def own_wire(own_sandbox: Server) -> Iterator[WireClient]:
    """Yield an unauthenticated client of the test's own sandbox.

    Each request has a connection of its own: a kept one has its place already.
    """
    with WireClient(own_sandbox, is_kept=False) as client:
        yield client
