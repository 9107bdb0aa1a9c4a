"""The log on stderr: access lines, audit events, and their form, text or JSON (security L1).

A record of the standard library costs more than the request itself, so access lines are collected
and written together, five times a second. Paths are those of the table, so nothing needs escaping.

Audit events are about authentication and changes of credentials (security D3, L1, L2). The
endpoint's line names the event and the request fields that hold the contact and the device;
docs/events.md lists the events. Their logger is silenced by no log level. They hold names, masked
contacts and ids only: never a code, a token, a password or a whole number.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Literal, TextIO, TypeAlias

from hupan.addresses import ClientResolver, format_log_fields, mask_contact
from hupan.clock import Clock
from hupan.config import Settings
from hupan.contract.endpoints import SUCCESS_CODE, AuditEvent
from hupan.contract.sessions import LoginToken
from hupan.domain.sessions import MAX_STORED_DEVICE_CHARACTERS, hash_device_id
from hupan.errors import ResultClass, to_app_error
from hupan.metrics import IncrementMetric
from hupan.model import AccountId, Caller, RequestContext, Viewer
from hupan.server.output import OutputStream

ACCESS_LOG_FLUSH_SECONDS = 0.2
STORE_FAILURE_LOG_SECONDS = 1.0


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


TOKEN_REFUSED = "token-refused"  # noqa: S105 - the name of an event
TOKEN_REFUSED_REPEAT_SECONDS = 60
"""Refused tokens of one address make one line in this time: a broken client sends thousands."""
MAX_TRACKED_ADDRESSES = 4096
_audit_logger = logging.getLogger("hupan.auth")


@dataclass(slots=True)
class AuditContext:
    """One request of an audited endpoint, as far as it was processed.

    Attributes:
        principal: what the guard returned; None before that, or for a request without a session.
        request: the decoded request; None before that.
    """

    request_context: RequestContext
    principal: RequestContext | Caller | Viewer | None = None
    request: Any = None

    @property
    def caller(self) -> Caller | None:
        """The caller with a session."""
        return self.principal if isinstance(self.principal, Caller) else None

    def field(self, name: str) -> str:
        """Return a field of the request, "" when there is none."""
        return str(getattr(self.request, name, ""))


class AuditLog:
    """Writes audit events to the log and counts them.

    Args:
        client_resolver: resolves the client's address (security I10).
        account_of: returns the account of a token that was just issued.
        count: counts each event by name and result.
        clock: decides when the next line about an address is due.
    """

    def __init__(
        self,
        client_resolver: ClientResolver,
        account_of: Callable[[str], AccountId | None],
        count: IncrementMetric,
        clock: Clock,
    ) -> None:
        self._client_resolver = client_resolver
        self._account_of = account_of
        self._count = count
        self._clock = clock
        self._refusals_by_address: dict[str, tuple[float, int]] = {}

    def record(self, event: AuditEvent, audit_context: AuditContext, outcome: object) -> None:
        """Record how a request ended.

        Args:
            event: the event of its endpoint.
            audit_context: the request, as far as it was processed.
            outcome: the response, or the exception.
        """
        device = (
            audit_context.field(event.device) if event.device else _caller_device_id(audit_context)
        )
        contacts = filter(None, map(audit_context.field, event.target))
        self._emit(
            event.name,
            audit_context.request_context,
            outcome,
            target=next(map(mask_contact, contacts), ""),
            account=str(self._account(audit_context, outcome) or ""),
            device=device_fingerprint(device),
        )

    def record_token_refused(self, context: RequestContext, refusal: Exception) -> None:
        """Record a token without a session: one line per address and minute, with a count."""
        address, now = self._address(context), self._clock.now()
        since, times = self._refusals_by_address.pop(address, (0.0, 0))
        if since <= now < since + TOKEN_REFUSED_REPEAT_SECONDS:
            self._refusals_by_address[address] = since, times + 1
            self._count("auth", TOKEN_REFUSED, to_app_error(refusal).result)
            return
        if len(self._refusals_by_address) >= MAX_TRACKED_ADDRESSES:
            del self._refusals_by_address[next(iter(self._refusals_by_address))]
        self._refusals_by_address[address] = now, 0
        self._emit(TOKEN_REFUSED, context, refusal, times=str(times + 1))

    def _emit(
        self, event: str, context: RequestContext, outcome: object, **extra_fields: str
    ) -> None:
        failure = to_app_error(outcome) if isinstance(outcome, Exception) else None
        result = failure.result if failure else "ok"
        self._count("auth", event, result)
        fields = {
            "event": event,
            "result": result,
            "address": self._address(context),
            **extra_fields,
            "request": str(context.request_id),
            "code": str(failure.code if failure else SUCCESS_CODE),
            "reason": type(outcome).__name__ if failure else "",
        }
        _audit_logger.info(format_log_fields(fields))

    def _account(self, audit_context: AuditContext, outcome: object) -> AccountId | None:
        if isinstance(outcome, LoginToken):
            return self._account_of(outcome.token)
        return audit_context.caller.account.id if audit_context.caller else None

    def _address(self, context: RequestContext) -> str:
        return str(self._client_resolver.resolve_address(context) or "")


class StoreFailureLog:
    """At most one line a second for the requests that the store failed.

    A line for each would cost a third of what such a request costs, and healthy accounts pay for it
    while a machine behind the database is lost. The access log has a line for each anyway.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._requests = 0
        self._next_at = -math.inf

    def record(self, request_id: int, error: Exception) -> None:
        self._requests += 1
        now = time.monotonic()
        if now >= self._next_at:
            text = "request=%d the store is not available: %s (failed since the last line: %d)"
            self._logger.error(text, request_id, error, self._requests)
            self._requests = 0
            self._next_at = now + STORE_FAILURE_LOG_SECONDS


def device_fingerprint(device_id: str) -> str:
    """Return a short hash that distinguishes devices in the log, "" for none."""
    if len(device_id) > MAX_STORED_DEVICE_CHARACTERS:
        device_id = hash_device_id(device_id)
    return hashlib.sha256(device_id.encode()).hexdigest()[:8] if device_id else ""


def _caller_device_id(audit_context: AuditContext) -> str:
    return audit_context.caller.session.device_id if audit_context.caller else ""


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
