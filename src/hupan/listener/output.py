"""Standard output and error of a process that serves: to say something never waits (security X6).

A pipe that nobody reads, a full disk and a stopped terminal hold up whoever writes. So a thread of
its own writes, and what it cannot write in time is dropped and counted.
"""

import contextlib
import io
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

BYTES_MAX = 4 << 20
"""What waits at most; some 50,000 lines."""
_PIECE_BYTES = 65536
_LAST_SECONDS = 2.0
_LOOK_MILLISECONDS = 200


class Outlet:
    """A file, the lines that wait for it, and the thread that writes them in their order.

    Attributes:
        lines_dropped: how many could not be written.
        notice: the line that says how many, written where they are missing.
    """

    def __init__(self, descriptor: int, bytes_max: int = BYTES_MAX) -> None:
        self.descriptor = descriptor
        self.lines_dropped = 0
        self.notice: Callable[[int], str] = _notice
        self._bytes_max = bytes_max
        self._changed = threading.Condition()
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._untold = 0
        self._is_ending = False
        self._is_inside_a_line = False
        self._thread = threading.Thread(target=self._work, name="output", daemon=True)
        self._thread.start()

    def put(self, lines: bytes) -> bool:
        """Has whole lines written soon; False if too many wait, and these are dropped."""
        with self._changed:
            if self._is_ending or (self._bytes and self._bytes + len(lines) > self._bytes_max):
                self._untold += self._drop(lines)
                return False
            self._waiting.append(lines)
            self._bytes += len(lines)
            self._changed.notify()
        return True

    def end(self, seconds: float) -> bool:
        """Writes what waits, for so long at most; whether all is written."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        failed = 0
        while True:
            with self._changed:
                while not (self._waiting or self._untold or self._is_ending):
                    self._changed.wait()
                if not (self._waiting or self._untold):
                    return
                lines, missing = b"".join(self._waiting), self._untold
                self._waiting.clear()
                self._untold = 0
            if not failed or self._tells(failed):
                failed, written = 0, self._write(lines)
            else:
                written = 0
            with self._changed:
                self._bytes -= len(lines)
                failed += self._drop(lines[written:])
            # Dropped while these filled the queue: the gap is right behind them.
            if missing and (failed or not self._tells(missing)):
                failed += missing

    def _tells(self, missing: int) -> bool:
        line = f"{self.notice(missing)}\n".encode()
        return self._write(line) == len(line)

    def _write(self, data: bytes) -> int:
        """Writes; gives how many bytes were written before it failed."""
        if self._is_inside_a_line and not self._pushed(b"\n"):
            return 0
        written = 0
        while written < len(data):
            done = self._pushed(data[written : written + _PIECE_BYTES])
            if not done:
                break
            written += done
            self._is_inside_a_line = data[written - 1] != ord("\n")
        return written

    def _pushed(self, piece: bytes) -> int:
        while True:
            try:
                return os.write(self.descriptor, piece)
            except BlockingIOError:
                self._await_room()
            except OSError:
                return 0

    def _await_room(self) -> None:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        poll.poll(_LOOK_MILLISECONDS)

    def _drop(self, lines: bytes) -> int:
        count = lines.count(b"\n") + (lines[-1:] not in (b"", b"\n"))
        self.lines_dropped += count
        return count


class Speech(io.TextIOBase):
    """A text stream into an outlet; stands where `sys.stdout` or `sys.stderr` stood.

    Args:
        outlet: writes it.
        before: whose encoding it has.
        is_told: whether a writer hears, as an error, that its lines had to be dropped.
    """

    def __init__(self, outlet: Outlet, before: TextIO, *, is_told: bool) -> None:
        super().__init__()
        self.outlet = outlet
        self._encoding, self._errors = before.encoding or "utf-8", before.errors or "replace"
        self._is_told = is_told
        self._is_terminal = before.isatty()
        self._lock = threading.RLock()
        self._begun = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the library's is an attribute
        """That of the stream before."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]  # likewise
        """Likewise."""
        return self._errors

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def isatty(self) -> bool:
        """Whether a person may look on."""
        return self._is_terminal

    def fileno(self) -> int:
        """Where it goes to in the end."""
        return self.outlet.descriptor

    def write(self, text: str) -> int:
        """Keeps text; whole lines go on their way."""
        with self._lock:
            whole, end, self._begun = (self._begun + text).rpartition("\n")
            if len(self._begun) > _PIECE_BYTES:
                whole, end, self._begun = whole + end + self._begun, "\n", ""
            self._put(whole + end)
        return len(text)

    def flush(self) -> None:
        """Sends what is no whole line yet on its way too; waits for nothing."""
        with self._lock:
            begun, self._begun = self._begun, ""
            self._put(begun)

    def _put(self, text: str) -> None:
        kept = not text or self.outlet.put(text.encode(self._encoding, self._errors))
        if self._is_told and not kept:
            raise BlockingIOError("nobody reads what is written here")


def lines_dropped() -> int:
    """How many lines this process could not write."""
    outlets = {stream.outlet for stream in (sys.stdout, sys.stderr) if isinstance(stream, Speech)}
    return sum(outlet.lines_dropped for outlet in outlets)


@contextmanager
def output_apart() -> Iterator[None]:
    """For as long as the block runs, nobody in this process waits for what is written.

    At the end what waits is written, for a bounded time. Streams that are no files stay as they
    are.
    """
    before = (sys.stdout, sys.stderr)
    outlets: dict[tuple[int, int], Outlet] = {}
    sys.stdout = _speech(sys.stdout, outlets, is_told=True)
    sys.stderr = _speech(sys.stderr, outlets, is_told=False)
    try:
        yield
    finally:
        with contextlib.suppress(BlockingIOError):
            sys.stdout.flush()
        sys.stderr.flush()
        ended = [outlet.end(_LAST_SECONDS) for outlet in outlets.values()]
        if all(ended):
            sys.stdout, sys.stderr = before


def _speech(stream: TextIO, outlets: dict[tuple[int, int], Outlet], *, is_told: bool) -> TextIO:
    try:
        stream.flush()
        descriptor = stream.fileno()
        file = os.fstat(descriptor)
    except (OSError, ValueError, AttributeError):  # closed, or none of the system's
        return stream
    key = (file.st_dev, file.st_ino)
    if key not in outlets:  # what goes to one file goes there in its order
        outlets[key] = Outlet(descriptor)
    return cast("TextIO", Speech(outlets[key], stream, is_told=is_told))


def _notice(count: int) -> str:
    return f"{count} lines dropped: they could not be written"
