"""Answers of the sandbox for paths that Hupan does not serve (K-4)."""

import asyncio
import json
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from hupan.sandbox.routes import BadRequest
from hupan.sandbox.rules import Rule as HupanRule
from hupan.sandbox.rules import RuleRoutes, Rules, forward, parse_forward
from hupan.upstream import UpstreamClient, UpstreamLimits
from tests.support.client import WireClient
from tests.support.http_servers import Gateway, serving
from tests.support.ports import free_port

pytestmark = pytest.mark.one_engine
Rule = dict[str, Any]
SEND = "/v1/msg/send-message"


def put(wire: WireClient, *rules: Rule) -> Any:  # noqa: ANN401 - a list, or an error
    """Set the rules; return the response's JSON."""
    reply = wire.http.put(
        "/sandbox/rules", content=json.dumps(rules), headers={"accept-language": "en"}
    )
    assert reply.status_code in (200, 400), reply.text
    return reply.json()


def test_a_rule_answers_with_json_or_bytes(own_wire: WireClient) -> None:
    """Status, type and bytes are those of the rule, and its hits are counted (K-4)."""
    put(
        own_wire,
        {"method": "POST", "path": SEND, "json": {"code": 1, "data": None, "msg": "好"}},
        {"path": "/v1/group/*", "bytesBase64": "AP8K", "contentType": "image/png", "status": 201},
        {"path": "/v1/live/on", "status": 204},
        {"path": "/v1/disk/null", "json": None},
    )
    reply = own_wire.request("POST", SEND, b"{}")
    assert (reply.status_code, reply.json()) == (200, {"code": 1, "data": None, "msg": "好"})
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    reply = own_wire.request("GET", "/v1/group/any/thing")
    assert (reply.status_code, reply.content) == (201, b"\x00\xff\x0a")
    assert reply.headers["content-type"] == "image/png"
    assert own_wire.request("DELETE", "/v1/live/on").status_code == 204
    assert own_wire.request("GET", "/v1/disk/null").content == b"null"
    assert own_wire.request("GET", SEND).status_code == 404
    listed = own_wire.http.get("/sandbox/rules").json()
    assert [rule["hits"] for rule in listed] == [1, 1, 1, 1]
    assert put(own_wire, *listed)[0].items() >= {"method": "POST", "path": SEND, "hits": 0}.items()


def test_rules_end(own_wire: WireClient) -> None:
    """An empty list and a reset remove all rules (design 8)."""
    for end in ("PUT", "POST"):
        put(own_wire, {"path": SEND, "json": 1})
        assert own_wire.request("POST", SEND).status_code == 200
        path = "/sandbox/rules" if end == "PUT" else "/sandbox/reset"
        assert own_wire.http.request(end, path, content=b"[]" if end == "PUT" else b"").is_success
        assert own_wire.request("POST", SEND).status_code == 404


def test_the_journal_names_the_rule(own_wire: WireClient) -> None:
    """Entries and grouped paths name the rule that answers (K-4)."""
    put(own_wire, {"path": "/v1/live/*", "json": 1}, {"path": SEND, "json": 2})
    own_wire.request("POST", SEND, b'{"text":"x"}')
    (entry,) = own_wire.http.get("/sandbox/requests").json()
    assert (entry["rule"], entry["request"]["decoded"]) == (2, {"text": "x"})
    (path,) = own_wire.http.get("/sandbox/requests/unserved").json()["paths"]
    assert (path["path"], path["count"], path["rule"]) == (SEND, 1, 2)


def test_what_hupan_serves_stays_its_own(own_wire: WireClient) -> None:
    """A rule for all paths changes no endpoint, picture, health check or route (K-4)."""
    put(own_wire, {"path": "/*", "json": "mine"})
    assert own_wire.request("POST", "/v1/user/anything").json() == "mine"
    assert own_wire.post("user/captcha").code == 1
    assert own_wire.own_info(own_wire.account().token).code == 1
    assert own_wire.request("GET", "/healthz").json() == {"status": "up"}
    assert own_wire.request("GET", "/media/none.png").status_code == 404
    assert own_wire.request("GET", "/oauth/none").status_code == 404
    assert len(own_wire.http.get("/sandbox/rules").json()) == 1


