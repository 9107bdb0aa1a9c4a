"""The end of a session reaches every process quickly (security T6, wire.md 8.1)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.maintenance import Housekeeping
from hupan.domain.outbox import OutboxWriter
from hupan.domain.recovery import AccountRecovery
from hupan.domain.session_ends import (
    FULL_READ_SECONDS,
    ROWS_PER_READ,
    SESSION_END_RETENTION_SECONDS,
    SessionEndFeed,
)
from hupan.domain.sessions import Device, SessionPolicy
from hupan.model import AccountId, Session, StoreUnavailable
from hupan.rng import SeededRandomSource
from hupan.rules import DAY_SECONDS
from hupan.store.cluster_state import set_clock_back
from hupan.store.database import Database, Row, Transaction, Value
from hupan.store.sessions import SessionEnd, record_session_ends
from tests.support.commands import run_hupan
from tests.support.stores import STORES, open_store
from tests.support.world import ERASED_AFTER_DAYS, World, open_world

PHONE, EMAIL, OTHER_PHONE = "13900000001", "own@example.com", "13900000002"
Way: TypeAlias = Callable[[World, Session], Awaitable[object]]


class Listener:
    """A subscriber that records what it receives."""

    def __init__(self, feed: SessionEndFeed) -> None:
        self.ends: list[SessionEnd] = []
        self.gaps = 0
        self.subscription = feed.subscribe(self.ends.append, self._miss)

    def _miss(self) -> None:
        self.gaps += 1

    @property
    def hashes(self) -> list[bytes]:
        """Return the sessions whose end was received."""
        return [end.token_hash for end in self.ends]


class FailingReads:
    """A store whose reads fail on request."""

    def __init__(self, engine: Database) -> None:
        self.is_away = False
        self._engine = engine
        self.fetch_one, self.run_transaction = engine.fetch_one, engine.run_transaction
        self.check, self.close = engine.check, engine.close

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        """Read, or fail."""
        if self.is_away:
            raise StoreUnavailable("away")
        return await self._engine.fetch_all(sql, *values)


async def sign_out(world: World, session: Session) -> None:
    """Sign out as the owner."""
    await world.sessions.logout(session)


async def take_offline(world: World, session: Session) -> None:
    """Sign out one device from another."""
    await world.devices.take_offline(session.account_id, session.device_id)


async def sign_in_again(world: World, session: Session) -> None:
    """Sign in again on the same device."""
    await world.sign_in(session.account_id, session.device_id)


async def sign_in_elsewhere(world: World, session: Session) -> None:
    """Sign in on more devices than an account may have."""
    for _ in range(SessionPolicy().max_sessions):
        await world.sign_in(session.account_id)


async def ban(world: World, session: Session) -> None:
    """Ban as an operator."""
    await world.bans.ban(session.account_id, "spam")


async def cancel(world: World, session: Session) -> None:
    """Cancel as the owner."""
    await world.cancel(session.account_id, PHONE)


async def cancel_and_erase(world: World, session: Session) -> None:
    """Cancel and erase at once, as an operator: the ended sessions stay known for a while."""
    await world.account_deletion.cancel_by_operator(session.account_id)
    world.clock.time += ERASED_AFTER_DAYS * DAY_SECONDS
    assert await world.account_deletion.erase_due() == 1


async def change_phone(world: World, session: Session) -> None:
    """Change the number on another device."""
    other = await world.session(session.account_id, Device("other", "ios"))
    await world.contacts.change_phone(other, PHONE, await world.code(PHONE))
    await world.contacts.change_phone(other, OTHER_PHONE, await world.code(OTHER_PHONE))


async def reset_password(world: World, session: Session) -> None:
    """Reset the password by e-mail."""
    del session
    code = await world.code(EMAIL, "reset")
    await world.resets.reset(EMAIL, code, "a quite long word")


async def undo_change(world: World, session: Session) -> None:
    """Undo a change of the number, which this session made, as an operator."""
    await world.contacts.change_phone(session, OTHER_PHONE, await world.code(OTHER_PHONE))
    await world.undo.undo(session.account_id, 1)


def recovery(world: World) -> AccountRecovery:
    """Return the operators' service for an account."""
    return AccountRecovery(
        world.engine,
        world.clock,
        world.codes,
        OutboxWriter(SecretBox(b"k" * KEY_BYTES), SeededRandomSource("recovery")),
        world.notices,
        SessionPolicy(),
    )


