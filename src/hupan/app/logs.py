"""Logs go to stderr, one line each, as text or as JSON (security L1)."""

import json
import logging
import re
import sys
import time
from functools import partial
from types import TracebackType
from typing import Literal, TypeAlias

from hupan.api.access_log import AccessLog
from hupan.config import Settings
from hupan.listener.output import Speech

_UNSEEN = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
# What an exception of a library may quote: a token, a number or a code, an address.
_PRIVATE = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9]{6,}"
    r"|[^\s@'\"<>]+@[^\s@'\"<>]+"
)
ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


class Lines(logging.Formatter):
    """A line of text; characters that could forge a line or move a cursor are escaped."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = _utc

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; a traceback follows with its line breaks escaped."""
        return super().format(record).translate(_UNSEEN)

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - the library calls it so
        """The traceback without what its exception may quote."""
        return _PRIVATE.sub("***", super().formatException(ei))


class JsonLines(logging.Formatter):
    """An object on each line: time, level, logger, message, and a traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
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
        """Likewise."""
        return _PRIVATE.sub("***", super().formatException(ei))


def _utc(unix_seconds: float | None) -> time.struct_time:
    return time.gmtime(unix_seconds)


def make_access_log(settings: Settings) -> AccessLog:
    """A line for each request, from the level `info` on."""
    is_on = settings.log_level in ("debug", "info")
    return AccessLog(sys.stderr if is_on else None, settings.log_format)


def log_to_stderr(level: str, form: Literal["text", "json"]) -> None:
    """Sets up the loggers of this process; ours are all below `hupan`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else Lines())
    # What libraries have to say of a failure may quote as much as what we say (security L1).
    for name in ("hupan", "asyncio", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
    logging.getLogger("hupan").setLevel(level.upper())
    # Who signed in, and who tried, is told whatever else is not (security L2).
    logging.getLogger("hupan.auth").setLevel(logging.INFO)
    if isinstance(sys.stderr, Speech):
        sys.stderr.outlet.notice = partial(_dropped, handler)


def _dropped(handler: logging.Handler, count: int) -> str:
    text = "%d lines dropped: they could not be written"
    record = logging.LogRecord("hupan.log", logging.WARNING, "", 0, text, (count,), None)
    return handler.format(record)