def test_browsers_may_read_an_answer(own_wire: WireClient) -> None:
    """A preflight passes, and an HTML answer cannot act as a page of the sandbox (W-13)."""
    put(own_wire, {"path": SEND, "bytesBase64": "PGI+", "contentType": "text/html"})
    origin = {"origin": "http://localhost:5173"}
    preflight = {**origin, "access-control-request-method": "POST"}
    assert own_wire.request("OPTIONS", SEND, headers=preflight).status_code == 204
    reply = own_wire.request("POST", SEND, headers=origin)
    plain = own_wire.request("POST", "/v1/user/captcha", headers=origin)
    key = "access-control-allow-origin"
    assert reply.headers.get(key) == plain.headers.get(key)
    assert reply.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({}, "path"),
        ({"path": "v1"}, "begin with /"),
        ({"path": "/a?b"}, "must not have a query"),
        ({"path": "/*/a"}, "must not have a query"),
        ({"path": "/v1/user/info"}, "/sandbox/faults"),
        ({"path": "/web/v1/user/homepage"}, "/sandbox/faults"),
        ({"path": "/sandbox/outbox"}, "/sandbox/faults"),
        ({"path": "/ws"}, "/sandbox/faults"),
        ({"path": SEND, "jsn": 1}, "did you mean json"),
        ({"path": SEND, "json": 1, "bytesBase64": "AA=="}, "not both"),
        ({"path": SEND, "bytesBase64": "A"}, "Base64"),
        ({"path": SEND, "status": 199}, "200"),
        ({"path": SEND, "status": 600}, "599"),
        ({"path": SEND, "status": 204, "json": 1}, "no body"),
        ({"path": SEND, "method": "get"}, "method"),
        ({"path": SEND, "contentType": "a\r\nb: c"}, "media type"),
        ({"path": SEND, "contentType": "文本"}, "media type"),
        ({"path": SEND, "forward": "http://127.0.0.1:9", "status": 200}, "omit status"),
        ({"path": SEND, "forward": "http://example.com"}, "this machine"),
    ],
)
def test_a_wrong_rule_is_named(own_wire: WireClient, rule: Rule, text: str) -> None:
    """A list with one wrong rule changes nothing; the message names it and the reason."""
    put(own_wire, {"path": "/v1/msg/kept", "json": 1})
    error = put(own_wire, {"path": SEND, "json": 1}, rule)["error"]
    assert error.startswith("rule 2: ")
    assert text in error
    assert own_wire.request("POST", "/v1/msg/kept").json() == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b"[" * 30_000, b'[{"path":"/a"}'])
def test_what_is_no_list_is_refused(own_wire: WireClient, body: bytes) -> None:
    """Another type and broken JSON are refused."""
    assert own_wire.http.put("/sandbox/rules", content=body).status_code == 400


def test_rules_are_bounded(own_wire: WireClient) -> None:
    """The maximum is 200 rules, and 1 MiB in total."""
    assert len(put(own_wire, *[{"path": "/a"}] * 200)) == 200
    assert "at most 200" in put(own_wire, *[{"path": "/a"}] * 201)["error"]
    assert "too large" in put(own_wire, {"path": "/a", "json": "x" * 2**20})["error"]


@pytest.fixture
def gateway() -> Iterator[tuple[Gateway, int]]:
    """Yield a program on this machine, and its port."""
    running = Gateway()
    with serving(running) as port:
        yield running, port


def test_a_forward_passes_everything_on(own_wire: WireClient, gateway: tuple[Gateway, int]) -> None:
    """Method, target, headers and body arrive, and the response comes back (K-4)."""
    running, port = gateway
    running.status, running.headers, running.body = 418, {"x-own": "1"}, b"\x00tea"
    put(own_wire, {"path": "/v1/msg/*", "forward": f"http://localhost:{port}"})
    reply = own_wire.request(
        "POST", "/v1/msg/a%20b?x=1&y=%2F", b"\x01\x02", token="t", headers={"host": "chat-go.x"}
    )
    assert (reply.status_code, reply.headers["x-own"], reply.content) == (418, "1", b"\x00tea")
    (seen,) = running.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/v1/msg/a%20b?x=1&y=%2F", b"\x01\x02")
    assert seen.headers["token"] == "t"
    assert seen.headers["host"] == f"localhost:{port}"
    assert seen.headers["x-forwarded-host"] == "chat-go.x"


def test_a_redirect_is_not_followed(own_wire: WireClient, gateway: tuple[Gateway, int]) -> None:
    """The client gets the redirect unchanged (K-4)."""
    running, port = gateway
    running.status, running.headers = 302, {"location": "http://example.com/"}
    put(own_wire, {"path": SEND, "forward": f"http://127.0.0.1:{port}"})
    reply = own_wire.request("POST", SEND)
    assert (reply.status_code, reply.headers["location"]) == (302, "http://example.com/")
    assert len(running.seen) == 1


def test_a_forward_that_fails_says_so(own_wire: WireClient) -> None:
    """Without a program it is 502, and a forward to the sandbox itself ends at once (K-4)."""
    put(
        own_wire,
        {"path": SEND, "forward": f"http://127.0.0.1:{free_port()}"},
        {"path": "/v1/msg/loop", "forward": own_wire.server.url},
    )
    reply = own_wire.request("POST", SEND)
    assert (reply.status_code, reply.json()["code"]) == (502, 1004)
    assert own_wire.request("POST", "/v1/msg/loop").status_code == 508


