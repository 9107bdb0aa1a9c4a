"""Sandboxes of one test alone: these tests look at processes, and stop them."""

from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.wire.client import WireClient


@pytest.fixture
def own_wire(own_sandbox: Server) -> Iterator[WireClient]:
    """A stranger's client of the test's own sandbox."""
    with WireClient(own_sandbox) as client:
        yield client
