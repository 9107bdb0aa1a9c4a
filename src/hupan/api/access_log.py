"""One line in the log for each request, with its id (wire.md 1.8).

A record of the standard library costs more than the request itself, so lines are gathered and
written together, five times a second. Paths are those of the table, so nothing needs escaping.
"""

import asyncio
import contextlib
import time
from typing import Literal, TextIO

from hupan.contract.failures import Result

FLUSH_SECONDS = 0.2


class AccessLog:
    """Lines of requests.

    Args:
        stream: where they go, None for nowhere.
        form: as text, or as a JSON object each.
    """

    def __init__(self, stream: TextIO | None, form: Literal["text", "json"]) -> None:
        self._stream = stream
        self._is_json = form == "json"
        self._lines: list[str] = []
        self._second = 0
        self._start = ""

    def note(self, number: int, path: str, result: Result, code: int) -> None:
        """Keeps a line: id, path, class of the outcome, and the code that the client was told."""
        if self._stream is None:
            return
        now = int(time.time())
        if now != self._second:
            self._second, self._start = now, self._start_of_line(now)
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        self._lines.append(f"{self._start}request={number} {path} {result} {code}")

    def flush(self) -> None:
        """Writes what was kept; also when the server ends."""
        if self._stream is None or not self._lines:
            return
        end = '"}\n' if self._is_json else "\n"
        lines, self._lines = self._lines, []
        with contextlib.suppress(OSError):  # a full disk costs lines, never requests (R03)
            self._stream.write(end.join(lines) + end)
            self._stream.flush()

    def _start_of_line(self, now: int) -> str:
        if self._is_json:
            return f'{{"time":{now},"level":"info","logger":"hupan.api","message":"'
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}Z INFO hupan.api "
