"""Standard output and error that never block the event loop (security X6).

An unread pipe, a full disk and a stopped terminal block writers. So a separate thread writes, and
lines that it cannot write in time are dropped and counted.
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
"""Maximum bytes in the queue; about 50,000 lines."""
_CHUNK_BYTES = 65536
_DRAIN_SECONDS = 2.0
_POLL_MILLISECONDS = 200


class OutputWriter:
    """A file, the lines queued for it, and the thread that writes them in order.

    Attributes:
        lines_dropped: how many could not be written.
        notice: the line that reports how many, written in place of the missing ones.
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
        """Queue whole lines; return False if the queue is full and they are dropped."""
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
        """Wait until the queue is written, up to a timeout; return whether it is."""
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
            # Lines were dropped while these filled the queue, so the gap comes right after them.
            if missing and (failed or not self._write_notice(missing)):
                failed += missing

    def _write_notice(self, missing: int) -> bool:
        line = f"{self.format_notice(missing)}\n".encode()
        return self._write(line) == len(line)

    def _write(self, data: bytes) -> int:
        """Write, and return how many bytes were written before a failure."""
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
    """A text stream into an OutputWriter; replaces `sys.stdout` or `sys.stderr`.

    Args:
        writer: writes the lines.
        original: the stream whose encoding is used.
        raises_on_drop: whether a write raises an error if its lines are dropped.
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
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]  # the same
        return self._errors

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._is_terminal

    def fileno(self) -> int:
        return self.writer.descriptor

    def write(self, text: str) -> int:
        """Buffer text; queue whole lines."""
        with self._lock:
            whole, end, self._partial_line = (self._partial_line + text).rpartition("\n")
            if len(self._partial_line) > _CHUNK_BYTES:
                whole, end, self._partial_line = whole + end + self._partial_line, "\n", ""
            self._enqueue(whole + end)
        return len(text)

    def flush(self) -> None:
        """Queue the incomplete line as well; wait for nothing."""
        with self._lock:
            partial_line, self._partial_line = self._partial_line, ""
            self._enqueue(partial_line)

    def _enqueue(self, text: str) -> None:
        kept = not text or self.writer.enqueue(text.encode(self._encoding, self._errors))
        if self._raises_on_drop and not kept:
            raise BlockingIOError("the other end does not read what is written here")


def count_dropped_lines() -> int:
    """Return how many lines this process could not write."""
    writers = {
        stream.writer for stream in (sys.stdout, sys.stderr) if isinstance(stream, OutputStream)
    }
    return sum(outlet.lines_dropped for outlet in writers)


@contextmanager
def nonblocking_output() -> Iterator[None]:
    """Replace standard output and error with non-blocking streams for the block.

    At the end, queued lines are written, up to a timeout. Streams that are not files stay as they
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
    except (OSError, ValueError, AttributeError):  # closed, or not a file of the system
        return stream
    key = (file.st_dev, file.st_ino)
    if key not in writers:  # one writer per file keeps the order
        writers[key] = OutputWriter(descriptor)
    return cast("TextIO", OutputStream(writers[key], stream, raises_on_drop=raises_on_drop))


def _default_notice(count: int) -> str:
    return f"{count} lines dropped: they could not be written"
