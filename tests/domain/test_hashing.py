"""Hashes are computed in processes that may die at any time (security P4, P5; decision 20).

The queue of password hashes is bounded, and fair among accounts and addresses (X3, P5).
libsodium's Argon2id equals that of the reference implementation (security P4; RFC 9106).

The attack: one account signed in correctly on 32 connections. No limit counted it, because no
attempt was wrong, and the owner of another account got Busy 48 times of 57.
"""

import asyncio
import errno
import os
import random
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import argon2
import pytest
from argon2.low_level import Type, hash_secret
from hypothesis import given, settings
from hypothesis import strategies as st

from hupan.domain import hashing as hash_process
from hupan.domain.hash_worker import HashCost, hash_password, verify_password
from hupan.domain.hashing import (
    MAX_ADMITTED_PER_KEY,
    HashClient,
    HashProcess,
    HashQueue,
    PasswordHasher,
)
from hupan.errors import Busy

pytestmark = pytest.mark.one_engine
CHEAP = HashCost(memory_kib=8, passes=1)
RIGHT = 'line\nbreaks, 引号 " and \u0000 are passwords too'


@pytest.fixture
def process() -> Iterator[HashProcess]:
    """Yield a process that ends with the test."""
    process = HashProcess()
    yield process
    process.close()


def lives(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_any_password_passes(process: HashProcess) -> None:
    """A password may contain the delimiters of the protocol."""
    stored = process.hash(RIGHT, CHEAP)
    assert process.verify(stored, RIGHT)
    assert not process.verify(stored, RIGHT + "\n")
    assert not process.verify("", RIGHT)


def test_it_is_nicer_than_the_server(process: HashProcess) -> None:
    """The event loop has a higher priority than a hash (P5)."""
    process.hash(RIGHT, CHEAP)
    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(here + 10, 19)


def test_it_knows_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process does not inherit secrets of the server's environment."""
    monkeypatch.setenv("HUPAN_SECRET_KEY", "not for everybody")
    process = HashProcess()
    try:
        process.hash(RIGHT, CHEAP)
        assert b"HUPAN_" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.close()


def test_it_goes_first_where_memory_ends(process: HashProcess) -> None:
    """The OOM killer chooses it before the server, because it can be replaced."""
    process.hash(RIGHT, CHEAP)
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text("ascii") == "500\n"


def test_an_interrupt_at_the_terminal_is_the_servers(process: HashProcess) -> None:
    """Ctrl-C reaches all processes, and the server may still need this one."""
    stored = process.hash(RIGHT, CHEAP)
    os.kill(process.pid, signal.SIGINT)
    assert process.verify(stored, RIGHT)


def test_no_memory_is_an_error_and_no_wrong_password(process: HashProcess) -> None:
    """A lack of memory raises its own error, never a wrong password."""
    stored = process.hash(RIGHT, CHEAP)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (1 << 28, 1 << 28))
    with pytest.raises(OSError, match="not enough memory") as caught:
        process.verify(stored.replace("m=8,", "m=1048576,"), RIGHT)
    assert caught.value.errno == errno.ENOMEM
    assert process.verify(stored, RIGHT)


async def test_a_process_that_was_killed_is_replaced() -> None:
    """A new process repeats the work, and no sign-in fails."""
    pool = PasswordHasher(CHEAP, threads=1)
    try:
        stored = await pool.hash(RIGHT)
        (first,) = pool.idle_pids
        os.kill(first, signal.SIGKILL)
        assert await pool.verify(stored, RIGHT)
        (second,) = pool.idle_pids
        assert second != first
        assert not lives(first)
    finally:
        pool.close()


