"""Drafts reach the account's sockets in other processes, and are not stored (wire.md 8.1)."""

from pathlib import Path

from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.drafts import (
    HELD_SECONDS,
    MAX_DRAFTS_FOR_PROCESS,
    MAX_DRAFTS_PER_ROUND,
    MAX_HELD,
    MAX_HELD_OF_ACCOUNT,
    STALE_SECONDS,
    Drafts,
)
from hupan.domain.presence import FORGET_MS, RENEW_SECONDS, Connection, Presence
from hupan.domain.session_ends import SessionEndFeed
from hupan.store.database import Database
from tests.support.stores import open_store
from tests.support.world import World, open_world

BOX = SecretBox(b"k" * KEY_BYTES)


class Link:
    """A socket that records what it receives."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def end(self) -> None:
        """Fail, since no test ends a session."""
        raise AssertionError

    def give_way(self) -> None:
        """Fail, since no test opens too many."""
        raise AssertionError

    def pass_on(self, message: bytes) -> None:
        """Record a draft."""
        self.messages.append(message)


class Process:
    """The sockets and drafts of one process, on a separate connection to the store."""

    def __init__(self, world: World, place: Path, number: int, box: SecretBox = BOX) -> None:
        self.engine = open_store(place)
        self.time = 0.0
        self.number = number
        self.presence = Presence(
            *(self.engine, world.clock, world.sessions, SessionEndFeed(self.engine), number),
            time=lambda: self.time,
        )
        self.drafts = Drafts(self.engine, box, self.presence, number, time=lambda: self.time)

    async def connect(self, token: str) -> tuple[Link, Connection]:
        """Log in a socket, and record that in the store."""
        link = Link()
        connection = await self.presence.log_in(link, token, None)
        await self.presence.run_round()
        return link, connection


async def rounds(*processes: Process) -> None:
    """Run one round of each, in this order."""
    for process in processes:
        await process.drafts.run_round()


async def content(database: Database) -> list[bytes]:
    """Return the content of the store."""
    return [bytes(row[0]) for row in await database.fetch_all("SELECT content FROM drafts")]


async def test_drafts_reach_sockets_of_other_processes(tmp_path: Path) -> None:
    """They arrive in order, once, for this account only; the store keeps none of the text."""
    place = tmp_path / "hupan.db"
    async with open_world(place) as world:
        one, two, three = (Process(world, place, number) for number in (1, 2, 3))
        account, stranger = await world.account_id(), await world.account_id()
        writer, sender = await one.connect(await world.sign_in(account))
        near, _ = await one.connect(await world.sign_in(account))
        far, _ = await two.connect(await world.sign_in(account))
        other, _ = await two.connect(await world.sign_in(stranger))
        await three.connect(await world.sign_in(stranger))
        expected = [b"secret %d" % number for number in range(5)]
        for number, message in enumerate(expected):
            one.drafts.pass_on(sender, f"chat {number}", message)
        assert near.messages == expected  # without a round
        await rounds(one)
        stored = await content(world.engine)
        assert len(stored) == len(expected)
        assert not [one for one in stored if b"secret" in one]
        await rounds(three, two, one, two)
        assert far.messages == expected
        assert writer.messages == other.messages == []
        assert await content(world.engine) == []
        for process in (one, two, three):
            await process.engine.close()


async def test_a_later_draft_replaces_an_earlier_one(tmp_path: Path) -> None:
    """Of several drafts in one round, only the last text of each chat is passed on."""
    place = tmp_path / "hupan.db"
    async with open_world(place) as world:
        one, two = (Process(world, place, number) for number in (1, 2))
        account = await world.account_id()
        _, sender = await one.connect(await world.sign_in(account))
        far, _ = await two.connect(await world.sign_in(account))
        for number in range(50):
            one.drafts.pass_on(sender, "a", b"a%d" % number)
        one.drafts.pass_on(sender, "b", b"b")
        await rounds(one, two)
        assert far.messages == [b"a49", b"b"]
        one.drafts.pass_on(sender, "a", b"")
        await rounds(one, two)
        assert far.messages == [b"a49", b"b", b""]
        for process in (one, two):
            await process.engine.close()


async def test_a_socket_that_has_just_connected(tmp_path: Path) -> None:
    """A draft is held briefly for sockets that the store does not know yet, then dropped."""
    place = tmp_path / "hupan.db"
    async with open_world(place) as world:
        one, two = (Process(world, place, number) for number in (1, 2))
        account = await world.account_id()
        _, sender = await one.connect(await world.sign_in(account))
        one.drafts.pass_on(sender, "c", b"held")
        await rounds(one)
        far, _ = await two.connect(await world.sign_in(account))
        await rounds(one, one, two)
        assert far.messages == [b"held"]
        one.drafts.pass_on(sender, "c", b"too late")
        one.time += HELD_SECONDS + 0.1
        await rounds(one, two)
        assert far.messages == [b"held"]
        for process in (one, two):
            await process.engine.close()


async def test_what_waited_for_too_long_is_not_shown(tmp_path: Path) -> None:
    """An expired draft, or one encrypted with another key, is deleted."""
    place = tmp_path / "hupan.db"
    async with open_world(place) as world:
        one, two = (Process(world, place, number) for number in (1, 2))
        other_key = Process(world, place, 3, SecretBox(b"x" * KEY_BYTES))
        account = await world.account_id()
        _, sender = await one.connect(await world.sign_in(account))
        far, _ = await two.connect(await world.sign_in(account))
        _, forger = await other_key.connect(await world.sign_in(account))
        await rounds(two)
        one.drafts.pass_on(sender, "c", b"old")
        await rounds(one)
        two.time += STALE_SECONDS + 1
        other_key.drafts.pass_on(forger, "c", b"forged")
        await rounds(two, other_key, two)
        assert far.messages == []
        one.drafts.pass_on(sender, "c", b"new")
        await rounds(one, two, other_key)
        assert far.messages == [b"new"]
        assert await content(world.engine) == []
        for process in (one, two, other_key):
            await process.engine.close()


async def test_what_came_after_the_last_socket_is_not_kept_for_the_next(tmp_path: Path) -> None:
    """It is deleted in time, so a device that reconnects later does not show it."""
    place = tmp_path / "hupan.db"
    async with open_world(place) as world:
        one, two = (Process(world, place, number) for number in (1, 2))
        account = await world.account_id()
        _, sender = await one.connect(await world.sign_in(account))
        _, leaving = await two.connect(await world.sign_in(account))
        await rounds(one, two)
        one.drafts.pass_on(sender, "c", b"old")
        two.presence.log_out(leaving)
        await rounds(one)
        assert len(await content(world.engine)) == 1
        await rounds(two)
        assert await content(world.engine) == []
        two.time += 3600
        await rounds(two)
        far, _ = await two.connect(await world.sign_in(account))
        await rounds(two)
        assert far.messages == []
        for process in (one, two):
            await process.engine.close()


async def test_what_is_held_and_what_waits_is_bounded(tmp_path: Path) -> None:
    """Excess drafts are dropped; a stopped process keeps none (security X5)."""
    place = tmp_path / "hupan.db"
    async with open_world(place) as world:
        one, two = (Process(world, place, number) for number in (1, 2))
        accounts = [await world.account_id() for _ in range(MAX_HELD // MAX_HELD_OF_ACCOUNT)]
        senders = [(await one.connect(await world.sign_in(each)))[1] for each in accounts]
        far = [(await two.connect(await world.sign_in(each)))[0] for each in accounts]
        for start in range(0, 2 * MAX_DRAFTS_FOR_PROCESS, MAX_HELD):
            for number in range(MAX_HELD_OF_ACCOUNT + 10):
                for each in senders:
                    one.drafts.pass_on(each, f"chat {start + number}", b"x")
            await rounds(one, one)
            one.time += HELD_SECONDS
        assert await world.count("drafts") == MAX_DRAFTS_FOR_PROCESS
        await rounds(two)
        assert sum(len(link.messages) for link in far) == MAX_DRAFTS_PER_ROUND
        assert await world.count("drafts") == MAX_DRAFTS_FOR_PROCESS - MAX_DRAFTS_PER_ROUND
        await set_alive(world, two.number, FORGET_MS + 1000)
        one.time += RENEW_SECONDS
        await one.presence.run_round()
        assert await world.count("drafts") == 0
        for process in (one, two):
            await process.engine.close()


async def test_one_account_leaves_room_for_others(tmp_path: Path) -> None:
    """Drafts of other accounts are passed on, however many chats one account writes in."""
    place = tmp_path / "hupan.db"
    async with open_world(place) as world:
        one, two = (Process(world, place, number) for number in (1, 2))
        greedy, account = await world.account_id(), await world.account_id()
        flooders = [(await one.connect(await world.sign_in(greedy)))[1] for _ in range(2)]
        _, sender = await one.connect(await world.sign_in(account))
        far, _ = await two.connect(await world.sign_in(account))
        for number in range(2 * MAX_HELD):
            one.drafts.pass_on(flooders[number % 2], f"chat {number}", b"x")
        one.drafts.pass_on(sender, "c", b"seen")
        await rounds(one, two)
        assert far.messages == [b"seen"]
        for process in (one, two):
            await process.engine.close()


async def set_alive(world: World, number: int, ago_ms: int) -> None:
    """Set the last sign of life of a process to some time ago."""
    sql = "UPDATE socket_processes SET alive_at = alive_at - ?2 WHERE process = ?1"
    await world.engine.run_transaction(lambda tx: tx.execute(sql, number, ago_ms))


async def test_a_process_without_sockets_reads_nothing(tmp_path: Path) -> None:
    """It sends no query."""
    place = tmp_path / "hupan.db"
    async with open_world(place) as world:
        one = Process(world, place, 1)
        await one.engine.close()
        await rounds(one)  # otherwise it would fail
