"""A command ended by a signal undoes its work, whatever signals follow."""

import os
import signal

import pytest

from hupan.cli.run import undone_by_signals

ENDING = (signal.SIGTERM, signal.SIGHUP)


def end_command(first: signal.Signals, undone: list[bool]) -> None:
    """Simulate a command that a signal ends, with further signals during the undo."""
    with undone_by_signals():
        try:
            os.kill(os.getpid(), first)
        finally:
            for number in ENDING:
                os.kill(os.getpid(), number)
            undone.append(True)


@pytest.mark.one_engine
@pytest.mark.parametrize("first", ENDING)
def test_further_signals_do_not_end_the_undoing(first: signal.Signals) -> None:
    """A closed terminal sends SIGHUP twice; the former handlers are restored afterwards."""
    before = [signal.signal(number, signal.SIG_DFL) for number in ENDING]
    undone: list[bool] = []
    try:
        with pytest.raises(SystemExit) as ended:
            end_command(first, undone)
        assert ended.value.code == 128 + first
        assert undone
        assert [signal.getsignal(number) for number in ENDING] == [signal.SIG_DFL] * 2
    finally:
        for number, handler in zip(ENDING, before, strict=True):
            signal.signal(number, handler)
