"""A message server behind this one (wire.md 8.5): caller headers, filtered headers, failures."""

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from tests.support import pb
from tests.support.answers import Account, read_answer
from tests.support.client import WireClient
from tests.support.message_servers import Arrived, MessageServer
from tests.support.ports import LOOPBACK, free_port
from tests.support.servers import Server

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]

KEY = "a key that both servers share"
SETTINGS = {
    "HUPAN_UPSTREAM_SECRET": KEY,
    "HUPAN_UPSTREAM_PUBLIC_PATHS": "/v1/misc/news,/v1/open/*",
    "HUPAN_UPSTREAM_TIMEOUT_SECONDS": "1",
    "HUPAN_UPSTREAM_MAX_SECONDS": "4",
    "HUPAN_UPSTREAM_BODY_MB": "1",
    "HUPAN_UPSTREAM_ANSWER_MB": "8",
    "HUPAN_UPSTREAM_REQUESTS": "20",
}
MEGABYTE = 1024 * 1024
DOCS = Path(__file__).parents[2] / "docs"
GONE, LATE, BUSY = 1004, 1005, 1006


@pytest.fixture(scope="module")
def behind() -> Iterator[MessageServer]:
    """Yield a message server."""
    with MessageServer() as server:
        yield server


@pytest.fixture(scope="module")
def front(behind: MessageServer) -> Iterator[WireClient]:
    """Yield a client of a sandbox in front of it."""
    environment = {**SETTINGS, "HUPAN_UPSTREAM": behind.url}
    with Server("sandbox", environment=environment) as server, WireClient(server) as wire:
        yield wire


@pytest.fixture(scope="module")
def member(front: WireClient) -> Account:
    """Return an account with a name that needs encoding."""
    return front.account(nickname="湖 & 畔")


@pytest.fixture
def arrived(behind: MessageServer) -> list[Arrived]:
    """Return only the requests of this test."""
    behind.arrived.clear()
    return behind.arrived


def signature(request: Arrived, key: str = KEY) -> str:
    """Compute the signature as docs/message-server.md describes it."""
    names = ("user-id", "time", "device-id", "nickname", "request-id")
    values = [request.header(f"x-hupan-{name}") for name in names]
    text = "\n".join([request.method, request.target, *values])
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_the_caller_is_named_and_signed(
    front: WireClient, behind: MessageServer, member: Account, arrived: list[Arrived]
) -> None:
    """Id, nickname, device, request and time arrive, with a signature over all of them."""
    body = b"\x08\x96\x01 anything"
    reply = front.request("POST", "/v1/msg/send-message?a=1", body, token=member.token)
    assert reply.status_code == 200
    (request,) = arrived
    assert (request.method, request.target, request.body) == (
        "POST",
        "/v1/msg/send-message?a=1",
        body,
    )
    assert request.header("x-hupan-user-id") == member.id
    assert unquote(request.header("x-hupan-nickname")) == "湖 & 畔"
    assert request.header("x-hupan-request-id") == reply.headers["x-request-id"]
    assert request.header("x-hupan-signature") == signature(request)
    assert request.header("x-hupan-signature") != signature(request, "another key")
    assert request.header("x-hupan-surface") == "app"
    assert request.header("host") == behind.url.removeprefix("http://")


def test_device_of_the_session_is_sent(front: WireClient, arrived: list[Arrived]) -> None:
    """The device id is that of the sign-in, percent-encoded."""
    phone = front.fresh_phone()
    token = front.signed_in(phone, deviceId="a b/湖", platform="web")
    assert front.request("GET", "/v1/group/info", token=token).status_code == 200
    assert unquote(arrived[-1].header("x-hupan-device-id")) == "a b/湖"
    assert arrived[-1].header("x-hupan-signature") == signature(arrived[-1])


def test_no_client_sets_these_headers(
    front: WireClient, member: Account, arrived: list[Arrived]
) -> None:
    """A client's x-hupan- header is dropped, in any case and with underscores."""
    forged = {
        "X-Hupan-User-Id": "1",
        "x_hupan_user_id": "1",
        "x-hupan_device-id": "other",
        "x.hupan.user.id": "1",
        "x-hupan.device-id": "other",
        "x-original-url": "/admin",
        "x-hupan-admin": "yes",
        "x-forwarded-for": "198.51.100.9",
        "x-forwarded-host": "evil.example",
        "x-request-id": "1",
    }
    front.request("POST", "/v1/msg/a", b"", token=member.token, headers=forged)
    (request,) = arrived
    assert request.header("x-hupan-user-id") == member.id
    names = [name for name, _ in request.headers]
    assert not [name for name in names if "_" in name or "." in name]
    assert "x-original-url" not in names
    assert "x-hupan-admin" not in names
    assert "x-hupan-device-id" not in names
    assert "x-forwarded-host" not in names
    assert "x-request-id" not in names
    assert request.header("x-forwarded-for") == LOOPBACK