async def test_what_kills_each_process_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two processes died no third is tried, and the result is not "wrong password"."""
    begun: list[int] = []

    def killed(process: HashProcess, *_: object) -> bool:
        begun.append(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        return HashProcess.hash(process, RIGHT, CHEAP) == ""

    monkeypatch.setattr(HashProcess, "verify", killed)
    pool = PasswordHasher(CHEAP, threads=1)
    try:
        with pytest.raises(ConnectionError):
            await pool.verify("", RIGHT)
        assert len(begun) == 2
        assert not any(map(lives, begun))
    finally:
        pool.close()


@pytest.mark.slow
async def test_a_process_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It delays one request up to the timeout; the next one gets a new process."""
    # This includes the time to start the process on a busy machine.
    monkeypatch.setattr(hash_process, "MAX_ANSWER_SECONDS", 5.0)
    pool = PasswordHasher(CHEAP, threads=1)
    try:
        stored = await pool.hash(RIGHT)
        (hanging,) = pool.idle_pids
        os.kill(hanging, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await pool.verify(stored, RIGHT)
        assert not lives(hanging)
        monkeypatch.undo()
        assert await pool.verify(stored, RIGHT)
    finally:
        pool.close()


async def test_closing_ends_what_hangs() -> None:
    """A request whose process `close` ended gets Busy, and no new process starts (R17)."""
    pool = PasswordHasher(CHEAP, threads=1)

    async def ask_and_close() -> list[int]:
        stored = await pool.hash(RIGHT)
        pids = pool.idle_pids
        os.kill(pids[0], signal.SIGSTOP)
        asking = asyncio.create_task(pool.verify(stored, RIGHT))
        await asyncio.sleep(0.05)
        pool.close()
        with pytest.raises(Busy):
            await asking
        return pids

    (hanging,) = await ask_and_close()
    assert not lives(hanging)
    assert pool.idle_pids == []


async def test_it_ends_with_the_pool_and_with_the_server() -> None:
    """A closed pool leaves no process, nor does a killed server: its socket closes."""
    pool = PasswordHasher(CHEAP, threads=2)
    await pool.hash(RIGHT)
    (pid,) = pool.idle_pids
    pool.close()
    assert not lives(pid)
    left = HashProcess()
    left.hash(RIGHT, CHEAP)
    left.close_stream()
    assert left.wait(10) == 0


AT_ONCE, WAITING = 4, 14
VICTIM = HashClient("victim", "198.51.100.7/32", "198.51.100.0/24")
CROWDS = {
    "one account from one address": lambda at: HashClient("one", "host", "network"),  # noqa: ARG005
    "one account from many addresses": lambda at: HashClient("one", f"host {at}", f"network {at}"),
    "many accounts from one address": lambda at: HashClient(f"of {at}", "host", "network"),
    "many accounts from one /48": lambda at: HashClient(f"of {at}", f"host {at}", "network"),
    "one account from the victim's address": lambda at: HashClient(  # noqa: ARG005
        "one", VICTIM.host, VICTIM.network
    ),
}


async def hold(queue: HashQueue, client: HashClient, order: list[HashClient]) -> None:
    """Hold one slot briefly."""
    async with queue.slot(client):
        order.append(client)
        await asyncio.sleep(0)


@pytest.mark.parametrize("crowd", CROWDS)
async def test_a_single_request_goes_before_a_crowd(crowd: str) -> None:
    """With a queue filled by one client, another's request soon gets a slot (security X3)."""

    async def scenario() -> tuple[list[HashClient], list[object]]:
        queue, order = HashQueue(AT_ONCE, WAITING, 60.0), list[HashClient]()
        tasks = [asyncio.ensure_future(hold(queue, CROWDS[crowd](at), order)) for at in range(100)]
        await asyncio.sleep(0)
        await hold(queue, VICTIM, order)
        return order, await asyncio.gather(*tasks, return_exceptions=True)

    order, outcomes = await scenario()
    assert order.index(VICTIM) <= 2 * AT_ONCE
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert refused
    assert all(isinstance(outcome, Busy) for outcome in refused)


async def test_at_most_two_of_an_account_and_of_an_address_are_let_in() -> None:
    """The limit holds for any number and order, and the total is bounded (security X3, P5)."""
    under_way: Counter[str] = Counter()
    highest: Counter[str] = Counter()
    queue_lengths = []

    async def one(queue: HashQueue, client: HashClient) -> None:
        async with queue.slot(client):
            for key in (client.target, client.host, ""):
                under_way[key] += 1
                highest[key] = max(highest[key], under_way[key])
            queue_lengths.append(len(queue))
            await asyncio.sleep(0)
            for key in (client.target, client.host, ""):
                under_way[key] -= 1

    queue, rng = HashQueue(AT_ONCE, WAITING, 60.0), random.Random(7)  # noqa: S311 - no secret
    for _ in range(50):
        clients = [
            HashClient(f"target {rng.randrange(6)}", f"host {rng.randrange(6)}") for _ in range(40)
        ]
        await asyncio.gather(*(one(queue, c) for c in clients), return_exceptions=True)
    assert len(queue) == 0
    assert highest.pop("") == AT_ONCE
    assert max(highest.values()) == MAX_ADMITTED_PER_KEY
    assert max(queue_lengths) <= AT_ONCE + WAITING


async def test_a_client_that_disconnects_returns_its_slot() -> None:
    """This applies while it waits, while it has the slot and while it hashes (P5)."""
    for steps in range(6):
        queue, order = HashQueue(1, WAITING, 60.0), list[HashClient]()
        tasks = [
            asyncio.ensure_future(hold(queue, HashClient(f"of {at}"), order)) for at in range(3)
        ]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(queue) == 0, steps
        await asyncio.wait_for(hold(queue, VICTIM, order), 10)


async def test_a_request_that_waits_too_long_is_refused() -> None:
    """It gets Busy, and leaves the queue (security P5)."""
    queue = HashQueue(1, WAITING, 0.01)
    async with queue.slot(VICTIM):
        with pytest.raises(Busy):
            await hold(queue, VICTIM, [])
        assert len(queue) == 1
    assert len(queue) == 0


REFERENCE_PASSWORD = "the lake at seven"
WRITTEN = hash_secret(REFERENCE_PASSWORD.encode(), b"s" * 16, 1, 8, 1, 32, Type.ID).decode()


@pytest.mark.parametrize("cost", [CHEAP, HashCost(64, 3), HashCost()])
def test_the_reference_reads_what_was_written(cost: HashCost) -> None:
    """Each stored string verifies with argon2-cffi, and with no other password."""
    stored = hash_password(REFERENCE_PASSWORD, cost)
    assert argon2.PasswordHasher().verify(stored, REFERENCE_PASSWORD)
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(stored, REFERENCE_PASSWORD + " ")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80), st.binary(min_size=16, max_size=16), st.integers(1, 4))
def test_what_the_reference_wrote_is_read(password: str, salt: bytes, passes: int) -> None:
    """Hashes that earlier releases stored with argon2-cffi still work."""
    stored = hash_secret(password.encode(), salt, passes, 32, 1, 32, Type.ID).decode()
    assert verify_password(stored, password)
    assert not verify_password(stored, password + "x")


def test_two_hashes_of_one_password_differ() -> None:
    """Each has its own salt."""
    assert hash_password(REFERENCE_PASSWORD, CHEAP) != hash_password(REFERENCE_PASSWORD, CHEAP)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        (WRITTEN, ""),
        (WRITTEN, REFERENCE_PASSWORD),
        (WRITTEN, "$2b$12$" + "a" * 53),
        (WRITTEN, WRITTEN[:-1]),
        (WRITTEN, WRITTEN + "A"),
        (WRITTEN, WRITTEN + "\n"),
        ("argon2id", "argon2i"),
        ("v=19", "v=16"),
        ("p=1", "p=2"),
        ("m=8", "m=7"),
        ("m=8", "m=4294967296"),
        ("t=1", "t=0"),
    ],
)
def test_what_is_no_such_string_matches_nothing(part: str, instead: str) -> None:
    """Another form or version, a cut or lengthened string and impossible parameters fail."""
    assert verify_password(WRITTEN, REFERENCE_PASSWORD)
    assert not verify_password(WRITTEN.replace(part, instead), REFERENCE_PASSWORD)
