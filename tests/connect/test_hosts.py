"""Our lines in the hosts file are added and removed, all others stay (kit K-11)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.connect.files import ConnectRefused
from hupan.connect.hosts import MARK, add_lines, remove_lines
from hupan.connect.names import KNOWN_NAMES

pytestmark = pytest.mark.one_engine

HERE = "127.0.0.1"
NAMES = ("chat-go.jwzhd.com", "chat-ws-go.jwzhd.com")
FOUND = (
    b"",
    b"127.0.0.1\tlocalhost\n",
    b"127.0.0.1 localhost",
    b"127.0.0.1 localhost\r\n::1 ip6-localhost\r\n",
    b"127.0.0.1 localhost\r\n::1 ip6-localhost",
    b"\xff\xfe not text \x00\n\n\n",
    b"# 192.0.2.1 chat-go.jwzhd.com\n",
)


@pytest.mark.parametrize("found", FOUND)
def test_there_and_back(found: bytes) -> None:
    """The file begins unchanged; without our lines it is the same, byte by byte."""
    added = add_lines(found, HERE, NAMES)
    assert added.startswith(found)
    end = "\r\n" if b"\r\n" in found else "\n"
    for name in NAMES:
        assert f"{HERE} {name} {MARK}{end}".encode() in added
    assert add_lines(added, HERE, NAMES) == added
    assert remove_lines(added, ended=not found or found.endswith(b"\n")) == found


@given(st.binary(max_size=200))
def test_any_file(found: bytes) -> None:
    """Any content of the file is kept."""
    added = add_lines(found, HERE, KNOWN_NAMES)
    assert added.startswith(found)
    assert remove_lines(added, ended=not found or found.endswith(b"\n")) == found


def test_lines_of_others_stay() -> None:
    """Lines after ours, or between them, stay where they are."""
    first, second = add_lines(b"a\n", HERE, NAMES).splitlines(keepends=True)[1:]
    assert remove_lines(b"a\n" + first + b"b\n" + second + b"c") == b"a\nb\nc"


@pytest.mark.parametrize(
    "line",
    [
        "192.0.2.1 chat-go.jwzhd.com",
        "0.0.0.0 x.example CHAT-GO.jwzhd.com. # blocked",
        "::1 localhost chat-ws-go.jwzhd.com",
    ],
)
def test_names_that_lead_elsewhere(line: str) -> None:
    """The refusal names the line."""
    with pytest.raises(ConnectRefused, match=r"line 2 .*elsewhere"):
        add_lines(f"127.0.0.1 localhost\n{line}\n".encode(), HERE, NAMES)


def test_a_name_that_leads_here_already() -> None:
    """It gets no second line, and its own line stays when ours are removed."""
    found = b"127.0.0.1 chat-go.jwzhd.com\n"
    added = add_lines(found, HERE, NAMES)
    assert added.count(b"chat-go.jwzhd.com") == 1
    assert remove_lines(added) == found


def test_another_address() -> None:
    """Our lines for another address are replaced."""
    moved = add_lines(add_lines(b"a\n", HERE, NAMES), "127.0.0.2", NAMES)
    assert moved == add_lines(b"a\n", "127.0.0.2", NAMES)