def test_token_and_cookies_stay_here(
    front: WireClient, member: Account, arrived: list[Arrived]
) -> None:
    """Header token, Authorization, Cookie and token parameters do not arrive (security T8)."""
    path = f"/v1/msg/a?token={member.token}&b=2&To%6Ben=x;access_token=y&c=%20"
    secret = {"authorization": f"Bearer {member.token}", "cookie": f"t={member.token}"}
    secret["referer"] = f"https://chat.example/?t={member.token}"
    front.request("POST", path, b"x", token=member.token, headers=secret)
    front.request("POST", "/v1/msg/b", b"x", headers=secret)
    assert [request.target for request in arrived] == ["/v1/msg/a?b=2&c=%20", "/v1/msg/b"]
    assert member.token not in repr(arrived)
    assert arrived[1].header("x-hupan-user-id") == member.id


def test_a_token_under_any_name_stays_here(
    front: WireClient, member: Account, arrived: list[Arrived]
) -> None:
    """The caller's own token is removed anywhere; others by the field's name (security T8)."""
    other, page = front.account().token, "0f8fad5b-d9cb-469f-a165-70867728950e"
    encoded = other.replace("-", "%252d")
    for query, kept in (
        (f"auth={other}&a=1", "a=1"),
        (f"X-Auth-Token={other};a=1&b=2", "b=2"),
        (f"my_session={encoded}&b=2", "b=2"),
        (f"q={member.token.upper()}", ""),
        (f"q=x{member.token.replace('-', '%2D')}x&b=2", "b=2"),
        (f"{member.token}", ""),
        (f"pageToken=next&id={page}&auth_page=2", f"pageToken=next&id={page}&auth_page=2"),
    ):
        arrived.clear()
        front.request("GET", f"/v1/msg/a?{query}", token=member.token)
        assert [one.target for one in arrived] == ["/v1/msg/a" + (f"?{kept}" if kept else "")]
    arrived.clear()
    assert front.request("GET", f"/v1/open/a?auth={other}").status_code == 200
    assert front.request("GET", f"/v1/msg/{member.token}", token=member.token).status_code == 404
    assert [request.target for request in arrived] == ["/v1/open/a"]


def test_hop_headers_stay_here(front: WireClient, member: Account, arrived: list[Arrived]) -> None:
    """Hop-by-hop headers are not forwarded, nor those that Connection names (RFC 9110 7.6.1)."""
    hops = {"connection": "close, x-mine", "x-mine": "1", "te": "trailers", "keep-alive": "9"}
    kept = {"x-other": "2", "content-type": "text/plain"}
    front.request("POST", "/v1/msg/a", b"x", token=member.token, headers={**hops, **kept})
    names = {name for name, _ in arrived[0].headers}
    assert names & {"connection", "x-mine", "te", "keep-alive"} == set()
    assert arrived[0].header("x-other") == "2"
    assert arrived[0].header("content-type") == "text/plain"


def test_without_a_session_nothing_arrives(front: WireClient, arrived: list[Arrived]) -> None:
    """A missing or invalid token is refused in the client's format."""
    for token in (None, "", "11111111-2222-3333-4444-555555555555"):
        reply = front.request("POST", "/v1/msg/a", b"", token=token)
        answer = read_answer(reply.status_code, reply.headers, reply.content)
        assert (answer.code, answer.form) == (-101, "json")
    binary = {"content-type": "application/x-protobuf"}
    missing = front.request("POST", "/v1/msg/a", b"", headers=binary)
    assert read_answer(missing.status_code, missing.headers, missing.content).form == "json"
    stale = front.request("POST", "/v1/msg/a", b"", token="a", headers=binary)
    answer = read_answer(stale.status_code, stale.headers, stale.content)
    assert (answer.code, answer.form) == (-101, "protobuf")
    assert arrived == []


