"""The graceful end (security R17)."""

import signal

import pytest

from tests.support.listeners import Listening

pytestmark = pytest.mark.slow

GET = b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_in_flight_get_their_whole_reply(number: signal.Signals) -> None:
    """After one signal running requests finish, idle connections close, the app ends: 0."""
    with Listening() as running:
        silent, idle = running.connect(), running.connect()
        idle.run("/a")
        busy = [running.connect().say(GET % b"/wait/0.4") for _ in range(20)]
        for _ in busy:
            assert running.err_line() == "app waits"
        running.stop(number)
        assert [idle.rest(), silent.rest()] == [b"", b""]
        for peer in busy:
            assert peer.answer()[1].startswith("/wait/0.4 0 ")
            assert peer.rest() == b""
        assert running.end() == (0, "app ended\n")


def test_new_connections_are_refused() -> None:
    """While replies are finished, a new connection is refused."""
    with Listening() as running:
        busy = running.connect().say(GET % b"/wait/0.5")
        assert running.err_line() == "app waits"
        idle = running.connect()
        idle.run("/a")
        running.stop()
        assert idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            running.connect()
        assert busy.answer()[0] == 200


def test_pipelined_requests_are_all_answered() -> None:
    """Pipelined requests are complete, and are answered too."""
    with Listening() as running:
        peer = running.connect().say(GET % b"/wait/0.2" + GET % b"/wait/0.1" + GET % b"/c")
        assert running.err_line() == "app waits"
        running.stop()
        answers = [peer.answer()[1].split()[0] for _ in range(3)]
        assert answers == ["/wait/0.2", "/wait/0.1", "/c"]


def test_a_body_on_its_way_may_arrive() -> None:
    """An incomplete body may still arrive."""
    with Listening() as running:
        idle, peer = running.connect(), running.connect()
        idle.run("/a")
        peer.say(b"POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n12")
        running.connect().run("/c")
        running.stop()
        assert idle.rest() == b""
        assert peer.say(b"34").answer()[1].startswith("/b 4 ")
        assert running.end() == (0, "app ended\n")


@pytest.mark.slow
def test_the_end_has_its_own_deadline() -> None:
    """A request that exceeds the deadline is cut; the app still ends well."""
    with Listening(limits={"stop_timeout_seconds": 1}) as running:
        peer = running.connect().say(GET % b"/wait/60")
        assert running.err_line() == "app waits"
        running.stop()
        peer.rest()
        status, err = running.end()
        assert status == 0
        assert "app ended\n" in err


def test_a_second_signal_ends_at_once() -> None:
    """After a second SIGTERM the process ends although a request runs."""
    with Listening() as running:
        idle = running.connect()
        idle.run("/a")
        running.connect().say(GET % b"/wait/60")
        assert running.err_line() == "app waits"
        running.stop()
        assert idle.rest() == b""
        running.stop()
        assert running.end()[0] == -signal.SIGTERM
