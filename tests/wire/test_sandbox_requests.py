"""The journal of the sandbox: every request as sent, and why it was refused (K-3)."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import pb, raw_http
from tests.support.client import WireClient
from tests.support.servers import Server
from tests.support.sockets import SocketClient

pytestmark = pytest.mark.one_engine
Entry = dict[str, Any]


@pytest.fixture
def sandbox_server(emptied_sandbox: Server) -> Server:
    """Return the server of `own_wire`."""
    return emptied_sandbox


def listed(wire: WireClient, **filters: str) -> list[Entry]:
    """Return the journal in English, newest first."""
    reply = wire.http.get("/sandbox/requests", params=filters, headers={"accept-language": "en"})
    assert reply.status_code == 200, reply.text
    entries: list[Entry] = reply.json()
    return entries


def marks(view: Entry) -> dict[str, str]:
    """Return the marked paths with their problems."""
    return {f["path"]: f["mark"] for f in view["fields"] if f.get("mark", "ok") != "ok"}


def test_json_is_decoded_both_ways(own_wire: WireClient) -> None:
    """The entry has the fields, the problem of each, and the refusal (K-3)."""
    body = {"email": "a@example.com", "Foo": 1, "platform": 7}
    assert own_wire.post("user/email-login", body).code == 1100
    (entry,) = listed(own_wire)
    assert (entry["method"], entry["path"]) == ("POST", "/v1/user/email-login")
    assert (entry["endpoint"], entry["surface"]) == ("POST /v1/user/email-login", "app")
    assert (entry["status"], entry["code"], entry["result"]) == (200, 1100, "refused")
    assert entry["request"]["decoded"] == body
    assert marks(entry["request"]) == {
        "Foo": "unknown",
        "platform": "wrongType",
        "password": "missing",
    }
    assert entry["refusal"]["name"] == "InvalidField"
    assert entry["refusal"]["link"] == "docs/protocol.md#11xx-the-request"
    assert entry["response"]["decoded"]["code"] == 1100
    assert marks(entry["response"]) == {}


def test_protobuf_is_decoded_both_ways(own_wire: WireClient) -> None:
    """Protobuf has the contract's names, and marks by field number (K-3)."""
    account = own_wire.account(nickname="湖")
    assert own_wire.get_user(account.id, account.token).code == 1
    own_wire.post("user/edit-nickname", pb.number(3, 5) + pb.text(9, "x"), token=account.token)
    refused, shown = listed(own_wire)
    assert shown["request"]["decoded"] == {"id": account.id}
    assert shown["response"]["decoded"]["data"]["name"] == "湖"
    assert shown["response"]["decoded"]["status"]["code"] == shown["code"] == 1
    assert marks(shown["response"]) == {}
    assert marks(refused["request"]) == {"name": "wrongType", "9": "unknown"}
    assert (refused["account"], shown["account"]) == (account.id, account.id)


def test_protobuf_that_breaks_off_is_read_up_to_there(own_wire: WireClient) -> None:
    """A truncated body shows the fields before the cut, and its position (K-3)."""
    own_wire.post(
        "user/edit-nickname", pb.text(3, "whole") + b"\x1a\x20cut", token=own_wire.account().token
    )
    (entry,) = listed(own_wire)
    assert entry["request"]["fields"][0]["value"] == "whole"
    assert list(marks(entry["request"]).values())[-1] == "broken"
    assert "field 3 takes 32 bytes" in entry["request"]["problem"]
    (entry,) = own_wire.http.get("/sandbox/requests", headers={"accept-language": "zh"}).json()
    assert "字段 3 需要 32 字节" in entry["request"]["problem"]
    assert "field" not in entry["request"]["problem"]
    assert entry["refusal"]["name"] == "UnreadableBody"