ELSEWHERE = [
    "http://example.com",
    "http://127.0.0.1@example.com",
    "http://127.0.0.1:80@example.com:80",
    "http://example.com#127.0.0.1",
    "http://example.com?127.0.0.1",
    "http://example.com\\@127.0.0.1",
    "http://127.0.0.1.example.com",
    "http://127.0.0.1.nip.io",
    "http://localhost.example.com",
    "http://localhost.",
    "http://127.0.0.1/path",
    "http://user@127.0.0.1",
    "https://127.0.0.1",
    "ftp://127.0.0.1",
    "//127.0.0.1",
    "127.0.0.1:80",
    "",
    "http://",
    "http://:80",
    "http://0.0.0.0",
    "http://[::]",
    "http://2130706433",
    "http://0x7f000001",
    "http://0177.0.0.1",
    "http://127.1",
    "http://127.0.0.1%00.example.com",
    "http://[::ffff:127.0.0.1]",
    "http://[::ffff:8.8.8.8]",
    "http://[::1%25eth0]",
    "http://[::1%eth0]",
    "http://[fe80::1%lo]",
    "http://[0:0:0:0:0:0:0:1]",
    "http://10.0.0.1",
    "http://169.254.169.254",
    "http://192.168.0.1:80",
    "http://127.0.0.1:0",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:-1",
    "http://127.0.0.1:8O",
    "http://127.0.0.1:80:80",
    "http://127.0.0.1\t:80",
    "http://127.0.0.1\r\nx: y",
    " http://127.0.0.1",
    "http://１２７.0.0.1",
    "http://localhoſt",
    "http://ⓛocalhost",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_no_address_but_loopback_is_taken(url: str) -> None:
    """Other hosts and ambiguous spellings are refused (K-4)."""
    with pytest.raises(BadRequest):
        parse_forward(url)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://127.0.0.1:9000", ["127.0.0.1"]),
        ("http://127.0.0.1", ["127.0.0.1"]),
        ("http://127.8.9.10:1/", ["127.8.9.10"]),
        ("http://[::1]:9000", ["::1"]),
        ("HTTP://LOCALHOST:9000", ["127.0.0.1", "::1"]),
    ],
)
def test_loopback_is_taken_as_a_literal(url: str, hosts: list[str]) -> None:
    """The stored address has no name that a name server could resolve (K-4)."""
    assert [one.host for one in parse_forward(url)] == hosts


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("192.0.2.9", 403),
        ("::ffff:192.0.2.9", 403),
    ],
)
def test_a_forward_is_set_on_this_machine_alone(peer: str, status: int) -> None:
    """With --host 0.0.0.0 no peer on the network reaches a service on loopback (K-4, K-14)."""
    rules = Rules()
    app = Starlette(routes=RuleRoutes(rules, lambda _method, _path: False).build_routes())

    async def set_rules(*wanted: Rule) -> int:
        transport = httpx.ASGITransport(app, client=(peer, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            return (await client.put("/sandbox/rules", json=wanted)).status_code

    plain, forwarded = {"path": "/a", "json": 1}, {"path": SEND, "forward": "http://127.0.0.1:9"}
    assert asyncio.run(set_rules(plain)) == 200
    assert asyncio.run(set_rules(plain, forwarded)) == status
    rules.replace([HupanRule(path=SEND, forward="http://127.0.0.1:9")])
    assert asyncio.run(set_rules(plain, forwarded)) == 200  # it applies already


CONNECTED: list[tuple[str, object]] = []
"""The connections and look-ups of this process, recorded by the guard below."""
_watching = [False]


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _watching[0] and event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        CONNECTED.append((event, arguments[1] if event != "socket.getaddrinfo" else arguments[0]))


def test_no_packet_leaves_for_another_host() -> None:
    """A forward connects only to loopback, and asks no name server (K-4)."""
    sys.addaudithook(_audit)
    CONNECTED.clear()

    async def attempt(url: str) -> None:
        try:
            addresses = parse_forward(url)
        except BadRequest:
            return
        sent = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        limits = UpstreamLimits(timeout_seconds=5)
        scope = {"method": "GET", "raw_path": b"/", "headers": [(b"host", b"example.com")]}
        await forward([UpstreamClient(one, limits) for one in addresses], scope, receive, send, [])
        assert sent[0]["status"] in (502, 504)

    async def attempt_all() -> None:
        port = free_port()
        hosts = ("127.0.0.1", "127.9.9.9", "[::1]", "localhost")
        good = [f"http://{host}:{port}" for host in hosts]
        for url in [*ELSEWHERE, *good]:
            await attempt(url)

    _watching[0] = True
    try:
        asyncio.run(attempt_all())
    finally:
        _watching[0] = False
    addresses = {str(address[0]) for _, address in CONNECTED if isinstance(address, tuple)}
    assert addresses == {"127.0.0.1", "127.9.9.9", "::1"}
    assert [event for event, _ in CONNECTED if event == "socket.getaddrinfo"] == []
