"""The process that redraws uploads, as seen by the server: one upload at a time (security U3)."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from hupan.domain.redraw_worker import (
    BROKEN,
    TOO_LARGE,
    WALL_SECONDS,
    WRONG_KIND,
    DrawnPicture,
)
from hupan.errors import AppError, BrokenPicture, Busy, PictureTooLarge, UnknownPictureKind

MAX_ANSWER_SECONDS = WALL_SECONDS + 3.0
MAX_ANSWER_BYTES = 1024
MAX_WAITING = 16
"""Uploads of a process that wait or are drawn; one more is refused."""
MAX_EXIT_SECONDS, EXIT_POLL_SECONDS = 0.5, 0.01
_REFUSALS: dict[str, type[AppError]] = {
    WRONG_KIND: UnknownPictureKind,
    TOO_LARGE: PictureTooLarge,
    BROKEN: BrokenPicture,
}
_log = logging.getLogger("hupan.media")


class RedrawProcess:
    """A process that redraws one upload after the other."""

    def __init__(self) -> None:
        self._ending = threading.Lock()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(MAX_ANSWER_SECONDS)
        with theirs:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-P", "-m", "hupan.domain.redraw_worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                process_group=0,
                env={
                    name: value
                    for name, value in os.environ.items()
                    if not name.startswith("HUPAN_")  # it needs none of the server's secrets
                },
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def redraw(self, source: int, target: int) -> list[str | int]:
        """Redraw one open file to another.

        Raises:
            OSError: the process has ended or hangs.
        """
        socket.send_fds(self._socket, [b"."], [source, target])
        answer = b""
        while not answer.endswith(b"\n"):
            received = self._socket.recv(MAX_ANSWER_BYTES)
            answer += received
            if not received or len(answer) > MAX_ANSWER_BYTES:
                raise ConnectionResetError("the process that redraws pictures has ended")
        result: list[str | int] = json.loads(answer)
        return result

    def close(self) -> None:
        """End the process and a child that is still drawing: they share the open files."""
        self._socket.close()
        with self._ending:  # by the thread whose upload fails, and by `close`
            if self._process.returncode is None:
                self._end()

    def _end(self) -> None:
        deadline = time.monotonic() + MAX_EXIT_SECONDS
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(EXIT_POLL_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(
                self.pid, signal.SIGKILL
            )  # not waited for yet, so the number is still its own
        self._process.wait()

    def _has_ended(self) -> bool:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None


class Redrawer:
    """Redraws uploads off the event loop, in one process that is started when it is needed."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hupan-redraw")
        self._process: RedrawProcess | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._waiting = 0

    @property
    def pending_count(self) -> int:
        """The number of uploads waiting or in progress."""
        return self._waiting

    @property
    def pid(self) -> int | None:
        """The id of the process, None before the first upload."""
        return None if self._process is None else self._process.pid

    async def redraw(self, source: int, target: int) -> DrawnPicture:
        """Redraw an upload.

        Args:
            source: the open upload, read from its start.
            target: an open and empty file.

        Raises:
            UnknownPictureKind, PictureTooLarge, BrokenPicture: the upload is refused.
            Busy: too many uploads wait, or the process fails.
        """
        if self._closed or self._waiting >= MAX_WAITING:
            raise Busy
        drawing = asyncio.get_running_loop().run_in_executor(
            self._thread, self._run, os.dup(source), os.dup(target)
        )
        self._waiting += 1
        drawing.add_done_callback(self._count_end)
        # Not cancelled with the request: the thread uses the files until it is done.
        result = await asyncio.shield(drawing)
        match result:
            case [str(extension), int(width), int(height), int(size)]:
                return DrawnPicture(extension, width, height, size)
            case [str(reason)] if reason in _REFUSALS:
                raise _REFUSALS[reason]
            case _:
                raise BrokenPicture

    def _count_end(self, _drawing: object) -> None:
        self._waiting -= 1

    def close(self) -> None:
        """End the process, even a busy one."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self, source: int, target: int) -> list[str | int]:
        try:
            os.lseek(source, 0, os.SEEK_SET)
            try:
                return self._ask(source, target)
            except ConnectionError:  # it has been idle and ended, or was killed: a new one
                os.lseek(source, 0, os.SEEK_SET)
                os.ftruncate(target, 0)
                os.lseek(target, 0, os.SEEK_SET)
                return self._ask(source, target)
        except OSError as error:
            _log.warning("a picture could not be drawn: %s", error)
            raise Busy from error
        finally:
            os.close(source)
            os.close(target)

    def _ask(self, source: int, target: int) -> list[str | int]:
        process = self._take_process()
        try:
            return process.redraw(source, target)
        except BaseException:
            with self._lock:
                self._process = None if self._process is process else self._process
            with contextlib.suppress(OSError):
                process.close()
            raise

    def _take_process(self) -> RedrawProcess:
        with self._lock:
            if self._closed:
                raise Busy
            if self._process is None:
                self._process = RedrawProcess()
            return self._process
