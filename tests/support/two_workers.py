"""A server of two worker processes, and clients connected to a chosen one."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hupan.crypto import SecretBox, load_or_create_key
from tests.support.client import WireClient
from tests.support.servers import Server
from tests.support.world import World, open_world

MOST_CONNECTIONS = 200
REQUESTS_OF_A_PROCESS = 2**36


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the data folder of the server."""
    return tmp_path / "data"


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """Yield a server of two processes on one SQLite file."""
    arguments = ("--workers", "2", "--data-dir", str(folder))
    unlimited = {"HUPAN_LIMITS_ENABLED": "false"}  # the load comes from one address
    with Server("serve", *arguments, environment=unlimited) as running:
        yield running


def third_process(folder: Path) -> World:
    """Return the store as another process has it: its own engine, with the server's key."""
    secret_box = SecretBox(load_or_create_key(folder / "secret.key"))
    world = open_world(folder / "hupan.db", secret_box=secret_box)
    world.clock.time = time.time()
    return world


def process_of(client: WireClient) -> int:
    """Return the number of the process behind a client's one connection (wire.md 1.8)."""
    return client.post("user/medal").request_id // REQUESTS_OF_A_PROCESS


@contextmanager
def one_of_each(server: Server) -> Iterator[tuple[WireClient, WireClient]]:
    """Yield two clients, each with a kept-alive connection to a different process."""
    with ExitStack() as stack:
        found: dict[int, WireClient] = {}
        for _ in range(MOST_CONNECTIONS):
            client = stack.enter_context(WireClient(server, kept=1))
            found.setdefault(process_of(client), client)
            if len(found) == 2:
                break
        first, second = found.values()
        yield first, second
        assert {process_of(first), process_of(second)} == set(found)
