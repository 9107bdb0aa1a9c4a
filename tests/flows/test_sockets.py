"""Sockets of a server with several processes, and failures of a process or the store.

The end of a session closes its sockets in every process (security T6); a process that stops
tells its clients (R17).
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.answers import read_answer
from tests.support.client import WireClient
from tests.support.commands import run_hupan
from tests.support.fault_clients import seconds_until_writes
from tests.support.replicas import Pair, server_on
from tests.support.servers import Server
from tests.support.sockets import SocketClient
from tests.support.stores import STORES, EngineName
from tests.support.two_workers import third_process, worker_pids
from tests.support.world import World

pytestmark = pytest.mark.slow

ENDED, GOING_AWAY, ABNORMAL = 4001, 1001, 1006
WORKERS = 4
SOCKETS = 10
START_SECONDS = 60.0


@pytest.fixture(scope="module")
def folder(engine: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of the server."""
    return tmp_path_factory.mktemp(engine) / "data"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """Yield a server of four processes, for all tests here."""
    arguments = ("--workers", str(WORKERS), "--data-dir", str(folder))
    with Server("serve", *arguments, environment={"HUPAN_LIMITS_ENABLED": "false"}) as running:
        deadline = time.monotonic() + START_SECONDS
        while running.url not in running.output():  # printed once every process is ready
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield running


async def signed_in(world: World, sockets: int) -> tuple[str, list[str]]:
    """Return an account, and a token for each of its devices."""
    account = await world.account_id()
    return str(account), [await world.sign_in(account) for _ in range(sockets)]


def devices(wire: WireClient, token: str) -> list[int]:
    """Return the times since which the account's devices are connected or signed in."""
    reply = wire.request("GET", "/v1/user/clients", token=token)
    answer = read_answer(reply.status_code, reply.headers, reply.content)
    assert answer.message is not None
    return [one.number(5) for one in answer.message.messages(2)]


async def test_a_ban_by_the_command_line_closes_all_sockets(server: Server, folder: Path) -> None:
    """Ten sockets on four processes are closed by a process that is no server (security T6)."""
    async with third_process(folder) as world:
        account, tokens = await signed_in(world, SOCKETS)
        _, (stranger,) = await signed_in(world, 1)
        sockets = [SocketClient(server.port).log_in(token) for token in tokens]
        with SocketClient(server.port).log_in(stranger) as other:
            words = ("account", "ban", account, "--reason", "spam", "--data-dir", folder)
            variables = {**os.environ, **STORES.environment(folder)}
            done = await asyncio.to_thread(run_hupan, *words, environment=variables)
            assert done.returncode == 0, done.stderr
            assert [socket.closed() for socket in sockets] == [ENDED] * SOCKETS
            other.beat()


async def test_a_killed_worker_takes_only_its_own_sockets(server: Server, folder: Path) -> None:
    """After kill -9 of one of four its clients reconnect, and no row remains."""
    async with third_process(folder) as world:
        _, tokens = await signed_in(world, SOCKETS)
        sockets = [SocketClient(server.port).log_in(token) for token in tokens]
        os.kill(worker_pids(server)[0], signal.SIGKILL)
        left = []
        for socket in sockets:
            try:
                socket.beat()
            except Exception:  # noqa: BLE001 - the client may notice it in any way
                assert socket.closed() == ABNORMAL
            else:
                left.append(socket)
        for token in tokens:
            with SocketClient(server.port).log_in(token):
                pass
        for socket in left:
            socket.beat()
        assert "Traceback" not in server.output()


async def test_any_process_shows_connected_devices(server: Server, folder: Path) -> None:
    """A connected device is shown first, by any process."""
    async with third_process(folder) as world:
        _, tokens = await signed_in(world, 3)
        long_ago = "UPDATE sessions SET signed_in_at = signed_in_at - 1000"
        await world.engine.run_transaction(lambda tx: tx.execute(long_ago))
        with SocketClient(server.port).log_in(tokens[0]):
            deadline = time.monotonic() + 20
            agreed = 0
            while agreed < 2 * WORKERS and time.monotonic() < deadline:
                with WireClient(server) as wire:
                    first, *others = devices(wire, tokens[1])
                    agreed = agreed + 1 if first - max(others) > 900 else 0
            assert agreed == 2 * WORKERS


async def test_drafts_reach_every_process(server: Server, folder: Path) -> None:
    """The account's sockets in any process get it; the store keeps no draft (wire.md 8.1)."""
    async with third_process(folder) as world:
        _, tokens = await signed_in(world, SOCKETS)
        writer, *readers = (SocketClient(server.port).log_in(token) for token in tokens)
        for reader in readers:
            assert b"draft_input" in reader.next_draft(writer, "x")
        deadline = time.monotonic() + 20
        while await world.count("drafts"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        for socket in (writer, *readers):
            socket.connection.close()


async def test_a_server_that_stops_says_so(server: Server, folder: Path) -> None:
    """On SIGTERM every socket gets 1001, and clients connect to the next server (R17)."""
    async with third_process(folder) as world:
        account, tokens = await signed_in(world, SOCKETS)
        sockets = [SocketClient(server.port).log_in(token) for token in tokens]
        assert server.stop() == 0
        assert [socket.closed() for socket in sockets] == [GOING_AWAY] * SOCKETS
        left = "SELECT count(*) FROM sockets WHERE account_id = ?1"
        assert await world.row(left, int(account)) == (0,)
        server.start()
        for token in tokens:
            with SocketClient(server.port).log_in(token) as socket:
                socket.beat()
        assert "Traceback" not in server.output()


@pytest.mark.one_engine
def test_a_store_that_fails_over(tmp_path: Path) -> None:
    """Sockets stay open and are answered meanwhile; afterwards an end closes them as before."""
    with Pair() as pair, server_on(pair, tmp_path) as server, WireClient(server) as wire:
        tokens = [wire.account().token for _ in range(3)]
        sockets = [SocketClient(server.port).log_in(token) for token in tokens]
        pair.primary.kill()
        for socket in sockets:
            socket.beat()
        pair.promote()
        seconds_until_writes(server.port)
        for socket in sockets:
            socket.beat()
        assert wire.post("user/logout", token=tokens[0]).code == 1
        assert sockets[0].closed() == ENDED
        with SocketClient(server.port).log_in(tokens[1]) as again:
            again.beat()
        for socket in sockets[1:]:
            socket.beat()
            socket.connection.close()