def test_a_refusal_by_a_rule_marks_its_field(own_wire: WireClient) -> None:
    """A field of the right type that a rule refuses is marked, too (K-3)."""
    token = own_wire.account().token
    assert own_wire.post("user/edit-nickname", pb.text(3, "x" * 33), token=token).code == 1100
    (entry,) = listed(own_wire)
    assert marks(entry["request"]) == {"name": "refused"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"email": "a@example.com",}', "line 1, column 27"),
        (b"\xff\xfe{}", "not UTF-8 from byte 0"),
        (b'["email"]', "must be a JSON object"),
        (b"[" * 20_000, "nested too deeply"),
        (b'{"email": NaN}', "not JSON: NaN"),
        (b'{"email": %s}' % (b"9" * 5000), "not JSON"),
        (rb'{"email": "\ud800", "\udfff": [{"a": "\uD83D"}]}', "half of a surrogate pair"),
    ],
)
def test_a_body_that_is_no_json_says_where(own_wire: WireClient, body: bytes, problem: str) -> None:
    """An unreadable body is shown unchanged, with the position of the fault (K-3)."""
    own_wire.post("user/email-login", body)
    (entry,) = listed(own_wire)
    assert problem in entry["request"]["problem"]
    assert entry["request"]["size"] == len(body)


def test_a_pair_of_surrogates_is_a_character(own_wire: WireClient) -> None:
    """A pair of escapes is shown as its character (K-3)."""
    own_wire.post("user/email-login", rb'{"email": "\ud83d\ude00"}')
    (entry,) = listed(own_wire)
    assert (entry["request"]["decoded"], entry["request"]["problem"]) == ({"email": "😀"}, "")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/user/email-login"])
def test_a_length_full_of_zeros_breaks_nothing(
    own_wire: WireClient, sandbox_server: Server, path: str
) -> None:
    """A length may have more leading zeros than a number may have digits (K-3)."""
    sent = raw_http.head(f"POST {path} HTTP/1.1", "content-length: " + "0" * 5000 + "2")
    status, _, _ = raw_http.exchange(sandbox_server, sent, b"{}")
    assert status in (200, 404)
    (entry,) = listed(own_wire)
    assert (entry["path"], entry["request"]["size"]) == (path, 2)


def test_filters_narrow_the_journal(own_wire: WireClient) -> None:
    """Path, account, result and time narrow the list, alone and together (design 8)."""
    first, second = own_wire.account(), own_wire.account()
    own_wire.own_info(first.token)
    own_wire.own_info(second.token)
    own_wire.own_info("00000000-0000-0000-0000-000000000000")
    own_wire.post("user/captcha")
    info = "/v1/user/info"
    assert len(listed(own_wire, path=info)) == 3
    assert len(listed(own_wire, path="/v1/user/*")) == 4
    assert [e["account"] for e in listed(own_wire, account=first.id)] == [first.id]
    assert [e["result"] for e in listed(own_wire, result="unauthenticated")] == ["unauthenticated"]
    assert listed(own_wire, result="ok", account=second.id, path="/v1/user/captcha") == []
    later = own_wire.set_clock(advance=3600)
    own_wire.own_info(first.token)
    assert len(listed(own_wire, since=str(later - 10))) == 1


@pytest.mark.parametrize(
    "query", ["paths=/x", "result=fine", "since=x", "since=-1", "path=v1", "limit=5"]
)
def test_unknown_filters_are_refused(own_wire: WireClient, query: str) -> None:
    """A misspelt filter does not show everything (W-13)."""
    reply = own_wire.http.get(f"/sandbox/requests?{query}")
    assert reply.status_code == 400
    assert reply.json().keys() == {"error"}


def test_the_journal_is_cleared(own_wire: WireClient) -> None:
    """DELETE and a reset remove all entries; ids continue (design 8)."""
    own_wire.own_info(None)
    before = listed(own_wire)[0]["id"]
    assert own_wire.http.delete("/sandbox/requests").json() == {}
    assert listed(own_wire) == []
    own_wire.own_info(None)
    assert listed(own_wire)[0]["id"] > before
    own_wire.request("POST", "/sandbox/reset")
    assert listed(own_wire) == []


