"""Two serving processes and a third one that writes: `hupan serve --workers 2` (T6, R14 c)."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from hupan.domain.accounts import Bans
from hupan.store.sessions import delete_sessions
from tests.support.client import WireClient
from tests.support.servers import Server
from tests.support.two_workers import folder, one_of_each, server, third_process
from tests.support.world import World

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]
__all__ = ["folder", "server"]

LOAD_SECONDS = 8.0
CLIENTS = 6
MOST_REQUESTS = 20_000
NOT_SIGNED_IN, BANNED = -101, 7100


def sign_out(here: WireClient, token: str, _other: str, _home: World) -> None:
    """Sign out as the session's owner."""
    assert here.post("user/logout", token=token).code == 1


def take_offline(here: WireClient, _token: str, other: str, _home: World) -> None:
    """End the session from another device of the account."""
    assert here.post("user/device-offline", {"deviceId": "d"}, token=other).code == 1


def sign_in_again(_here: WireClient, token: str, _other: str, world: World) -> None:
    """Open a new session on the same device, in the third process."""
    caller = asyncio.run(world.caller(token))
    asyncio.run(world.sign_in(caller.account.id, "d"))


def end_all(_here: WireClient, token: str, _other: str, world: World) -> None:
    """End every session of the account, in the third process."""
    account = asyncio.run(world.caller(token)).account.id
    asyncio.run(
        world.engine.run_transaction(
            lambda tx: delete_sessions(tx, account, "operator", int(time.time()))
        )
    )


def cancel(_here: WireClient, token: str, _other: str, world: World) -> None:
    """Cancel the account, in the third process."""
    asyncio.run(
        world.account_deletion.cancel_by_operator(asyncio.run(world.caller(token)).account.id)
    )


def ban(_here: WireClient, token: str, _other: str, world: World) -> None:
    """Ban the account, in the third process."""
    account = asyncio.run(world.caller(token)).account.id
    asyncio.run(Bans(world.engine, world.clock).ban(account, "test"))


def test_what_ends_a_session_holds_everywhere_at_once(server: Server, folder: Path) -> None:
    """A token ended by one process is refused by each at its next request (T6)."""
    ways: list[tuple[Callable[[WireClient, str, str, World], None], int]] = [
        (sign_out, NOT_SIGNED_IN),
        (take_offline, NOT_SIGNED_IN),
        (sign_in_again, NOT_SIGNED_IN),
        (end_all, NOT_SIGNED_IN),
        (cancel, NOT_SIGNED_IN),
        (ban, BANNED),
    ]
    with third_process(folder) as world, one_of_each(server) as (here, there):
        for way, refused in ways:
            account = asyncio.run(world.account_id())
            token, other = (asyncio.run(world.sign_in(account, name)) for name in ("d", "other"))
            for client in (there, here, there, here):
                assert client.own_info(token).code == 1
            way(here, token, other, world)
            assert there.own_info(token).code == refused, way.__name__
            assert here.own_info(token).code == refused, way.__name__


class Load:
    """Concurrent requests of several clients, bounded in time and number."""

    def __init__(self, server: Server, user_id: str) -> None:
        self.server = server
        self.user_id = user_id
        self.over = threading.Event()
        self.fresh: list[str] = []
        self.done: list[str] = []
        self.ended_tokens: list[str] = []

    def run(self, seed: int) -> None:
        """Run one client; check every response."""
        chance = random.Random(seed)  # noqa: S311 - which request comes next
        steps = [self.look, self.look, self.read, self.guess, self.leave]
        with WireClient(self.server) as client:
            for _ in range(MOST_REQUESTS // CLIENTS):
                if self.over.is_set():
                    return
                step = chance.choice(steps)
                step(client, chance)
                self.done.append(step.__name__)

    def look(self, client: WireClient, chance: random.Random) -> None:
        """Read the own account with the token of a live session."""
        if self.fresh:
            token = chance.choice(self.fresh)
            assert client.own_info(token).code == 1 or token not in self.fresh

    def read(self, client: WireClient, _chance: random.Random) -> None:
        """Read another account."""
        assert client.get_user(self.user_id).code == 1

    def guess(self, client: WireClient, chance: random.Random) -> None:
        """Guess at a code: the attempt is counted, which is a write."""
        assert client.sign_in(f"139{chance.randrange(10**8):08}", "000000").code == 1202

    def leave(self, client: WireClient, _chance: random.Random) -> None:
        """Sign out, which is a write; afterwards every process refuses the token."""
        if len(self.fresh) > CLIENTS:
            token = self.fresh.pop()
            assert client.post("user/logout", token=token).code == 1
            self.ended_tokens.append(token)


async def feed(world: World, load: Load) -> None:
    """Write in the third process too: new accounts with sessions, until the time is over."""
    ends_at = time.monotonic() + LOAD_SECONDS
    while time.monotonic() < ends_at:
        accounts = await asyncio.gather(*(world.account_id() for _ in range(4)))
        load.fresh += await asyncio.gather(*(world.sign_in(account) for account in accounts))
        await asyncio.sleep(0.01)


async def test_three_writers_get_along(server: Server, folder: Path) -> None:
    """Under a mixed load no client gets Busy, and nothing is lost (R14 c, J1, J6)."""
    async with third_process(folder) as world:
        load = Load(server, str(await world.account_id()))
        with ThreadPoolExecutor(CLIENTS) as pool:
            parts = [pool.submit(load.run, seed) for seed in range(CLIENTS)]
            try:
                await feed(world, load)
            finally:
                load.over.set()
            for part in parts:
                part.result(timeout=30)
    assert {"look", "read", "guess", "leave"} == set(load.done)
    assert "error" not in server.output().lower()
    with one_of_each(server) as clients:
        for client in clients:
            assert {client.own_info(token).code for token in load.fresh[-50:]} == {1}
            assert {client.own_info(token).code for token in load.ended_tokens[-50:]} == {-101}
    server.stop()
    file = apsw.Connection(str(folder / "hupan.db"))
    assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    file.close()
