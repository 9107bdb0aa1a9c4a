"""Prints each code that a sandbox "sends" on its terminal, once, without ever waiting for it."""

import contextlib
import queue
import sys
import threading
from typing import TextIO

from hupan.sandbox.inbox import Entry

MOST_WAITING = 1000
"""Lines that wait for a terminal that does not take them; more are dropped (security X6)."""
_CHANNELS = {"sms": ("短信", "SMS"), "email": ("邮件", "e-mail")}


class CodePrinter:
    """Writes lines from a thread of its own.

    Args:
        stream: where to write; None for the standard output of the moment.
        english: the language of a line.
    """

    def __init__(self, stream: TextIO | None = None, *, english: bool = False) -> None:
        self._stream = stream
        self._english = english
        self._lines: queue.Queue[str] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many lines wait to be written."""
        return self._lines.qsize()

    def show(self, entry: Entry) -> None:
        """Has a line written for a message with a code; captchas and notices have none."""
        names = _CHANNELS.get(entry.channel)
        if names is None or not entry.code:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="codes", daemon=True)
            self._thread.start()
        label = "code" if self._english else "验证码"
        line = f"{names[self._english]}  {_printable(entry.to)}  {label} {entry.code}"
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            stream = self._stream or sys.stdout
            encoding = getattr(stream, "encoding", None) or "utf-8"
            with contextlib.suppress(OSError, ValueError):  # nobody reads any more
                stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
                stream.flush()


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