def test_requests_without_an_endpoint_are_there(
    own_wire: WireClient, sandbox_server: Server
) -> None:
    """Wrong paths, wrong methods and invalid HTTP are recorded with their reason (K-3)."""
    own_wire.request("GET", "/v1/user/captcha")
    own_wire.request("POST", "/v1/msg/send-message", b'{"text":"hello"}')
    own_wire.request("POST", "/v1/user/email-login", b"x" * 70_000)
    raw_http.exchange(sandbox_server, b"nonsense\r\n\r\n")
    raw_http.exchange(sandbox_server, b"GET /a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n")
    raw_http.exchange(sandbox_server, raw_http.head("GET /" + "x" * 3000 + " HTTP/1.1"))
    chunked = raw_http.head("POST /v1/user/email-login HTTP/1.1", "transfer-encoding: chunked")
    raw_http.exchange(sandbox_server, chunked, b"zz\r\n")
    broken, long, hosts, nonsense, large, message, method = listed(own_wire)
    assert method["note"] == "this path requires POST"
    assert (method["status"], method["refusal"]["name"]) == (404, "UnknownEndpoint")
    assert message["request"]["decoded"] == {"text": "hello"}
    assert message["refusal"]["name"] == "NotAnAccountEndpoint"
    assert (large["status"], large["request"]["size"]) == (413, 70_000)
    assert (nonsense["kind"], nonsense["status"]) == ("rejected", 400)
    assert nonsense["request"]["text"] == "nonsense\r\n\r\n"
    assert [(h, v) for h, v in hosts["request"]["headers"]] == [("host", "a"), ("host", "b")]
    assert long["status"] == 414
    assert (broken["kind"], broken["status"], broken["isIncomplete"]) == ("request", 400, True)


def test_pipelined_requests_are_separate_entries(
    own_wire: WireClient, sandbox_server: Server
) -> None:
    """Requests in one packet are separate entries, in their order (K-3)."""
    one = b"GET /v1/user/info HTTP/1.1\r\nhost: a\r\ntoken: %d\r\n\r\n"
    last = raw_http.head("GET /v1/user/info HTTP/1.1", "token: 3")
    raw_http.exchange(sandbox_server, one % 1 + one % 2 + last)
    for _ in range(100):
        if len(listed(own_wire)) == 3:
            break
    tokens = [dict(e["request"]["headers"])["token"] for e in listed(own_wire)]
    assert tokens == ["3", "2", "1"]


def test_socket_messages_are_decoded(own_wire: WireClient, sandbox_server: Server) -> None:
    """Messages of the socket are separate entries, in both directions (K-3)."""
    account = own_wire.account()
    with SocketClient(sandbox_server.port) as client:
        client.send("login", {"userId": account.id, "token": account.token}, seq="7")
        client.send("heartbeat", {}, seq="8")
        client.receive()
        client.connection.send("no json")
        client.receive()
    for _ in range(100):
        entries = listed(own_wire, path="/ws")
        if len(entries) == 7:
            break
    opening, login, beat, ack, wrong, refusal, closing = reversed(entries)
    assert (opening["status"], opening["kind"]) == (101, "request")
    assert {e["socket"] for e in entries[:-1]} == {opening["id"]}
    assert login["request"]["decoded"]["data"]["token"] == account.token
    assert marks(login["request"]) == {"data.userId": "unknown"}
    assert (login["direction"], ack["direction"]) == ("in", "out")
    assert beat["request"]["decoded"] == {"seq": "8", "cmd": "heartbeat", "data": {}}
    assert ack["response"]["decoded"] == {"info": {"seq": "8", "cmd": "heartbeat_ack"}}
    assert "not JSON" in wrong["request"]["problem"]
    assert refusal["response"]["text"] == "数据不合法"
    assert closing["kind"] == "closed"
    assert {e["account"] for e in listed(own_wire, account=account.id)} == {account.id}


def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Yield the events of a stream: name and data."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, line.removeprefix("data: ")


