"""The journal is bounded, and decodes bodies as the server does (K-3)."""

import re
import tracemalloc
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given, settings
from hypothesis import strategies as st

from hupan.clock import SystemClock
from hupan.contract import ENDPOINTS
from hupan.errors import APP_ERRORS
from hupan.sandbox.decoding import RULE_ANCHORS
from hupan.sandbox.fields import decode_json, decode_protobuf, walk
from hupan.sandbox.journal import (
    MAX_ENTRIES,
    MAX_JOURNAL_BYTES,
    MAX_KEPT_BODY_BYTES,
    MAX_UNSERVED_PATHS,
    Entry,
    EntryFilter,
    Journal,
    PackedRequest,
    Payload,
    Subscription,
)
from hupan.sandbox.outbox import MAX_CAPTURED_MESSAGES, MessageCapture, MessageFilter

pytestmark = pytest.mark.one_engine
REQUESTS = [e.request for e in ENDPOINTS if issubclass(e.request, Message)]
RESPONSES = [e.response for e in ENDPOINTS if issubclass(e.response, Message)]


def packed(number: int) -> PackedRequest:
    """Return a request as the recorder passes it on."""
    head, body = b"host\0h%d" % number, b"body %d" % number
    lines = b"x-result: ok\r\n"
    place = (b"/v1/%d" % number, f"/v1/{number}", "1.1", "127.0.0.1", ("127.0.0.1", 1))
    told = (200, 0.5, 0, 0, False, head, body, len(body), lines, True, body, len(body))
    return (float(number), "POST", *place, *told)


@pytest.mark.slow
def test_a_hundred_thousand_requests_keep_memory_flat() -> None:
    """The journal has 1,000 entries, and does not grow between 5,000 and 100,000 requests (K-3)."""
    journal = Journal()
    tracemalloc.start()
    try:
        for number in range(5_000):
            journal.record_request(packed(number))
        before, _ = tracemalloc.get_traced_memory()
        for number in range(5_000, 100_000):
            journal.record_request(packed(number))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(journal) == MAX_ENTRIES
    assert after - before < 256 * 1024
    newest, *_, oldest = journal.list_matching(EntryFilter())
    assert (newest.path, oldest.path) == ("/v1/99999", "/v1/99000")
    assert newest.request.headers == [(b"host", b"h99999")]
    assert newest.result == "ok"


def test_large_bodies_push_out_more() -> None:
    """The total number of bytes is bounded, too (K-3)."""
    journal = Journal()
    for _ in range(200):
        body = b"x" * MAX_KEPT_BODY_BYTES
        journal.record(Entry("request", 0, request=Payload([], body, 2 * len(body))))
        assert journal.size_bytes <= MAX_JOURNAL_BYTES
    assert 50 < len(journal) < 70
    assert all(one.request.is_truncated for one in journal.list_matching(EntryFilter()))


def test_paths_are_bounded() -> None:
    """The least recently used paths are dropped, and the sum stays right (K-4)."""
    journal = Journal()
    for number in range(3 * MAX_UNSERVED_PATHS):
        journal.count_unserved("GET", "/kept", number)
        journal.count_unserved("GET", f"/v1/{number}", number)
    listed = journal.list_unserved()
    assert len(listed) == MAX_UNSERVED_PATHS
    assert (listed[0].path, listed[0].count) == ("/kept", 3 * MAX_UNSERVED_PATHS)
    assert journal.unserved_count == 6 * MAX_UNSERVED_PATHS


def taken(subscription: Subscription) -> list[str]:
    """Return all that a reader can get now: paths of entries, and news."""
    found = []
    while (news := subscription.take()) is not None:
        found.append(news.path if isinstance(news, Entry) else news)
    return found


def test_a_slow_reader_learns_that_it_missed_entries() -> None:
    """It gets the kept entries, and a mark that some are missing or all were cleared (K-3)."""
    journal = Journal()
    journal.record_request(packed(0))
    with Subscription(journal) as subscription:
        assert taken(subscription) == []
        for number in range(1, MAX_ENTRIES + 2):
            journal.record_request(packed(number))
        first, *rest = taken(subscription)
        assert first == "missed"
        assert rest == [f"/v1/{number}" for number in range(2, MAX_ENTRIES + 2)]
        journal.record_request(packed(1))
        journal.clear()
        journal.record_request(packed(2))
        assert taken(subscription) == ["cleared", "/v1/2"]
    assert journal.subscribers == set()


