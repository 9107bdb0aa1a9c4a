"""Log lines of authentication events that concern several requests (security L1, L2, C6)."""

import logging
from ipaddress import ip_network

import pytest

from hupan.addresses import ClientResolver
from hupan.clock import AdjustableClock
from hupan.contract.endpoints import AuditEvent
from hupan.errors import Banned, Busy, NotSignedIn, TooManyTries
from hupan.logs import (
    MAX_TRACKED_ADDRESSES,
    AuditContext,
    AuditLog,
    JsonFormatter,
    StoreFailureLog,
    TextFormatter,
)
from hupan.metrics import MetricCounters
from hupan.model import AccountId, RequestContext, StoreUnavailable
from tests.support.audit_events import read_pairs

pytestmark = pytest.mark.one_engine
ACT = AuditEvent("sign-in-by-code", ("mobile",), "device_id")


class Still:
    """A clock that stands still."""

    def now(self) -> float:
        """Return the same time."""
        return 1_800_000_000.0


def call(peer: str, header: str = "") -> RequestContext:
    """Return a request from an address, perhaps through a proxy."""
    headers = [(b"x-real-ip", header.encode())] if header else []
    return RequestContext(7, "", english=False, headers=headers, peer=peer)


class AuditHarness:
    """Audit events with their dependencies and their log lines."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.clock = AdjustableClock(Still())
        self.metric_counters = MetricCounters()
        addresses = ClientResolver([ip_network("10.0.0.0/8")], "x-real-ip")
        self.events = AuditLog(addresses, lambda _: AccountId(1), self.metric_counters, self.clock)
        self._caplog = caplog
        logging.getLogger("hupan").propagate = True
        caplog.set_level(logging.INFO, "hupan.auth")

    @property
    def lines(self) -> list[dict[str, str]]:
        """Return the fields of each line so far."""
        return [read_pairs(message) for message in self._caplog.messages]


@pytest.fixture
def audit(caplog: pytest.LogCaptureFixture) -> AuditHarness:
    """Return a new audit log."""
    return AuditHarness(caplog)


@pytest.mark.parametrize(
    ("error", "result", "code"),
    [
        (TooManyTries(), "limited", "1203"),
        (Busy(), "limited", "1002"),
        (StoreUnavailable("disk"), "error", "1001"),
        (StoreUnavailable("queue", is_busy=True), "limited", "1002"),
        (RuntimeError("13900000001"), "error", "1000"),
    ],
)
def test_limits_and_accidents_are_logged(
    audit: AuditHarness, error: Exception, result: str, code: str
) -> None:
    """Errors are logged by class and code, never by the text of an exception (security L2)."""
    audit.events.record(ACT, AuditContext(call("192.0.2.1")), error)
    (line,) = audit.lines
    assert (line["result"], line["code"], line["reason"]) == (result, code, type(error).__name__)
    assert audit.metric_counters.counts_by_labels("auth") == {("sign-in-by-code", result): 1}


def test_the_address_is_the_clients(audit: AuditHarness) -> None:
    """Behind a trusted proxy its header decides, elsewhere the socket's address (security I10)."""
    for peer in ("10.0.0.1", "192.0.2.1"):
        audit.events.record(ACT, AuditContext(call(peer, "203.0.113.9")), Banned())
    assert [line["address"] for line in audit.lines] == ["203.0.113.9", "192.0.2.1"]


def test_refused_tokens_are_gathered(audit: AuditHarness) -> None:
    """A thousand of one address and minute are one line; each address has its own (L2)."""
    for _ in range(1000):
        audit.events.record_token_refused(call("192.0.2.1"), NotSignedIn())
    audit.events.record_token_refused(call("192.0.2.2"), Banned())
    audit.clock.advance(60)
    audit.events.record_token_refused(call("192.0.2.1"), NotSignedIn())
    assert [(line["address"], line["times"]) for line in audit.lines] == [
        ("192.0.2.1", "1"),
        ("192.0.2.2", "1"),
        ("192.0.2.1", "1000"),
    ]
    assert (
        audit.metric_counters.counts_by_labels("auth")["token-refused", "unauthenticated"] == 1001
    )


def test_a_clock_that_goes_back_silences_no_line(audit: AuditHarness) -> None:
    """After the clock went back the line is due, too (security R08)."""
    audit.events.record_token_refused(call("192.0.2.1"), NotSignedIn())
    audit.clock.advance(-3600)
    audit.events.record_token_refused(call("192.0.2.1"), NotSignedIn())
    assert len(audit.lines) == 2


@pytest.mark.slow
def test_many_addresses_fill_no_memory(audit: AuditHarness) -> None:
    """The address without refusals for longest is forgotten first."""
    for number in range(MAX_TRACKED_ADDRESSES + 1):
        peer = f"172.16.{number // 256}.{number % 256}"
        audit.events.record_token_refused(call(peer), NotSignedIn())
    assert len(audit.lines) == MAX_TRACKED_ADDRESSES + 1
    audit.events.record_token_refused(call("172.16.0.1"), NotSignedIn())
    assert len(audit.lines) == MAX_TRACKED_ADDRESSES + 1
    audit.events.record_token_refused(call("172.16.0.0"), NotSignedIn())
    assert len(audit.lines) == MAX_TRACKED_ADDRESSES + 2


@pytest.mark.parametrize("form", [TextFormatter(), JsonFormatter()])
def test_a_traceback_quotes_nothing_private(form: logging.Formatter) -> None:
    """Tokens, numbers and addresses in a library's exception are left out (L1, C13)."""
    secrets = ("01234567-89ab-4cde-8f01-23456789abcd", "482913", "13900000001", "anna@example.com")
    try:
        dict[str, str]()[" ".join(secrets)]
    except KeyError as error:
        record = logging.LogRecord(
            "hupan.api", 40, "", 0, "failed", (), (KeyError, error, error.__traceback__)
        )
    text = form.format(record)
    assert "KeyError" in text
    assert "test_a_traceback_quotes_nothing_private" in text
    assert [secret for secret in secrets if secret in text] == []


def test_failures_of_the_store_have_one_line_a_second(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line has the number of failed requests (security X6)."""
    moments = iter([100.0] * 500 + [101.5, 101.6])
    monkeypatch.setattr("hupan.logs.time.monotonic", lambda: next(moments))
    log = StoreFailureLog(logging.getLogger("hupan.api"))
    for number in range(1, 503):
        log.record(number, StoreUnavailable("the node is lost"))
    assert [record.getMessage().replace("request=", "") for record in caplog.records] == [
        "1 the store is not available: the node is lost (failed since the last line: 1)",
        "501 the store is not available: the node is lost (failed since the last line: 500)",
    ]