def test_the_stream_shows_what_is_new(own_wire: WireClient) -> None:
    """Entries are sent as server-sent events, filtered, and from the last id on (design 8)."""
    own_wire.own_info(None)
    (before,) = listed(own_wire)
    url = "/sandbox/requests/stream?path=/v1/user/info"
    with own_wire.http.stream(
        "GET", url, headers={"last-event-id": str(before["id"] - 1)}
    ) as reply:
        assert reply.headers["content-type"] == "text/event-stream"
        found = events(reply.iter_lines())
        assert json.loads(next(found)[1])["id"] == before["id"]
        own_wire.post("user/captcha")
        own_wire.own_info(None)
        name, data = next(found)
        assert (name, json.loads(data)["path"]) == ("request", "/v1/user/info")
        own_wire.http.delete("/sandbox/requests")
        assert next(found) == ("cleared", "{}")
    reply = own_wire.http.get("/sandbox/requests/stream", headers={"last-event-id": "x"})
    assert reply.status_code == 400


HOSTILE = [
    b"",
    b'{"text":"it\'s $(touch x) `id` \\"!! %s \\\\ "}',
    b"@/etc/passwd",
    b"-o/tmp/x",
    b"line\nline\r\n\ttab\n\n",
    bytes(range(256)) * 3,
    b"%s%n\\101\\0011\x001",
    "湖畔\u202e\x1b[31m".encode(),
    b"'; exit 1; '",
]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("body", HOSTILE)
def test_curl_replays_the_same_bytes(own_wire: WireClient, body: bytes) -> None:
    """The curl command sends the same request again, byte for byte (K-3)."""
    target = "/v1/msg/a'b%20/../$(id)?x='&y=[1-3]{a,b}"
    raw = raw_http.head(
        f"POST {target} HTTP/1.1",
        f"content-length: {len(body)}",
        "x-empty:",
        'x-odd: it\'s "$(id)" \\ !! `x` @file',
    )
    raw_http.exchange(own_wire.server, raw.replace(b"@file", b"\xff\xe6\xb9\x96"), body)
    (first,) = listed(own_wire)
    subprocess.run(  # noqa: S603 - the displayed shell command
        ["/bin/sh", "-c", first["curl"]], check=True, capture_output=True, timeout=30
    )
    second = listed(own_wire)[0]
    assert second["id"] != first["id"]
    for key in ("method", "target"):
        assert second[key] == first[key]
    for key in ("size", "text", "base64"):
        assert second["request"][key] == first["request"][key]
    sent = second["request"]
    assert (sent["text"] or "").encode() or base64.b64decode(sent["base64"] or "") == body
    left_out = [["connection", "close"]]
    headers = [h for h in first["request"]["headers"] if h not in left_out]
    assert sorted(sent["headers"]) == sorted(headers)


@pytest.mark.parametrize("last", ["-1", "x", "0" * 5000, str(2**53)])
def test_what_is_no_id_of_an_event_is_refused(own_wire: WireClient, last: str) -> None:
    """A stream only continues after an event that existed (K-3)."""
    reply = own_wire.http.get("/sandbox/requests/stream", headers={"last-event-id": last})
    assert reply.status_code == 400


def test_unserved_paths_are_counted(own_wire: WireClient) -> None:
    """Paths that Hupan does not serve are grouped, the most frequent first (K-4)."""
    for path in ("/v1/msg/a", "/v1/msg/b", "/v1/msg/b", "/v1/user/captcha"):
        own_wire.request("POST", path)
    shown = own_wire.http.get("/sandbox/requests/unserved").json()
    assert shown["count"] == 3
    assert [(p["method"], p["path"], p["count"]) for p in shown["paths"]] == [
        ("POST", "/v1/msg/b", 2),
        ("POST", "/v1/msg/a", 1),
    ]
    own_wire.http.delete("/sandbox/requests")
    assert own_wire.http.get("/sandbox/requests/unserved").json() == {"count": 0, "paths": []}


def test_the_journal_itself_is_not_journaled(own_wire: WireClient) -> None:
    """Requests of pages and tools do not replace those of clients (K-3)."""
    for path in ("/sandbox/outbox", "/sandbox/nothing", "/healthz", "/readyz", "/"):
        own_wire.request("GET", path)
    assert listed(own_wire) == []
