"""Hashes are computed in processes that may die at any time (security P4, P5; decision 20)."""

import asyncio
import errno
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.domain import hashing as hash_process
from hupan.domain.hash_worker import HashCost
from hupan.domain.hashing import HashProcess, PasswordHasher
from hupan.errors import Busy

pytestmark = pytest.mark.one_engine
CHEAP = HashCost(memory_kib=8, passes=1)
RIGHT = 'line\nbreaks, 引号 " and \u0000 are passwords too'


@pytest.fixture
def process() -> Iterator[HashProcess]:
    """One that is ended with the test."""
    process = HashProcess()
    yield process
    process.close()


def lives(pid: int) -> bool:
    """Whether a process is there and not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_any_password_passes(process: HashProcess) -> None:
    """What delimits questions may stand in a password."""
    stored = process.hash(RIGHT, CHEAP)
    assert process.verify(stored, RIGHT)
    assert not process.verify(stored, RIGHT + "\n")
    assert not process.verify("", RIGHT)


def test_it_is_nicer_than_the_server(process: HashProcess) -> None:
    """The event loop has its turn before a hash (P5)."""
    process.hash(RIGHT, CHEAP)
    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(here + 10, 19)


def test_it_knows_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of the server's environment are not handed on."""
    monkeypatch.setenv("HUPAN_SECRET_KEY", "not for everybody")
    process = HashProcess()
    try:
        process.hash(RIGHT, CHEAP)
        assert b"HUPAN_" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.close()


def test_it_goes_first_where_memory_ends(process: HashProcess) -> None:
    """It can be replaced, and the server cannot."""
    process.hash(RIGHT, CHEAP)
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text("ascii") == "500\n"


def test_an_interrupt_at_the_terminal_is_the_servers(process: HashProcess) -> None:
    """Ctrl-C reaches all processes, and the server may still have passwords to answer."""
    stored = process.hash(RIGHT, CHEAP)
    os.kill(process.pid, signal.SIGINT)
    assert process.verify(stored, RIGHT)


def test_no_memory_is_told_and_is_no_wrong_password(process: HashProcess) -> None:
    """A failure of the machine is none of who signs in."""
    stored = process.hash(RIGHT, CHEAP)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (1 << 28, 1 << 28))
    with pytest.raises(OSError, match="no memory") as caught:
        process.verify(stored.replace("m=8,", "m=1048576,"), RIGHT)
    assert caught.value.errno == errno.ENOMEM
    assert process.verify(stored, RIGHT)


def test_a_process_that_was_killed_is_replaced() -> None:
    """The question is asked again of a new one, and no sign-in fails."""
    pool = PasswordHasher(CHEAP, threads=1)
    try:
        stored = asyncio.run(pool.hash(RIGHT))
        (first,) = pool.idle_pids
        os.kill(first, signal.SIGKILL)
        assert asyncio.run(pool.verify(stored, RIGHT))
        (second,) = pool.idle_pids
        assert second != first
        assert not lives(first)
    finally:
        pool.close()


def test_what_kills_each_process_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the second there is no third, and "wrong password" is not what is said."""
    begun: list[int] = []

    def killed(process: HashProcess, *_: object) -> bool:
        begun.append(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        return HashProcess.hash(process, RIGHT, CHEAP) == ""

    monkeypatch.setattr(HashProcess, "verify", killed)
    pool = PasswordHasher(CHEAP, threads=1)
    try:
        with pytest.raises(ConnectionError):
            asyncio.run(pool.verify("", RIGHT))
        assert len(begun) == 2
        assert not any(map(lives, begun))
    finally:
        pool.close()


def test_a_process_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds up one question for so long, the next has a process of its own."""
    monkeypatch.setattr(hash_process, "MAX_ANSWER_SECONDS", 0.5)
    pool = PasswordHasher(CHEAP, threads=1)
    try:
        stored = asyncio.run(pool.hash(RIGHT))
        (hanging,) = pool.idle_pids
        os.kill(hanging, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            asyncio.run(pool.verify(stored, RIGHT))
        assert not lives(hanging)
        monkeypatch.undo()
        assert asyncio.run(pool.verify(stored, RIGHT))
    finally:
        pool.close()


def test_closing_ends_what_hangs() -> None:
    """Whoever asks a process that was ended by `close` hears Busy, and no other is begun (R17)."""
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

    (hanging,) = asyncio.run(ask_and_close())
    assert not lives(hanging)
    assert pool.idle_pids == []


def test_it_ends_with_the_pool_and_with_the_server() -> None:
    """Closed, the pool leaves none behind; nor does a server that is killed: its socket closes."""
    pool = PasswordHasher(CHEAP, threads=2)
    asyncio.run(pool.hash(RIGHT))
    (pid,) = pool.idle_pids
    pool.close()
    assert not lives(pid)
    left = HashProcess()
    left.hash(RIGHT, CHEAP)
    left.close_stream()
    assert left.wait(10) == 0
