"""Standard output and error that never block the event loop (security X6).

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

MAX_QUEUED_BYTES = 4 << 20
"""What waits at most; some 50,000 lines."""
_CHUNK_BYTES = 65536
_DRAIN_SECONDS = 2.0
_POLL_MILLISECONDS = 200


class OutputWriter:
    """A file, the lines that wait for it, and the thread that writes them in their order.

    Attributes:
        lines_dropped: how many could not be written.
        notice: the line that says how many, written where they are missing.
    """

    def __init__(self, descriptor: int, max_queued_bytes: int = MAX_QUEUED_BYTES) -> None:
        self.descriptor = descriptor
        self.lines_dropped = 0
        self.format_notice: Callable[[int], str] = _default_notice
        self._max_queued_bytes = max_queued_bytes
        self._changed = threading.Condition()
        self._queue: list[bytes] = []
        self._queued_bytes = 0
        self._unreported = 0
        self._is_ending = False
        self._is_mid_line = False
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def enqueue(self, lines: bytes) -> bool:
        """Has whole lines written soon; False if too many wait, and these are dropped."""
        with self._changed:
            if self._is_ending or (
                self._queued_bytes and self._queued_bytes + len(lines) > self._max_queued_bytes
            ):
                self._unreported += self._drop(lines)
                return False
            self._queue.append(lines)
            self._queued_bytes += len(lines)
            self._changed.notify()
        return True

    def drain(self, seconds: float) -> bool:
        """Writes what waits, for so long at most; whether all is written."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failed = 0
        while True:
            with self._changed:
                while not (self._queue or self._unreported or self._is_ending):
                    self._changed.wait()
                if not (self._queue or self._unreported):
                    return
                lines, missing = b"".join(self._queue), self._unreported
                self._queue.clear()
                self._unreported = 0
            if not failed or self._write_notice(failed):
                failed, written = 0, self._write(lines)
            else:
                written = 0
            with self._changed:
                self._queued_bytes -= len(lines)
                failed += self._drop(lines[written:])
            # Dropped while these filled the queue: the gap is right behind them.
            if missing and (failed or not self._write_notice(missing)):
                failed += missing

    def _write_notice(self, missing: int) -> bool:
        line = f"{self.format_notice(missing)}\n".encode()
        return self._write(line) == len(line)

    def _write(self, data: bytes) -> int:
        """Writes; gives how many bytes were written before it failed."""
        if self._is_mid_line and not self._write_chunk(b"\n"):
            return 0
        written = 0
        while written < len(data):
            done = self._write_chunk(data[written : written + _CHUNK_BYTES])
            if not done:
                break
            written += done
            self._is_mid_line = data[written - 1] != ord("\n")
        return written

    def _write_chunk(self, chunk: bytes) -> int:
        while True:
            try:
                return os.write(self.descriptor, chunk)
            except BlockingIOError:
                self._wait_writable()
            except OSError:
                return 0

    def _wait_writable(self) -> None:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        poll.poll(_POLL_MILLISECONDS)

    def _drop(self, lines: bytes) -> int:
        count = lines.count(b"\n") + (lines[-1:] not in (b"", b"\n"))
        self.lines_dropped += count
        return count


class OutputStream(io.TextIOBase):
    """A text stream into an outlet; stands where `sys.stdout` or `sys.stderr` stood.

    Args:
        writer: writes it.
        original: whose encoding it has.
        raises_on_drop: whether a writer hears, as an error, that its lines had to be dropped.
    """

    def __init__(self, writer: OutputWriter, original: TextIO, *, raises_on_drop: bool) -> None:
        super().__init__()
        self.writer = writer
        self._encoding, self._errors = original.encoding or "utf-8", original.errors or "replace"
        self._raises_on_drop = raises_on_drop
        self._is_terminal = original.isatty()
        self._lock = threading.RLock()
        self._partial_line = ""

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
        return self.writer.descriptor

    def write(self, text: str) -> int:
        """Keeps text; whole lines go on their way."""
        with self._lock:
            whole, end, self._partial_line = (self._partial_line + text).rpartition("\n")
            if len(self._partial_line) > _CHUNK_BYTES:
                whole, end, self._partial_line = whole + end + self._partial_line, "\n", ""
            self._enqueue(whole + end)
        return len(text)

    def flush(self) -> None:
        """Sends what is no whole line yet on its way too; waits for nothing."""
        with self._lock:
            partial_line, self._partial_line = self._partial_line, ""
            self._enqueue(partial_line)

    def _enqueue(self, text: str) -> None:
        kept = not text or self.writer.enqueue(text.encode(self._encoding, self._errors))
        if self._raises_on_drop and not kept:
            raise BlockingIOError("nobody reads what is written here")


def count_dropped_lines() -> int:
    """How many lines this process could not write."""
    writers = {
        stream.writer for stream in (sys.stdout, sys.stderr) if isinstance(stream, OutputStream)
    }
    return sum(outlet.lines_dropped for outlet in writers)


@contextmanager
def nonblocking_output() -> Iterator[None]:
    """For as long as the block runs, nobody in this process waits for what is written.

    At the end what waits is written, for a bounded time. Streams that are no files stay as they
    are.
    """
    original = (sys.stdout, sys.stderr)
    writers: dict[tuple[int, int], OutputWriter] = {}
    sys.stdout = _wrap_stream(sys.stdout, writers, raises_on_drop=True)
    sys.stderr = _wrap_stream(sys.stderr, writers, raises_on_drop=False)
    try:
        yield
    finally:
        with contextlib.suppress(BlockingIOError):
            sys.stdout.flush()
        sys.stderr.flush()
        ended = [outlet.drain(_DRAIN_SECONDS) for outlet in writers.values()]
        if all(ended):
            sys.stdout, sys.stderr = original


def _wrap_stream(
    stream: TextIO, writers: dict[tuple[int, int], OutputWriter], *, raises_on_drop: bool
) -> TextIO:
    try:
        stream.flush()
        descriptor = stream.fileno()
        file = os.fstat(descriptor)
    except (OSError, ValueError, AttributeError):  # closed, or none of the system's
        return stream
    key = (file.st_dev, file.st_ino)
    if key not in writers:  # what goes to one file goes there in its order
        writers[key] = OutputWriter(descriptor)
    return cast("TextIO", OutputStream(writers[key], stream, raises_on_drop=raises_on_drop))


def _default_notice(count: int) -> str:
    return f"{count} lines dropped: they could not be written"
