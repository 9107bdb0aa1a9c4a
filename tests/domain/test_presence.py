"""Which process has a connected account, and for how long that counts (wire.md 8.1).

A killed process leaves no account connected; an account has up to ten sockets (security X5).
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.domain.presence import (
    ALIVE_MS,
    FORGET_MS,
    MAX_SOCKETS_PER_ACCOUNT,
    RECHECK_SECONDS,
    RENEW_SECONDS,
    SURPLUS_SECONDS,
    Connection,
    Presence,
)
from hupan.domain.session_ends import SessionEndFeed
from hupan.domain.sessions import SessionPolicy
from hupan.errors import NotSignedIn
from hupan.model import AccountId, StoreUnavailable
from tests.support.stores import open_store
from tests.support.world import World, open_world


class Link:
    """A socket that records how it was closed."""

    def __init__(self) -> None:
        self.closed = ""
        self.messages: list[bytes] = []

    def end(self) -> None:
        """End because the session ended."""
        self.closed = "ended"

    def give_way(self) -> None:
        """Close because the account has too many sockets."""
        self.closed = "surplus"

    def pass_on(self, message: bytes) -> None:
        """Record a draft."""
        self.messages.append(message)


class Process:
    """The presence of one process, on a separate connection to the store."""

    def __init__(self, world: World, place: Path, number: int) -> None:
        self.world = world
        self.number = number
        self.engine = open_store(place)
        self.feed = SessionEndFeed(self.engine)
        self.time = 1000.0 * number
        self.presence = Presence(
            self.engine,
            world.clock,
            world.sessions,
            self.feed,
            number,
            time=lambda: self.time,
        )

    async def connect(self, token: str) -> tuple[Link, Connection]:
        """Log in a socket."""
        link = Link()
        return link, await self.presence.log_in(link, token, None)

    async def round(self, seconds: float = 0.0) -> None:
        """Let some time pass, and do what is due."""
        self.time += seconds
        await self.presence.run_round()

    async def settle(self) -> None:
        """Read ended sessions, and let the look-ups run."""
        await self.feed.poll()
        for _ in range(20):
            await asyncio.sleep(0.005)


async def close(*processes: Process) -> None:
    """Close the stores."""
    for process in processes:
        await process.engine.close()


async def token_hash(world: World, token: str) -> bytes:
    """Return the key of a session."""
    return (await world.caller(token)).session.token_hash


async def set_alive(world: World, number: int, ago_ms: int) -> None:
    """Set the last sign of life of a process to some time ago."""
    sql = "UPDATE socket_processes SET alive_at = alive_at - ?2 WHERE process = ?1"
    await world.engine.run_transaction(lambda tx: tx.execute(sql, number, ago_ms))


async def test_other_processes_see_connections(tmp_path: Path) -> None:
    """Others see the time of the connection until it ends; its own process sees it at once."""
    async with open_world(tmp_path / "hupan.db") as world:
        one, two = (Process(world, tmp_path / "hupan.db", number) for number in (1, 2))
        account = await world.account_id()
        token = await world.sign_in(account)
        key = await token_hash(world, token)
        _, first = await one.connect(token)
        assert await one.presence.connected_since(account) == {key: first.connected_at}
        assert await two.presence.connected_since(account) == {}
        await one.round()
        world.clock.time += 60
        await two.connect(token)
        for process in (one, two):
            await process.round(RENEW_SECONDS)
            assert await process.presence.connected_since(account) == {key: first.connected_at}
        one.presence.log_out(first)
        await one.round()
        since = await one.presence.connected_since(account)
        assert since == {key: first.connected_at + 60}
        await close(one, two)


async def test_a_socket_that_comes_and_goes_is_never_written(tmp_path: Path) -> None:
    """A connection that ends before the round costs the store nothing."""
    async with open_world(tmp_path / "hupan.db") as world:
        one = Process(world, tmp_path / "hupan.db", 1)
        token = await world.sign_in(await world.account_id())
        for _ in range(50):
            _, connection = await one.connect(token)
            one.presence.log_out(connection)
        await one.round()
        assert await world.count("sockets") == 0
        await close(one)


async def test_a_killed_process_has_no_connections(tmp_path: Path) -> None:
    """Its rows count for some time, and are deleted later."""
    async with open_world(tmp_path / "hupan.db") as world:
        killed, next_one = (Process(world, tmp_path / "hupan.db", number) for number in (1, 2))
        account = await world.account_id()
        token = await world.sign_in(account)
        await killed.connect(token)
        await killed.round()
        assert len(await next_one.presence.connected_since(account)) == 1
        await set_alive(world, 1, ALIVE_MS + 60_000)
        next_one.time += RENEW_SECONDS
        assert await next_one.presence.connected_since(account) == {}
        assert await world.count("sockets") == 1
        await set_alive(world, 1, FORGET_MS)
        await next_one.connect(token)
        await next_one.round(RENEW_SECONDS)
        assert await world.count("socket_processes") == 1
        assert await world.rows("SELECT process FROM sockets") == [(2,)]
        await close(killed, next_one)


async def test_a_process_that_stops_takes_its_rows_along(tmp_path: Path) -> None:
    """A stopped process leaves no rows."""
    async with open_world(tmp_path / "hupan.db") as world:
        one = Process(world, tmp_path / "hupan.db", 1)
        await one.connect(await world.sign_in(await world.account_id()))
        await one.round()
        await one.presence.stop()
        assert await world.count("sockets") == await world.count("socket_processes") == 0
        await close(one)


async def test_an_account_has_ten_sockets_over_all_processes(tmp_path: Path) -> None:
    """One more closes the oldest, in any process (security X5)."""
    async with open_world(tmp_path / "hupan.db") as world:
        processes = [Process(world, tmp_path / "hupan.db", number) for number in (1, 2, 3)]
        token = await world.sign_in(await world.account_id())
        links: list[Link] = []
        for number in range(MAX_SOCKETS_PER_ACCOUNT + 5):
            world.clock.time += 0.01
            process = processes[-number % 3]
            links.append((await process.connect(token))[0])
            await process.round()
        for process in processes:
            await process.round(SURPLUS_SECONDS)
        for process in processes:
            await process.round()
        assert [link.closed for link in links] == ["surplus"] * 5 + [""] * MAX_SOCKETS_PER_ACCOUNT
        assert await world.count("sockets") == MAX_SOCKETS_PER_ACCOUNT
        await close(*processes)


async def test_within_one_process_the_eleventh_closes_the_oldest_at_once(tmp_path: Path) -> None:
    """The store is not read."""
    async with open_world(tmp_path / "hupan.db") as world:
        one = Process(world, tmp_path / "hupan.db", 1)
        token = await world.sign_in(await world.account_id())
        links = [(await one.connect(token))[0] for _ in range(MAX_SOCKETS_PER_ACCOUNT + 1)]
        assert [link.closed for link in links] == ["surplus"] + [""] * MAX_SOCKETS_PER_ACCOUNT
        await close(one)


async def sign_out(world: World, account: AccountId, token: str) -> None:
    """Sign out as the owner."""
    del account
    await world.sessions.logout((await world.caller(token)).session)


async def ban(world: World, account: AccountId, token: str) -> None:
    """Ban as an operator."""
    del token
    await world.bans.ban(account, "spam")


@pytest.mark.slow
@pytest.mark.parametrize("way", [sign_out, ban])
async def test_the_end_of_a_session_closes_its_sockets(
    tmp_path: Path, way: Callable[[World, AccountId, str], Awaitable[None]]
) -> None:
    """This applies in every process, and to no other session (security T6)."""
    async with open_world(tmp_path / "hupan.db") as world:
        processes = [Process(world, tmp_path / "hupan.db", number) for number in (1, 2)]
        account = await world.account_id()
        token = await world.sign_in(account)
        stranger = await world.sign_in(await world.account_id())
        ended = [(await process.connect(token))[0] for process in processes]
        others = [(await process.connect(stranger))[0] for process in processes]
        await way(world, account, token)
        for process in processes:
            await process.settle()
        assert {link.closed for link in ended} == {"ended"}
        assert {link.closed for link in others} == {""}
        await close(*processes)


async def test_an_end_of_the_past_closes_no_later_login(tmp_path: Path) -> None:
    """A past ban ended the sockets of its time, not those of a later login."""
    async with open_world(tmp_path / "hupan.db") as world:
        one = Process(world, tmp_path / "hupan.db", 1)
        account = await world.account_id()
        token = await world.sign_in(account)
        await world.bans.ban(account, "spam")
        await world.bans.unban(account)
        link, _ = await one.connect(token)
        await one.settle()
        assert link.closed == ""
        await close(one)


async def test_a_session_is_looked_up_again_now_and_then(tmp_path: Path) -> None:
    """A missed end is found later; a lookup counts as use, so no connected session expires."""
    async with open_world(tmp_path / "hupan.db") as world:
        one = Process(world, tmp_path / "hupan.db", 1)
        account = await world.account_id()
        link, _ = await one.connect(await world.sign_in(account))
        await one.round()
        for _ in range(3):
            world.clock.time += SessionPolicy().idle_seconds - 1
            await one.round(RECHECK_SECONDS)
        assert link.closed == ""
        sql = "DELETE FROM sessions WHERE account_id = ?1"
        await world.engine.run_transaction(lambda tx: tx.execute(sql, account))
        await one.round(RECHECK_SECONDS - 1)
        assert link.closed == ""
        await one.round(1)
        assert link.closed == "ended"
        await close(one)


async def test_an_invalid_token_connects_nothing(tmp_path: Path) -> None:
    """A malformed, unknown or signed-out token connects nothing."""
    async with open_world(tmp_path / "hupan.db") as world:
        one = Process(world, tmp_path / "hupan.db", 1)
        token = await world.sign_in(await world.account_id())
        await world.sessions.logout((await world.caller(token)).session)
        for wrong in ("", "x", token):
            with pytest.raises(NotSignedIn):
                await one.connect(wrong)
        assert len(one.presence) == 0
        await close(one)


@pytest.mark.one_engine
async def test_what_could_not_be_written_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store is away sockets stay, come and go; in the end the rows are right."""
    async with open_world(tmp_path / "hupan.db") as world:
        one = Process(world, tmp_path / "hupan.db", 1)
        account = await world.account_id()
        tokens = [await world.sign_in(account, f"device {number}") for number in range(3)]
        links = [await one.connect(token) for token in tokens]
        await one.round()

        async def fail(*_: object) -> None:
            raise StoreUnavailable("away")

        with monkeypatch.context() as away:
            away.setattr(one.engine, "run_transaction", fail)
            one.presence.log_out(links[0][1])
            with pytest.raises(StoreUnavailable):
                await one.round()
        await one.round()
        rows = await world.rows("SELECT number FROM sockets ORDER BY number")
        assert rows == [(links[1][1].number,), (links[2][1].number,)]
        assert links[1][0].closed == ""
        await close(one)
