"""Tables on a terminal that is too narrow for them."""

import pytest

from hupan.cli.output import Column, print_table

pytestmark = pytest.mark.one_engine


def test_a_narrow_terminal_cuts_nothing_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What does not fit goes on in the next line."""
    monkeypatch.setattr("hupan.cli.output._PIPE_WIDTH_COLUMNS", 30)
    values = {name: name * 12 for name in "abcd"}
    print_table({name: Column(name, wraps=True) for name in values}, [values])
    told = capsys.readouterr().out
    assert "…" not in told
    assert all(told.count(name) == 13 for name in values)  # the heading, too