async def sign_out_by_operator(world: World, session: Session) -> None:
    """Sign out all sessions of an account, as an operator."""
    assert await recovery(world).sign_out(session.account_id, None) == 1


async def sign_out_one_by_operator(world: World, session: Session) -> None:
    """Sign out a session by its number, as an operator."""
    assert await recovery(world).sign_out(session.account_id, 1) == 1


async def set_contact(world: World, session: Session) -> None:
    """Set a contact as an operator."""
    await recovery(world).set_contact(session.account_id, "sms", world.target(OTHER_PHONE))


async def remove_password(world: World, session: Session) -> None:
    """Remove the password as an operator."""
    await recovery(world).start_reset(session.account_id, remove=True)


async def expire(world: World, _session: Session) -> None:
    """Let a session expire and be purged."""
    world.clock.time += SessionPolicy().idle_seconds + 1
    await world.devices.purge_expired()


async def expire_at_sign_in(world: World, session: Session) -> None:
    """Let a session expire before the account signs in again."""
    world.clock.time += SessionPolicy().idle_seconds + 1
    await world.sign_in(session.account_id)


async def set_back(world: World, session: Session) -> None:
    """Set the clock back before the time at which the session was opened."""
    now = session.signed_in_at - 1
    await world.engine.run_transaction(lambda tx: set_clock_back(tx, now, now))