def test_some_paths_need_no_session(
    front: WireClient, member: Account, arrived: list[Arrived]
) -> None:
    """`upstream_public_paths` are forwarded without an id, or with that of a session."""
    for path in ("/v1/misc/news", "/v1/open/a/b"):
        assert front.request("GET", path).status_code == 200
        assert front.request("GET", path, token="stale").status_code == 200
        assert front.request("GET", path, token=member.token).status_code == 200
    ids = [request.header("x-hupan-user-id") for request in arrived]
    assert ids == ["", "", member.id] * 2
    assert all(request.header("x-hupan-signature") == signature(request) for request in arrived)
    assert front.post("misc/newspaper").code == -101


def test_ended_sessions_are_refused_at_once(front: WireClient, arrived: list[Arrived]) -> None:
    """Each request is checked: after a sign-out or a ban nothing arrives (security T6)."""
    banned, account = front.account(banDays=1), front.account()
    assert front.request("GET", "/v1/msg/a", token=account.token).status_code == 200
    assert front.post("user/logout", token=account.token).code == 1
    assert front.post("msg/a", token=account.token).code == -101
    for path in ("msg/a", "open/a"):
        assert front.post(path, token=banned.token).code == 7100
    assert len(arrived) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_every_method_is_handed_on(
    front: WireClient, member: Account, arrived: list[Arrived], method: str
) -> None:
    """The message server decides about the method."""
    reply = front.request(method, "/v1/msg/a", b"body", token=member.token)
    assert reply.json() == {"size": 4, "method": method, "target": "/v1/msg/a"}
    assert arrived[0].header("x-hupan-signature") == signature(arrived[0])


def test_head_has_no_body(front: WireClient, member: Account) -> None:
    """A HEAD has the length of the GET."""
    reply = front.request("HEAD", "/v1/msg/a", token=member.token)
    assert (reply.status_code, reply.content) == (200, b"")
    assert int(reply.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/user/captcha"),
        ("POST", "/v1/user/info"),
        ("GET", "/web/v1/user/captcha/../x"),
        ("GET", "/v1/user/info/"),
        ("GET", "/v1/USER/Info"),
        ("POST", "/v1/user/logout;x=1"),
        ("POST", "/v1/user/logout./"),
        ("TRACE", "/v1/msg/a"),
        ("GET", "/v1/msg/../admin"),
        ("GET", "/v1/msg/%2e%2e/admin"),
        ("GET", "/v1/msg/..;/admin"),
        ("GET", "/v1/msg/..%3bx=1/admin"),
        ("GET", "/v1/msg/%252e%252E/admin"),
        ("GET", "/v1/msg/..%252fadmin"),
        ("GET", "/v1/msg/..%255Cadmin"),
        ("GET", "/v1/msg//a"),
        ("GET", "/v1/msg/%5c..%5ca"),
        ("GET", "/v1/msg/%0a"),
        ("GET", "/v2/msg/a"),
        ("GET", "/admin"),
        ("GET", "/sandbox/no-such"),
    ],
)
def test_other_paths_stay_here(
    front: WireClient, member: Account, arrived: list[Arrived], method: str, path: str
) -> None:
    """Paths of the contract, those outside of /v1 and ambiguous ones are not forwarded.

    Nor are paths that a lenient server would accept as one of them, and the method TRACE.
    """
    raw = f"{method} {path} HTTP/1.1\r\nhost: a\r\ntoken: {member.token}\r\n\r\n"
    with socket.create_connection((LOOPBACK, front.server.port), timeout=15) as connection:
        connection.sendall(raw.encode())
        assert connection.makefile("rb").readline().split()[1] in {b"403", b"404"}
    assert arrived == []


def test_lists_come_from_the_message_server(
    front: WireClient, member: Account, arrived: list[Arrived]
) -> None:
    """A list is empty only where there is no message server (wire.md 8.2)."""
    paths = ["conversation/list", "friend/address-book-list", "sticker/list", "beta/info"]
    for path in paths:
        reply = front.request("POST", f"/v1/{path}", b"", token=member.token)
        assert reply.json()["target"] == f"/v1/{path}"
    assert [request.target for request in arrived] == [f"/v1/{path}" for path in paths]


def test_web_surface_is_sent(front: WireClient, member: Account, arrived: list[Arrived]) -> None:
    """A prefix stays in the path; a host name becomes a header (wire.md 1.1)."""
    front.request("GET", "/web/v1/msg/a", token=member.token)
    front.request("GET", "/v1/msg/a", token=member.token, headers={"host": "chat-web-go.x"})
    assert [request.target for request in arrived] == ["/web/v1/msg/a", "/v1/msg/a"]
    assert [request.header("x-hupan-surface") for request in arrived] == ["web", "web"]


