"""The audit log of authentication and credential changes (security D3, L1, L2).

The endpoint's line names the event and the request fields that hold the contact and the device.
docs/events.md lists the events.

The lines have a logger of their own, which no log level silences. They hold names, masked contacts
and ids only: never a code, a token, a password or a whole number.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hupan.addresses import format_log_fields, mask_contact
from hupan.api.context import ClientResolver, RequestContext
from hupan.api.errors import to_app_error
from hupan.clock import Clock
from hupan.contract.endpoints import SUCCESS_CODE, AuditEvent
from hupan.contract.messages.login import LoginToken
from hupan.domain.sessions import MAX_STORED_DEVICE_CHARACTERS, hash_device_id
from hupan.metrics import IncrementMetric
from hupan.model import AccountId, Caller, Viewer

TOKEN_REFUSED = "token-refused"  # noqa: S105 - the name of an event
TOKEN_REFUSED_REPEAT_SECONDS = 60
"""Refused tokens of one address make one line in this time: a broken client sends thousands."""
MAX_TRACKED_ADDRESSES = 4096
_log = logging.getLogger("hupan.auth")


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
        _log.info(format_log_fields(fields))

    def _account(self, audit_context: AuditContext, outcome: object) -> AccountId | None:
        if isinstance(outcome, LoginToken):
            return self._account_of(outcome.token)
        return audit_context.caller.account.id if audit_context.caller else None

    def _address(self, context: RequestContext) -> str:
        return str(self._client_resolver.resolve_address(context) or "")


def device_fingerprint(device_id: str) -> str:
    """Return a short hash that distinguishes devices in the log, "" for none."""
    if len(device_id) > MAX_STORED_DEVICE_CHARACTERS:
        device_id = hash_device_id(device_id)
    return hashlib.sha256(device_id.encode()).hexdigest()[:8] if device_id else ""


def _caller_device_id(audit_context: AuditContext) -> str:
    return audit_context.caller.session.device_id if audit_context.caller else ""
