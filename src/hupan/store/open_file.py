"""Whether the files that are open are still those that the path leads to (security X9).

A file that was moved away, or replaced by a backup, takes every commit without a word, and the next
start finds none of them.
"""

import os
from collections.abc import Callable
from pathlib import Path

from hupan.store.log_frames import log_of


class OpenFile:
    """Compares a SQLite file and its log with what lies there now.

    Args:
        path: the file, which is open.
        status: asks the system; as `os.stat` does.
    """

    def __init__(self, path: Path, status: Callable[[Path], os.stat_result] = os.stat) -> None:
        self._path = path
        self._log = log_of(path)
        self._status = status
        self._file_is = self._what(path)
        self._log_is: tuple[int, int] | None = None

    def is_there(self) -> bool:
        """Whether the path leads to the open file, and its log is the one that is written."""
        if self._file_is is not None and self._what(self._path) != self._file_is:
            return False
        return self._log_is is None or self._what(self._log) == self._log_is

    def note_log(self) -> None:
        """Remembers the log, once a commit has been written to it."""
        if self._log_is is None:
            self._log_is = self._what(self._log)

    def log_bytes(self) -> int:
        """How large the log is."""
        try:
            return self._status(self._log).st_size
        except OSError:
            return 0

    def _what(self, path: Path) -> tuple[int, int] | None:
        try:
            status = self._status(path)
        except OSError:
            return None
        return status.st_dev, status.st_ino