def test_answers_lose_what_is_not_theirs(front: WireClient, member: Account) -> None:
    """Cookies, hop-by-hop headers, our names and their CORS are dropped; the rest arrives."""
    origin = {"origin": "https://app.example"}
    reply = front.request("POST", "/v1/msg/chatty", b"", token=member.token, headers=origin)
    assert reply.content == b"ok"
    names = set(reply.headers)
    left_out = {"set-cookie", "x-hupan-user-id", "x-private", "server", "connection"}
    assert names & left_out == set()
    assert reply.headers["x-public"] == "q"
    assert reply.headers["content-type"] == "application/x-protobuf"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers.get_list("access-control-allow-origin") == ["*"]
    assert reply.headers["x-request-id"] != "7"


def test_preflights_are_answered_here(front: WireClient, arrived: list[Arrived]) -> None:
    """A preflight precedes the token, so it needs none (wire.md 1.9)."""
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    assert front.request("OPTIONS", "/v1/msg/a", headers=asked).status_code == 204
    assert arrived == []


def test_redirects_are_handed_back(front: WireClient, member: Account) -> None:
    """The client follows them: this server connects to no other address."""
    reply = front.request("GET", "/v1/msg/redirect", token=member.token)
    assert (reply.status_code, reply.headers["location"]) == (302, "http://127.0.0.1:1/v1/a")


def failure(reply: httpx.Response, form: str = "json") -> tuple[int, int]:
    """Return HTTP status and code of a failure in a format that has both."""
    answer = read_answer(200, reply.headers, reply.content)
    assert answer.form == form
    assert answer.msg
    return reply.status_code, answer.code


@pytest.mark.parametrize(
    "path",
    ["nonsense", "status", "lengths", "closed", "large", "interim", "switch", "endless-head"],
)
def test_nonsense_is_a_502(front: WireClient, member: Account, path: str) -> None:
    """A response that is not HTTP, or is unbounded, is a failure (wire.md 8.5)."""
    reply = front.request("POST", f"/v1/msg/{path}", b"x", token=member.token)
    assert failure(reply) == (502, GONE)


@pytest.mark.parametrize("path", ["silent", "unread"])
def test_silence_is_a_504(front: WireClient, member: Account, path: str) -> None:
    """The server does not answer in time, or does not read."""
    body = b"x" * (900 * 1024)
    reply = front.request("POST", f"/v1/msg/{path}", body, token=member.token)
    assert failure(reply) == (504, LATE)


def test_failures_have_the_form_of_the_request(front: WireClient, member: Account) -> None:
    """It is protobuf for protobuf requests and lists; English on request."""
    binary = {"content-type": "application/x-protobuf"}
    reply = front.request("POST", "/v1/msg/closed", b"", token=member.token, headers=binary)
    assert failure(reply, "protobuf") == (502, GONE)
    assert set(pb.decode(reply.content).kinds()) == {1}
    english = {"accept-language": "en"}
    reply = front.request("POST", "/v1/msg/closed", b"", token=member.token, headers=english)
    assert "message server" in reply.json()["msg"]


@pytest.mark.parametrize("path", ["cut", "stalled", "endless"])
def test_a_cut_answer_is_seen_as_cut(front: WireClient, member: Account, path: str) -> None:
    """A started response cannot become a 502: the connection ends early, and no byte is added."""
    with front.http.stream("GET", f"/v1/msg/{path}", headers={"token": member.token}) as reply:
        assert reply.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in reply.iter_raw():
                pass


def test_a_client_that_leaves_ends_the_request(
    front: WireClient, behind: MessageServer, member: Account
) -> None:
    """An endless response ends with its reader, and so does a silent one."""
    until(lambda: behind.busy == 0)
    for path in ("endless", "silent"):
        with socket.create_connection((LOOPBACK, front.server.port), timeout=15) as connection:
            head = f"GET /v1/msg/{path} HTTP/1.1\r\nhost: a\r\ntoken: {member.token}\r\n\r\n"
            connection.sendall(head.encode())
            if path == "endless":
                assert connection.recv(64)
            else:
                until(lambda: behind.busy > 0)
    until(lambda: behind.busy == 0)


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition, with a limit that only a fault reaches."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_large_bodies_are_streamed(front: WireClient, member: Account) -> None:
    """A body above 64 KiB arrives complete, with a length or in chunks."""
    body = b"m" * (MEGABYTE - 1)
    for content in (body, iter([body[:7], body[7:]])):
        reply = front.request("POST", "/v1/disk/upload", content, token=member.token)
        assert reply.json()["size"] == len(body)