WAYS: dict[str, tuple[Way, str]] = {
    way.__name__: (way, reason)
    for way, reason in (
        (sign_out, "signed-out"),
        (take_offline, "device-offline"),
        (sign_in_again, "replaced"),
        (sign_in_elsewhere, "too-many-sessions"),
        (ban, "banned"),
        (cancel, "cancelled"),
        (cancel_and_erase, "cancelled"),
        (change_phone, "contact-changed"),
        (reset_password, "password-changed"),
        (undo_change, "contact-changed"),
        (sign_out_by_operator, "operator"),
        (sign_out_one_by_operator, "operator"),
        (set_contact, "contact-changed"),
        (remove_password, "password-changed"),
        (expire, "expired"),
        (expire_at_sign_in, "expired"),
        (set_back, "expired"),
    )
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_end_of_a_session_reaches_another_process(tmp_path: Path, way: str) -> None:
    """Each kind is received once, with reason and device; other sessions are not reported."""
    end, reason = WAYS[way]
    async with open_world(tmp_path / "hupan.db") as world:
        session = await world.session((await world.account(phone=PHONE, email=EMAIL)).id)
        bystander = await world.session((await world.account()).id)
        other = open_store(tmp_path / "hupan.db")
        feed = SessionEndFeed(other)
        listener = Listener(feed)
        await feed.poll()
        assert listener.ends == []
        await end(world, session)
        for _ in range(2):
            await feed.poll()
        mine = [one for one in listener.ends if one.token_hash == session.token_hash]
        assert [(one.reason, one.device_id) for one in mine] == [(reason, session.device_id)]
        if way not in ("expire", "set_back"):  # these end all sessions
            assert bystander.token_hash not in listener.hashes
        await other.close()


async def test_a_change_that_is_rolled_back_leaves_no_row(tmp_path: Path) -> None:
    """The row is part of the transaction that ends the session."""
    async with open_world(tmp_path / "hupan.db") as world:
        session = await world.session(await world.account_id())

        async def change(tx: Transaction) -> None:
            row = (session.account_id, session.token_hash, session.device_id)
            await record_session_ends(tx, [row], "operator", 1)
            raise KeyError

        with pytest.raises(KeyError):
            await world.engine.run_transaction(change)
        assert await world.count("session_ends") == 0


async def test_a_second_ban_is_received_again(tmp_path: Path) -> None:
    """Sessions survive a ban, so each ban ends them again."""
    async with open_world(tmp_path / "hupan.db") as world:
        session = await world.session(await world.account_id())
        feed = SessionEndFeed(world.engine)
        listener = Listener(feed)
        for number in (1, 2):
            await world.bans.ban(session.account_id, "spam")
            await feed.poll()
            assert listener.hashes == [session.token_hash] * number
            await world.bans.unban(session.account_id)
            await asyncio.sleep(0.002)  # ends differ by a millisecond


async def test_a_late_subscriber_receives_the_last_minutes(tmp_path: Path) -> None:
    """It misses nothing, and the others receive nothing twice."""
    async with open_world(tmp_path / "hupan.db") as world:
        feed = SessionEndFeed(world.engine)
        first = Listener(feed)
        await world.sessions.logout(await world.session(await world.account_id()))
        await feed.poll()
        second = Listener(feed)
        await feed.poll()
        assert first.ends == second.ends != []
        first.subscription.cancel()
        await world.sessions.logout(await world.session(await world.account_id()))
        await feed.poll()
        assert (len(first.ends), len(second.ends)) == (1, 2)


async def test_many_ends_at_once_are_all_received(tmp_path: Path) -> None:
    """They are more rows than one read returns, most with the same time."""
    async with open_world(tmp_path / "hupan.db") as world:
        feed = SessionEndFeed(world.engine)
        listener = Listener(feed)
        rows: list[Row] = [
            (AccountId(1_000_001), number.to_bytes(32), "d") for number in range(2 * ROWS_PER_READ)
        ]
        await world.engine.run_transaction(lambda tx: record_session_ends(tx, rows, "operator", 1))
        await feed.poll()
        assert sorted(listener.hashes) == [row[1] for row in rows]


async def test_a_row_older_than_the_newest_is_received(tmp_path: Path) -> None:
    """Transactions commit out of order, and clocks go back."""
    async with open_world(tmp_path / "hupan.db") as world:
        time = 1000.0
        feed = SessionEndFeed(world.engine, time=lambda: time)
        listener = Listener(feed)

        async def end(age_ms: int) -> None:
            session = await world.session(await world.account_id())
            await world.sessions.logout(session)
            sql = "UPDATE session_ends SET recorded_at = recorded_at - ?2 WHERE token_hash = ?1"
            await world.engine.run_transaction(
                lambda tx: tx.execute(sql, session.token_hash, age_ms)
            )
            await feed.poll()

        await end(0)
        await end(4_000)
        assert len(listener.ends) == 2
        await end(3_600_000)
        assert len(listener.ends) == 2
        time += FULL_READ_SECONDS
        await feed.poll()
        assert len(listener.ends) == 3


@pytest.mark.one_engine
async def test_after_the_store_was_away_nothing_is_missed(tmp_path: Path) -> None:
    """Ends during an outage are received; after a long outage a gap is reported."""
    async with open_world(tmp_path / "hupan.db") as world:
        time, store = 1000.0, FailingReads(world.engine)
        feed = SessionEndFeed(store, time=lambda: time)
        listener = Listener(feed)
        await feed.poll()
        for away_seconds, gaps in ((60, 0), (SESSION_END_RETENTION_SECONDS + 1, 1)):
            store.is_away = True
            with pytest.raises(StoreUnavailable):
                await feed.poll()
            await world.sessions.logout(await world.session(await world.account_id()))
            time += away_seconds
            store.is_away = False
            known = len(listener.ends)
            await feed.poll()
            assert (len(listener.ends), listener.gaps) == (known + 1, gaps)


async def test_the_rows_are_kept_for_minutes(tmp_path: Path) -> None:
    """Housekeeping deletes rows that every process has read (security X5)."""
    async with open_world(tmp_path / "hupan.db") as world:
        await world.sessions.logout(await world.session(await world.account_id()))
        housekeeping = Housekeeping(world.engine, world.clock)
        world.clock.time += SESSION_END_RETENTION_SECONDS - 1
        await housekeeping.purge()
        assert await world.count("session_ends") == 1
        world.clock.time += 1
        await housekeeping.purge()
        assert await world.count("session_ends") == 0


@pytest.mark.slow
async def test_a_ban_by_the_command_line_reaches_a_server(tmp_path: Path) -> None:
    """Another process ends the session; the server reads that without a request."""
    async with open_world(tmp_path / "hupan.db") as world:
        world.clock.time = time.time()
        account = await world.account_id()
        session = await world.session(account)
        feed, ended = SessionEndFeed(world.engine), asyncio.Event()
        listener = Listener(feed)
        feed.subscribe(lambda _end: ended.set())
        feed.start()
        command = ("account", "ban", str(account), "--reason", "spam", "--data-dir", tmp_path)
        variables = STORES.environment(tmp_path)
        done = await asyncio.to_thread(run_hupan, *command, environment=variables)
        assert done.returncode == 0, done.stderr
        await asyncio.wait_for(ended.wait(), 30)
        await feed.stop()
        assert [end.reason for end in listener.ends] == ["banned"]
        assert listener.hashes == [session.token_hash]
