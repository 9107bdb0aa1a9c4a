"""Configures logging to stderr, one line per record, as text or JSON (security L1).

A record of the standard library costs more than the request itself, so access lines are collected
and written together, five times a second. Paths are those of the table, so nothing needs escaping.
"""

import asyncio
import contextlib
import json
import logging
import re
import sys
import time
from functools import partial
from types import TracebackType
from typing import Literal, TextIO, TypeAlias

from hupan.config import Settings
from hupan.errors import ResultClass
from hupan.server.output import OutputStream

ACCESS_LOG_FLUSH_SECONDS = 0.2


class AccessLog:
    """Lines of requests.

    Args:
        stream: where to write; None for nowhere.
        line_format: text, or a JSON object per line.
    """

    def __init__(self, stream: TextIO | None, line_format: Literal["text", "json"]) -> None:
        self._stream = stream
        self._is_json = line_format == "json"
        self._lines: list[str] = []
        self._second = 0
        self._prefix = ""

    def record(self, request_id: int, path: str, result: ResultClass, code: int) -> None:
        """Collect a line: id, path, result, and the code of the response."""
        if self._stream is None:
            return
        now = int(time.time())
        if now != self._second:
            self._second, self._prefix = now, self._line_prefix(now)
        if not self._lines:
            asyncio.get_running_loop().call_later(ACCESS_LOG_FLUSH_SECONDS, self.flush)
        self._lines.append(f"{self._prefix}request={request_id} {path} {result} {code}")

    def flush(self) -> None:
        """Write the collected lines; also called at shutdown."""
        if self._stream is None or not self._lines:
            return
        end = '"}\n' if self._is_json else "\n"
        lines, self._lines = self._lines, []
        with contextlib.suppress(OSError):  # a full disk costs lines, never requests (R03)
            self._stream.write(end.join(lines) + end)
            self._stream.flush()

    def _line_prefix(self, now: int) -> str:
        if self._is_json:
            return f'{{"time":{now},"level":"info","logger":"hupan.api","message":"'
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}Z INFO hupan.api "


_CONTROL_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
# What a library's exception may quote: a token, a number or a code, an address.
_PRIVATE_TEXT = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9]{6,}"
    r"|[^\s@'\"<>]+@[^\s@'\"<>]+"
)
ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


class TextFormatter(logging.Formatter):
    """Formats a line of text; escapes characters that could forge a line or move a cursor."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = _utc_time

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line; a traceback follows with its line breaks escaped."""
        return super().format(record).translate(_CONTROL_ESCAPES)

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - the library calls it so
        """Return the traceback without what its exception may quote."""
        return _PRIVATE_TEXT.sub("***", super().formatException(ei))


class JsonFormatter(logging.Formatter):
    """Formats an object per line: time, level, logger, message, and a traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - the library calls it so
        """Return the traceback without what its exception may quote."""
        return _PRIVATE_TEXT.sub("***", super().formatException(ei))


def _utc_time(unix_seconds: float | None) -> time.struct_time:
    return time.gmtime(unix_seconds)


def make_access_log(settings: Settings) -> AccessLog:
    """Return the access log, which is on from the level `info`."""
    is_on = settings.log_level in ("debug", "info")
    return AccessLog(sys.stderr if is_on else None, settings.log_format)


def configure_logging(level: str, log_format: Literal["text", "json"]) -> None:
    """Set up the loggers of this process; the server's own are all below `hupan`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    # Messages of libraries may quote as much as the server's own (security L1).
    for name in ("hupan", "asyncio", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
    logging.getLogger("hupan").setLevel(level.upper())
    # Sign-ins and attempts are logged at every level (security L2).
    logging.getLogger("hupan.auth").setLevel(logging.INFO)
    if isinstance(sys.stderr, OutputStream):
        sys.stderr.writer.format_notice = partial(_format_dropped_notice, handler)


def _format_dropped_notice(handler: logging.Handler, count: int) -> str:
    text = "%d lines dropped: they could not be written"
    record = logging.LogRecord("hupan.log", logging.WARNING, "", 0, text, (count,), None)
    return handler.format(record)