def test_too_large_bodies_are_refused(front: WireClient, member: Account) -> None:
    """The length is checked before anything is sent, and the bytes as they arrive."""
    declared = front.request("POST", "/v1/disk/a", b"m" * (MEGABYTE + 1), token=member.token)
    assert failure(declared) == (413, 1113)
    pieces = (b"m" * 65_536 for _ in range(17))
    streamed = front.request("POST", "/v1/disk/a", pieces, token=member.token)
    assert failure(streamed) == (413, 1113)


def test_an_answer_may_come_before_the_body_ends(front: WireClient, member: Account) -> None:
    """A message server may refuse an upload without reading it."""
    reply = front.request("POST", "/v1/disk/early", b"m" * 900_000, token=member.token)
    assert (reply.status_code, reply.content) == (409, b"no")


def test_too_many_at_once_are_refused(
    front: WireClient, behind: MessageServer, member: Account
) -> None:
    """At most `upstream_requests` wait for the message server; the next one is refused."""
    until(lambda: behind.busy == 0)
    lines = ["GET /v1/msg/silent HTTP/1.1", "host: a", "connection: close"]
    head = "\r\n".join([*lines, f"token: {member.token}", "", ""]).encode()
    waiting = [socket.create_connection((LOOPBACK, front.server.port), 15) for _ in range(40)]
    try:
        for connection in waiting:
            connection.sendall(head)
        answers = [connection.makefile("rb").read() for connection in waiting]
        assert {answer.split()[1] for answer in answers} == {b"503", b"504"}
        for answer in answers:
            code = BUSY if answer.split()[1] == b"503" else LATE
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == code
    finally:
        for connection in waiting:
            connection.close()
    until(lambda: front.request("GET", "/v1/msg/a", token=member.token).status_code == 200)


def test_a_message_server_that_is_gone() -> None:
    """Without a listener the response is 502 at once, and the account's own endpoints work."""
    environment = {**SETTINGS, "HUPAN_UPSTREAM": f"http://{LOOPBACK}:{free_port()}"}
    with Server("sandbox", environment=environment) as server, WireClient(server) as wire:
        account = wire.account()
        reply = wire.request("POST", "/v1/msg/a", b"", token=account.token)
        assert failure(reply) == (502, GONE)
        empty = wire.request("POST", "/v1/conversation/list", b"", token=account.token)
        assert failure(empty, "protobuf") == (502, GONE)
        assert wire.own_info(account.token).code == 1


def test_one_account_has_a_limit(behind: MessageServer) -> None:
    """`account_upstream_per_minute` is counted per account, others are not affected."""
    limited = {
        **SETTINGS,
        "HUPAN_UPSTREAM": behind.url,
        "HUPAN_ACCOUNT_UPSTREAM_PER_MINUTE": "3",
    }
    with Server("sandbox", "--limits", environment=limited) as server, WireClient(server) as wire:
        eager, other = wire.account(), wire.account()
        replies = [wire.request("GET", "/v1/msg/a", token=eager.token) for _ in range(4)]
        assert ["size" in reply.json() for reply in replies] == [True, True, True, False]
        assert replies[-1].json()["code"] == 1203
        assert "size" in wire.request("GET", "/v1/msg/a", token=other.token).json()


def test_kept_connections_that_end_are_not_used(front: WireClient, member: Account) -> None:
    """A message server may close after each answer."""
    for _ in range(5):
        assert front.request("POST", "/v1/msg/chatty", b"", token=member.token).content == b"ok"
        assert (
            json.loads(front.request("GET", "/v1/msg/a", token=member.token).content)["size"] == 0
        )


def test_the_documented_signature() -> None:
    """The page's example is correct, in both languages."""
    lines = [
        *("POST", "/v1/msg/send?a=1", "1000001", "1790000000", "phone-1", "%E6%B9%96"),
        "68719476737",
    ]
    expected = hmac.new(b"0123456789abcdef", "\n".join(lines).encode(), hashlib.sha256).hexdigest()
    for page in ("message-server.md", "message-server.zh-CN.md"):
        text = (DOCS / page).read_text()
        assert "```text\n" + "\n".join(lines) + "\n```" in text
        assert f"`{expected}`" in text
