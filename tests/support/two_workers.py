"""A server of two worker processes, and clients connected to a chosen one."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hupan.crypto import SecretBox, load_or_create_key
from tests.support.client import WireClient
from tests.support.servers import Server
from tests.support.world import World, open_world

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


def worker_pids(server: Server) -> list[int]:
    """Return the process ids of a server's workers (Linux)."""
    pid = server.process.pid
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    commands = {int(one): Path(f"/proc/{one}/cmdline").read_bytes() for one in listed.split()}
    return [one for one, command in commands.items() if b"spawn_main" in command]


@contextmanager
def one_of_each(server: Server) -> Iterator[tuple[WireClient, WireClient]]:
    """Yield two clients, each with a kept-alive connection to a different process.

    While a client connects, one of the two processes stands still: a busy machine may otherwise
    give every connection to the same one.
    """
    with ExitStack() as stack:
        found: dict[int, WireClient] = {}
        for pid in worker_pids(server):
            client = stack.enter_context(WireClient(server, is_kept=True))
            os.kill(pid, signal.SIGSTOP)
            try:
                found[process_of(client)] = client
            finally:
                os.kill(pid, signal.SIGCONT)
        first, second = found.values()
        yield first, second
        assert {process_of(first), process_of(second)} == set(found)