@pytest.mark.parametrize(
    ("last_id", "found"),
    [
        (0, ["/v1/0", "/v1/1", "/late", "/v1/2"]),
        (1, ["/v1/1", "/late", "/v1/2"]),
        (4, ["/late", "/v1/2"]),
        (2, ["/v1/2"]),
        (3, ["/v1/1", "/late", "/v1/2"]),
        (5, []),
        (99, []),
    ],
)
def test_a_reader_that_returns_goes_on(last_id: int, found: list[str]) -> None:
    """It continues after its last event, even if an earlier id was recorded later (design 8)."""
    journal = Journal()
    journal.record_request(packed(0))
    opened, _ = journal.next_id(), journal.next_id()
    journal.record_request(packed(1))
    journal.record(Entry("closed", 0, path="/late", id=opened))
    journal.record_request(packed(2))
    with Subscription(journal, last_id) as subscription:
        assert taken(subscription) == found


def test_each_code_leads_to_its_rule(root: Path) -> None:
    """The link of each code leads to a heading of the page (K-3)."""
    text = (root / "docs/protocol.md").read_text("utf-8")
    headings = re.findall("^### (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
    for error in APP_ERRORS:
        assert RULE_ANCHORS[0 if error.code < 0 else error.code // 100] in slugs, error


@pytest.fixture
def root() -> Path:
    """Return the top folder of the checkout."""
    return Path(__file__).parents[2]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(REQUESTS + RESPONSES), st.binary(max_size=60))
def test_protobuf_is_broken_where_the_library_says_so(message: type[Message], body: bytes) -> None:
    """What the server's decoder refuses has a problem or a mark, the rest is decoded (K-3)."""
    decoded = decode_protobuf(body, message)
    try:
        message.FromString(body)
    except DecodeError:
        marks = {one.mark for _, _, one in walk(decoded.fields)}
        assert decoded.problem is not None or marks & {"wrongType", "broken"}
    else:
        assert decoded.problem is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_taken_apart(body: bytes) -> None:
    """No body makes the journal fail (K-3)."""
    for message in (None, REQUESTS[0]):
        decode_protobuf(body, message).plain()
    decode_json(body, None).plain()


def test_what_was_shown_is_forgotten_with_its_message() -> None:
    """The outbox remembers at most as many shown messages as it keeps (X6)."""
    capture = MessageCapture(SystemClock(), "湖畔")
    for _ in range(3):
        for number in range(MAX_CAPTURED_MESSAGES // 2):
            capture.add("sms", str(number), "login", "1", "")
        capture.list_matching(MessageFilter())
    assert len(vars(capture)["_shown"]) == MAX_CAPTURED_MESSAGES


def test_messages_of_a_target_are_found_until_they_are_forgotten() -> None:
    """Those of a target in any spelling, newest first, none of another, and no old one (X6)."""
    capture = MessageCapture(SystemClock(), "湖畔")
    for number, to in enumerate(("13800138000", "a@b.example", "13800138000", "13800138001")):
        capture.add("sms", to, "login", str(number), "")
    asked = MessageFilter("sms", "+86 138-0013-8000")
    assert [found.code for found in capture.list_matching(asked)] == ["2", "0"]
    assert [found.code for found in capture.list_page(asked, 3, 9)] == ["0"]
    assert capture.list_matching(MessageFilter("email", "13800138000")) == []
    kept = capture.export()
    for number in range(MAX_CAPTURED_MESSAGES - 2):
        capture.add("sms", str(number), "login", "1", "")
    assert [found.code for found in capture.list_matching(asked)] == ["2"]
    assert capture.list_matching(MessageFilter(to="a@b.example")) == []
    capture.restore(kept * MAX_CAPTURED_MESSAGES)
    assert len(capture.export()) == MAX_CAPTURED_MESSAGES
    assert len(capture.list_matching(asked)) == MAX_CAPTURED_MESSAGES // 2
    assert len(vars(capture)["_by_target"]) == 3
    capture.clear()
    assert not capture.list_matching(asked)
    assert not vars(capture)["_by_target"]
