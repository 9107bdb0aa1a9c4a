"""Output of a process never blocks it (security X6)."""

import io
import os
import sys
import threading
import time
from collections.abc import Callable

import pytest

from hupan.server.output import OutputStream, OutputWriter, count_dropped_lines, nonblocking_output

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60.0
SMALL = 1000
LINE = b"0123456789\n"
NOTICE = "{} lines dropped: they could not be written"


def until(condition: Callable[[], bool]) -> None:
    """Wait for a thread."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def filled() -> tuple[int, int, int]:
    """Return a full pipe: both ends, and how many bytes are in it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    count = 0
    for piece in (b"x" * 4096, b"x"):
        try:
            while True:
                count += os.write(writer, piece)
        except BlockingIOError:
            pass
    return reader, writer, count


def read(reader: int, count: int) -> bytes:
    """Read this number of bytes."""
    found = b""
    while len(found) < count:
        found += os.read(reader, count - len(found))
    return found


def rest(reader: int) -> bytes:
    """Return all output until the other end is closed."""
    with os.fdopen(reader, "rb") as stream:
        return stream.read()


@pytest.mark.parametrize("waits", [True, False])
def test_unread_lines_are_dropped_and_counted(waits: bool) -> None:
    """Lines are dropped in order, with their number at the gap, on any kind of pipe."""
    reader, writer, held = filled()
    os.set_blocking(writer, waits)
    outlet = OutputWriter(writer, SMALL)
    numbered = [b"%06d\n" % number for number in range(1000)]
    kept = [line for line in numbered if outlet.enqueue(line)]
    assert len(kept) == SMALL // 7
    assert outlet.lines_dropped == len(numbered) - len(kept)
    read(reader, held)
    until(lambda: outlet.enqueue(LINE))
    assert outlet.drain(PATIENCE_SECONDS)
    os.close(writer)
    said = rest(reader).decode().splitlines()
    assert said[: len(kept)] == [line.decode().strip() for line in kept]
    told = sum(int(line.split()[0]) for line in said[len(kept) :] if "dropped" in line)
    assert told == outlet.lines_dropped
    assert said[len(kept)].endswith(NOTICE.format(""))
    assert said[-1] == LINE.decode().strip()


def test_the_gap_is_written_without_another_line() -> None:
    """The number of dropped lines is written once the pipe is read again."""
    reader, writer, held = filled()
    outlet = OutputWriter(writer, SMALL)
    assert outlet.enqueue(b"a" * SMALL + b"\n")
    assert not outlet.enqueue(LINE * 3)
    read(reader, held + SMALL + 1)
    assert read(reader, len(NOTICE.format(3))).decode() == NOTICE.format(3)
    assert outlet.drain(PATIENCE_SECONDS)
    os.close(writer)
    os.close(reader)


def test_a_full_disk_costs_lines_alone() -> None:
    """Each dropped line is counted, without an error."""
    full = os.open("/dev/full", os.O_WRONLY)
    outlet = OutputWriter(full)
    for number in range(10):
        assert outlet.enqueue(LINE * 2)
        until(lambda number=number: outlet.lines_dropped == 2 * number + 2)  # type: ignore[misc]  # bound
    assert outlet.drain(PATIENCE_SECONDS)
    os.close(full)


def test_a_disk_with_room_again_hears_what_is_missing() -> None:
    """The number of dropped lines precedes the next line."""
    reader, writer = os.pipe()
    descriptor = os.open("/dev/full", os.O_WRONLY)
    outlet = OutputWriter(descriptor)
    outlet.enqueue(LINE * 2)
    until(lambda: outlet.lines_dropped == 2)
    os.dup2(writer, descriptor)
    outlet.enqueue(b"again\n")
    assert outlet.drain(PATIENCE_SECONDS)
    os.close(descriptor)
    os.close(writer)
    assert rest(reader).decode() == NOTICE.format(2) + "\nagain\n"


def test_the_end_does_not_wait_for_ever() -> None:
    """A missing reader is given up."""
    reader, writer, held = filled()
    os.set_blocking(writer, True)
    outlet = OutputWriter(writer)
    outlet.enqueue(LINE)
    assert not outlet.drain(0.1)
    read(reader, held)
    assert outlet.drain(PATIENCE_SECONDS)
    assert read(reader, len(LINE)) == LINE
    os.close(writer)
    os.close(reader)


def test_a_stream_can_raise_on_drop() -> None:
    """A dropped code on the console must be sent again, so it is an error there."""
    reader, writer, _ = filled()
    outlet = OutputWriter(writer, SMALL)
    with os.fdopen(os.dup(writer), "w") as before:
        told, untold = (OutputStream(outlet, before, raises_on_drop=told) for told in (True, False))
    untold.write("a" * SMALL + "\n")
    untold.write("b\n")
    with pytest.raises(BlockingIOError):
        told.write("c\n")
    os.close(reader)
    assert outlet.drain(PATIENCE_SECONDS)
    os.close(writer)


def test_many_threads_do_not_mix_their_lines() -> None:
    """Lines stay whole, even if they were written in pieces."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as before:
        outlet = OutputWriter(before.fileno())

        def say(name: str) -> None:
            stream = OutputStream(outlet, before, raises_on_drop=False)
            for number in range(200):
                stream.write(name)
                stream.write(f"{number}\n")

        threads = [threading.Thread(target=say, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outlet.drain(PATIENCE_SECONDS)
    said = rest(reader).decode().splitlines()
    for name in "abcd":
        assert [line for line in said if line[0] == name] == [f"{name}{n}" for n in range(200)]


def test_both_streams_keep_their_order_in_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output and error in one file keep their order; all is there at the end."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as out, os.fdopen(os.dup(writer), "w") as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with nonblocking_output():
            for number in range(100):
                sys.stdout.write(f"out {number}\n")
                sys.stderr.write(f"err {number}")
                sys.stderr.write("\n")
            sys.stdout.write("no whole line")
            assert count_dropped_lines() == 0
        assert sys.stdout is out
        assert sys.stderr is err
    expected = [f"{name} {number}" for number in range(100) for name in ("out", "err")]
    assert rest(reader).decode().splitlines() == [*expected, "no whole line"]


def test_what_is_no_file_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream in memory never waits."""
    memory = io.StringIO()
    monkeypatch.setattr(sys, "stderr", memory)
    with nonblocking_output():
        assert sys.stderr is memory
