"""Servers with several processes.

Signals that ask other servers to reopen their log interrupt no request here (security R17).
"""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import asgi_apps
from tests.support.commands import PATIENCE_SECONDS
from tests.support.listeners import Listening

pytestmark = pytest.mark.slow


def workers_seen(running: Listening, enough: int) -> set[int]:
    """Return the process ids that answer, once there are enough; bounded in attempts."""
    seen: set[int] = set()
    for _ in range(int(PATIENCE_SECONDS * 100)):
        seen.add(int(running.connect().run("/wait/0.01").split()[2]))
        if len(seen) >= enough:
            break
    return seen


def test_a_dead_worker_is_replaced() -> None:
    """If one of two is killed, the other answers, and a new one joins."""
    with Listening(workers=2) as running:
        before = workers_seen(running, 2)
        assert len(before) == 2
        victim, survivor = before
        os.kill(victim, signal.SIGKILL)
        after: set[int] = set()
        for _ in range(50):
            after |= workers_seen(running, 2) - {victim}
            if len(after) == 2:
                break
        assert survivor in after
        assert len(after) == 2
        running.stop()
        status, err = running.end()
        assert status == 0
        assert f"Worker {victim} ended with status -9" in err


def test_all_workers_end_gracefully() -> None:
    """After one SIGTERM to the parent each worker finishes its responses and its app."""
    with Listening(workers=2) as running:
        peers = [
            running.connect().say(b"GET /wait/0.5 HTTP/1.1\r\nhost: a\r\n\r\n") for _ in range(8)
        ]
        for _ in peers:
            assert "app waits" in running.err_line()
        running.stop()
        assert all(peer.answer()[0] == 200 for peer in peers)
        status, err = running.end()
        assert (status, err.count("app ended")) == (0, 2)


def test_ctrl_c_reaches_the_whole_group_and_costs_nothing() -> None:
    """Workers leave SIGINT and a second SIGTERM to their parent."""
    with Listening(workers=2) as running:
        peer = running.connect().say(b"GET /wait/0.5 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert running.err_line() == "app waits"
        for worker in workers_seen(running, 2):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
                os.kill(worker, number)
        running.stop(signal.SIGINT)
        assert peer.answer()[0] == 200
        assert running.end()[0] == 0


def test_workers_do_not_outlive_their_parent() -> None:
    """If the parent is killed, its workers end by themselves."""
    with Listening(workers=2) as running:
        workers_seen(running, 2)
        idle = running.connect()
        idle.run("/a")
        running.process.kill()
        assert idle.rest() == b""
        # stderr is shared with the workers: it ends when the last of them has ended.
        assert running.end()[1].count("app ended") == 2


def test_a_second_signal_takes_the_workers_along() -> None:
    """After a second SIGTERM parent and workers end although a request runs."""
    with Listening(workers=2) as running:
        idle = running.connect()
        idle.run("/a")
        running.connect().say(b"GET /wait/60 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert running.err_line() == "app waits"
        running.stop()
        assert idle.rest() == b""
        running.stop()
        assert running.end()[0] == -signal.SIGTERM


ASKING = b"GET /wait/0.5 HTTP/1.1\r\nhost: a\r\n\r\n"
NUMBERS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def test_one_process_goes_on() -> None:
    """The request in flight is answered, and so is the next on its connection."""
    with Listening() as running:
        peer = running.connect().say(ASKING)
        assert running.err_line() == "app waits"
        for number in NUMBERS * 2:
            running.stop(number)
        assert peer.answer()[0] == 200
        assert peer.run("/next").startswith("/next 0 ")
        running.stop()
        assert running.end() == (0, "app ended\n")


def test_parent_and_workers_go_on() -> None:
    """The signal ends neither parent nor worker."""
    with Listening(workers=2) as running:
        workers = workers_seen(running, 2)
        peers = [running.connect().say(ASKING) for _ in range(4)]
        for _ in peers:
            assert "app waits" in running.err_line()
        for number in NUMBERS:
            for pid in (running.process.pid, *workers):
                os.kill(pid, number)
        assert [peer.answer()[0] for peer in peers] == [200] * 4
        assert workers_seen(running, 2) == workers
        running.stop()
        assert running.end()[0] == 0


def test_workers_are_safe_from_their_first_moment() -> None:
    """Signals to the whole group while workers start end none of them."""
    with Listening(workers=2) as running:
        victim, survivor = workers_seen(running, 2)
        os.kill(victim, signal.SIGKILL)
        for _ in range(100):
            os.kill(running.process.pid, signal.SIGHUP)
        seen: set[int] = set()
        while len(seen - {victim}) < 2:
            seen |= workers_seen(running, 2)
        (newcomer,) = seen - {victim, survivor}
        os.kill(newcomer, signal.SIGHUP)
        assert running.connect().run("/a").startswith("/a 0 ")
        running.stop()
        status, err = running.end()
        assert status == 0
        assert "with status -1;" not in err


@pytest.fixture
def hangup() -> Iterator[None]:
    """Let child processes react to SIGHUP, even if `nohup` makes the tests ignore it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_terminal_that_is_gone_ends_the_server_gracefully(workers: int) -> None:
    """Without a terminal for Ctrl-C, the app still ends well."""
    master, terminal = pty.openpty()
    script = asgi_apps.__file__
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, script, f'{{"workers": {workers}}}'],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(terminal)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("[")
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    os.close(master)
    for _ in range(2):
        process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, err.count("app ended")) == (0, workers)
