"""Signals that ask other servers for a new log cut no request here (security R17)."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.listener.listening import PATIENCE_SECONDS, Listening
from tests.listener.test_workers import workers_seen

pytestmark = pytest.mark.slow

ASKING = b"GET /wait/0.5 HTTP/1.1\r\nhost: a\r\n\r\n"
NUMBERS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def test_one_process_goes_on() -> None:
    """The request under way is answered, and so is the next on its connection."""
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
    """Whichever of them is told."""
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
    """A whole group that is told while workers start loses none of them."""
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


@pytest.mark.parametrize("workers", [1, 2])
def test_a_terminal_that_is_gone_ends_the_server_gracefully(workers: int) -> None:
    """Nobody is left who could press Ctrl-C; the app still ends well."""
    master, terminal = pty.openpty()
    script = str(Path(__file__).with_name("apps.py"))
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
