"""Several processes."""

import os
import signal

import pytest

from tests.listener.listening import PATIENCE_SECONDS, Listening

pytestmark = pytest.mark.slow


def workers_seen(running: Listening, enough: int) -> set[int]:
    """The process ids that answer, once there are so many; bounded in tries."""
    seen: set[int] = set()
    for _ in range(int(PATIENCE_SECONDS * 100)):
        seen.add(int(running.connect().run("/wait/0.01").split()[2]))
        if len(seen) >= enough:
            break
    return seen


def test_a_dead_worker_is_replaced() -> None:
    """One of two is killed: the other answers on, and a new one joins."""
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
    """One SIGTERM to the parent: each worker finishes its replies and its app."""
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
    """A parent killed without warning: its workers end by themselves."""
    with Listening(workers=2) as running:
        workers_seen(running, 2)
        idle = running.connect()
        idle.run("/a")
        running.process.kill()
        assert idle.rest() == b""
        # stderr is shared with the workers: it ends when the last of them has ended.
        assert running.end()[1].count("app ended") == 2


def test_a_second_signal_takes_the_workers_along() -> None:
    """SIGTERM twice: parent and workers are gone although a request runs."""
    with Listening(workers=2) as running:
        idle = running.connect()
        idle.run("/a")
        running.connect().say(b"GET /wait/60 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert running.err_line() == "app waits"
        running.stop()
        assert idle.rest() == b""
        running.stop()
        assert running.end()[0] == -signal.SIGTERM
