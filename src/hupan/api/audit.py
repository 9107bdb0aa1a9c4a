"""The audit log of authentication and credential changes (security D3, L1, L2).

Who is meant, and on what device, is read from the request by the name of its field. docs/events.md
lists the events; a guard looks that none is missing.

The lines have a logger of their own, which no log level silences, and hold names, masked targets
and ids alone: never a code, a token, a password or a whole number.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hupan.addresses import format_log_fields, mask_contact
from hupan.api.context import ClientResolver, RequestContext
from hupan.api.errors import map_error
from hupan.clock import Clock
from hupan.contract import endpoints
from hupan.contract.endpoints import Endpoint
from hupan.contract.errors import SUCCESS_CODE
from hupan.contract.messages.login import LoginToken
from hupan.domain.text import MAX_STORED_DEVICE_CHARACTERS, hash_device_id
from hupan.metrics import IncrementMetric
from hupan.model import AccountId, Caller, Viewer


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What an endpoint does, as its event names it.

    Attributes:
        name: the event's name.
        target_fields: the fields of the request that may name whom it is about.
        device_field: the field that names a device, "" when the caller's own is meant.
    """

    name: str
    target_fields: tuple[str, ...] = ()
    device_field: str = ""


@dataclass(slots=True)
class AuditContext:
    """One request of such an endpoint, as far as it came.

    Attributes:
        principal: what the guard gave; None before it did, or when nobody signed in calls.
        request: what the body was read as; None before it was.
    """

    request_context: RequestContext
    principal: RequestContext | Caller | Viewer | None = None
    request: Any = None

    @property
    def caller(self) -> Caller | None:
        """Who was signed in."""
        return self.principal if isinstance(self.principal, Caller) else None

    def field(self, name: str) -> str:
        """A field of the request, "" when there is none."""
        return str(getattr(self.request, name, ""))


TOKEN_REFUSED = "token-refused"  # noqa: S105 - the name of an event

AUDIT_EVENTS: dict[Endpoint[Any, Any, Any], AuditEvent] = {
    endpoints.code_login: AuditEvent("sign-in-by-code", ("mobile",), "device_id"),
    endpoints.email_login: AuditEvent("sign-in-by-password", ("email",), "device_id"),
    endpoints.send_sms_code: AuditEvent("code-by-sms", ("mobile",)),
    endpoints.send_email_code: AuditEvent("code-by-email", ("email",)),
    endpoints.logout: AuditEvent("sign-out"),
    endpoints.logout_device: AuditEvent("device-offline", (), "device_id"),
    endpoints.reset_password: AuditEvent("password-reset", ("email",)),
    endpoints.bind_phone: AuditEvent("phone-bind", ("phone",)),
    endpoints.bind_email: AuditEvent("email-bind", ("email",)),
    endpoints.change_phone: AuditEvent("phone-change", ("phone",)),
    endpoints.change_email: AuditEvent("email-change", ("email",)),
    endpoints.cancel_account: AuditEvent("cancel", ("phone", "email")),
}
"""Each endpoint that takes a secret or ends what a secret opened, with its act."""


TOKEN_REFUSED_REPEAT_SECONDS = 60
"""Refused tokens of one address make one line in this time: a broken client sends thousands."""
MAX_TRACKED_ADDRESSES = 4096
_log = logging.getLogger("hupan.auth")


class AuditLog:
    """Tells the log and the counters.

    Args:
        client_resolver: tells where a request comes from (security I10).
        account_of: the account of a token that was just made.
        count: counts each event by name and result.
        clock: tells when a line about an address is due again.
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
        """Tells how a request of an act ended.

        Args:
            event: what was asked for.
            audit_context: the request, as far as it was read.
            outcome: the answer, or the exception that there was instead.
        """
        device = (
            audit_context.field(event.device_field)
            if event.device_field
            else _caller_device_id(audit_context)
        )
        self._emit(
            event.name,
            audit_context.request_context,
            outcome,
            target=next(
                (
                    mask_contact(t)
                    for name in event.target_fields
                    if (t := audit_context.field(name))
                ),
                "",
            ),
            account=str(self._account(audit_context, outcome) or ""),
            device=device_fingerprint(device),
        )

    def record_token_refused(self, context: RequestContext, refusal: Exception) -> None:
        """Tells that a token opened nothing: a line for each address and minute, with a number."""
        address, now = self._address(context), self._clock.now()
        since, times = self._refusals_by_address.pop(address, (0.0, 0))
        if since <= now < since + TOKEN_REFUSED_REPEAT_SECONDS:
            self._refusals_by_address[address] = since, times + 1
            self._count("auth", TOKEN_REFUSED, map_error(refusal).result)
            return
        if len(self._refusals_by_address) >= MAX_TRACKED_ADDRESSES:
            del self._refusals_by_address[next(iter(self._refusals_by_address))]
        self._refusals_by_address[address] = now, 0
        self._emit(TOKEN_REFUSED, context, refusal, times=str(times + 1))

    def _emit(
        self, event: str, context: RequestContext, outcome: object, **extra_fields: str
    ) -> None:
        failure = map_error(outcome) if isinstance(outcome, Exception) else None
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
    """What tells devices apart in the log without naming them, "" for none."""
    if len(device_id) > MAX_STORED_DEVICE_CHARACTERS:
        device_id = hash_device_id(device_id)
    return hashlib.sha256(device_id.encode()).hexdigest()[:8] if device_id else ""


def _caller_device_id(audit_context: AuditContext) -> str:
    return audit_context.caller.session.device_id if audit_context.caller else ""
