"""The routes of `hupan sandbox` only (design 8).

No page of another site can use a sandbox (web.md W-13), and a misspelt key is refused.
"""

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.answers import TOKEN_SHAPE
from tests.support.client import WireClient
from tests.support.servers import Server

KEYS = {"id", "channel", "to", "purpose", "code", "text", "createdAt"}
DOORS = [
    ("GET", "/sandbox/outbox"),
    ("GET", "/sandbox/outbox/wait?timeout=1"),
    ("POST", "/sandbox/accounts"),
    ("POST", "/sandbox/reset"),
    ("POST", "/sandbox/seed"),
    ("POST", "/sandbox/clock"),
    ("GET", "/sandbox/requests"),
    ("DELETE", "/sandbox/requests"),
    ("GET", "/sandbox/requests/stream"),
    ("GET", "/sandbox/requests/unserved"),
    ("GET", "/sandbox/rules"),
    ("PUT", "/sandbox/rules"),
]
NOW = 2_000_000_000


def test_outbox_shows_what_was_sent(wire: WireClient) -> None:
    """Every message has the documented keys, and the newest is first (design 8)."""
    phone = wire.fresh_phone()
    first = wire.sms_code(phone)
    second = wire.sms_code(phone)
    listed = wire.http.get("/sandbox/outbox", params={"channel": "sms", "to": phone}).json()
    assert [message["code"] for message in listed] == [second, first]
    assert all(set(message) == KEYS for message in listed)
    assert all((m["channel"], m["to"]) == ("sms", phone) for m in listed)
    assert len({message["id"] for message in listed}) == 2


def test_outbox_filters(wire: WireClient) -> None:
    """The channel and the target narrow the list, alone and together (design 8)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.sms_code(phone)
    assert wire.ask_email(email).code == 1
    wire.next_message("email", email, set())

    def listed(**filters: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = wire.http.get("/sandbox/outbox", params=filters).json()
        return found

    assert [m["to"] for m in listed(to=phone)] == [phone]
    assert listed(channel="email", to=phone) == []
    assert {m["channel"] for m in listed(channel="email")} == {"email"}
    assert {"sms", "email", "captcha"} <= {m["channel"] for m in listed()}


def test_outbox_shows_captchas(wire: WireClient) -> None:
    """A captcha's `to` is its id and its `code` the answer (design 8)."""
    captcha = wire.captcha()
    params = {"channel": "captcha", "to": captcha.id}
    listed = wire.http.get("/sandbox/outbox", params=params).json()
    assert len(listed) == 1
    assert set(listed[0]) == KEYS
    assert listed[0]["code"] == captcha.answer


def test_wait_returns_the_next_message(wire: WireClient) -> None:
    """A wait ends with the requested message (design 8)."""
    phone = wire.fresh_phone()
    params = {"channel": "sms", "to": phone, "timeout": "20"}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wire.http.get, "/sandbox/outbox/wait", params=params)
        codes = set()
        for _ in range(100):
            codes.add(wire.sms_code(phone))
            if waiting.done():
                break
        reply = waiting.result()
    assert reply.status_code == 200
    message = reply.json()
    assert set(message) == KEYS
    assert (message["channel"], message["to"]) == ("sms", phone)
    assert message["code"] in codes


@pytest.mark.slow
def test_wait_ends(wire: WireClient) -> None:
    """A wait for a missing message times out (design 8)."""
    params = {"channel": "sms", "to": wire.fresh_phone(), "timeout": "1"}
    assert wire.http.get("/sandbox/outbox/wait", params=params, timeout=20).status_code < 500


def test_account_route_makes_a_session(wire: WireClient) -> None:
    """The response is {id, token}, and the token is a session of that account (design 8)."""
    reply = wire.request("POST", "/sandbox/accounts", b"{}").json()
    assert set(reply) == {"id", "token"}
    assert reply["id"].isascii()
    assert reply["id"].isdecimal()
    assert len(reply["id"]) >= 7
    assert TOKEN_SHAPE.fullmatch(reply["token"])
    assert wire.own_info(reply["token"]).pb_data.text(1) == reply["id"]


def test_account_route_takes_a_device(wire: WireClient) -> None:
    """The session belongs to the given deviceId (design 8, wire.md 5)."""
    phone = wire.fresh_phone()
    account = wire.account(phone=phone, deviceId="door", platform="windows")
    assert wire.own_info(wire.signed_in(phone, deviceId="other")).code == 1
    assert wire.own_info(account.token).code == 1
    assert wire.own_info(wire.signed_in(phone, deviceId="door")).code == 1
    assert wire.own_info(account.token).code == -101


def test_clock_is_set_and_advanced(own_wire: WireClient) -> None:
    """The response is the server's new time in unix seconds (design 8)."""
    assert 0 <= own_wire.set_clock(set=NOW) - NOW < 30
    assert 3600 <= own_wire.set_clock(advance=3600) - NOW < 3630
    assert 3600 <= own_wire.set_clock(advance=0) - NOW < 3660
    phone = own_wire.fresh_phone()
    own_wire.sms_code(phone)
    listed = own_wire.http.get("/sandbox/outbox", params={"to": phone}).json()
    assert 3600 <= int(listed[0]["createdAt"]) - NOW < 3690


def test_reset_forgets_everything(own_wire: WireClient) -> None:
    """After a reset there is no account, no session, no message and no code (design 8)."""
    phone, email = own_wire.fresh_phone(), own_wire.fresh_email()
    account = own_wire.account(phone=phone, email=email, password="long enough 1")
    code = own_wire.sms_code(phone)
    assert own_wire.request("POST", "/sandbox/reset").is_success
    assert own_wire.http.get("/sandbox/outbox").json() == []
    assert own_wire.own_info(account.token).code == -101
    assert own_wire.email_login(email, "long enough 1").code > 1
    assert own_wire.sign_in(phone, code).code > 1
    assert own_wire.own_info(own_wire.signed_in(phone)).pb_data.text(7) == ""


def test_servers_share_nothing(wire: WireClient, own_wire: WireClient) -> None:
    """Two sandboxes have separate data (design 8)."""
    assert own_wire.own_info(wire.account().token).code == -101


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on all of 127/8")
def test_it_listens_on_loopback_alone(sandbox: Server) -> None:
    """By default the sandbox binds 127.0.0.1 (design 8)."""
    with socket.socket() as probe:
        probe.settimeout(5)
        assert probe.connect_ex(("127.0.0.2", sandbox.port)) != 0


@pytest.mark.slow
def test_serve_has_no_sandbox_routes(tmp_path: Path) -> None:
    """In `hupan serve` the routes are 404, and health exists (design 8)."""
    with (
        Server("serve", "--data-dir", str(tmp_path / "data")) as server,
        WireClient(server) as wire,
    ):
        assert [wire.request(*door).status_code for door in DOORS] == [404] * len(DOORS)
        assert wire.request("GET", "/readyz").status_code == 200
        assert wire.post("user/captcha").code == 1


ROUTES = [
    ("GET", "/sandbox/outbox"),
    ("GET", "/sandbox/outbox/wait?timeout=0"),
    ("POST", "/sandbox/accounts"),
    ("POST", "/sandbox/seed"),
    ("POST", "/sandbox/reset"),
    ("POST", "/sandbox/clock"),
    ("GET", "/sandbox/requests"),
    ("DELETE", "/sandbox/requests"),
    ("GET", "/sandbox/requests/stream"),
    ("GET", "/sandbox/rules"),
    ("PUT", "/sandbox/rules"),
    ("GET", "/sandbox/nowhere"),
]
FOREIGN = [
    {"host": "evil.example"},
    {"host": "evil.example:8480"},
    {"host": "chat-go.jwzhd.com"},
    {"host": "localhost.evil.example"},
    {"host": "127.0.0.1.nip.io"},
    {"host": "127.0.0.1@evil.example"},
    {"host": ""},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "same-site", "origin": "http://localhost:3000"},
]


@pytest.mark.one_engine
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_is_refused(wire: WireClient, headers: dict[str, str]) -> None:
    """Each route, even a read, is 403 with an explanation and no effect (web.md W-13, K-14)."""
    account = wire.account()
    for method, path in ROUTES:
        reply = wire.http.request(method, path, headers=headers, content=b"")
        assert reply.status_code == 403, path
        assert "沙盒" in reply.json()["error"], path
        assert wire.own_info(account.token).code == 1, path
        english = {**headers, "accept-language": "en"}
        assert reply.json()["error"].isascii() is False, path
        assert wire.http.request(method, path, headers=english).json()["error"].isascii(), path


@pytest.mark.one_engine
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "192.0.2.7"])
def test_own_names_are_served(wire: WireClient, name: str) -> None:
    """Localhost and IP addresses: no name server can redirect them (W-13, K-14)."""
    host = f"{name}:{wire.server.port}"
    own = {"host": host, "origin": f"http://{host}".lower(), "sec-fetch-site": "same-origin"}
    for headers in ({"host": host}, own, {"host": host, "sec-fetch-site": "none"}):
        assert wire.http.get("/sandbox/outbox", headers=headers).status_code == 200


@pytest.mark.one_engine
def test_clients_reach_the_api_by_any_name(wire: WireClient) -> None:
    """They reach the API through a hosts file; the sandbox's own routes refuse them (W-13)."""
    for name in ("chat-go.jwzhd.com", "hupan.example"):
        reply = wire.http.post("/v1/user/captcha", headers={"host": name}, content=b"{}")
        assert reply.json()["code"] == 1


@pytest.mark.slow
@pytest.mark.one_engine
def test_a_name_is_allowed_by_an_option() -> None:
    """Such a name may be that of a container (web.md W-13)."""
    with Server("sandbox", "--allow-host", "Hupan") as server, WireClient(server) as wire:
        for name, status in (("hupan", 200), ("hupan:8480", 200), ("hupan.example", 403)):
            reply = wire.http.get("/sandbox/outbox", headers={"host": name})
            assert reply.status_code == status


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("path", "body", "key", "nearest"),
    [
        ("accounts", {"nickName": "x"}, "nickName", "nickname"),
        ("accounts", {"vip_days": 3}, "vip_days", "vipDays"),
        ("accounts", {"mobile": "13900000001"}, "mobile", "phone"),
        ("seed", {"pack": "vip", "numbr": 3}, "numbr", "number"),
        ("seed", {"pack": "vpi"}, "vpi", "vip"),
        ("clock", {"advanced": 3}, "advanced", "advance"),
        ("reset", {"all": True}, "all", ""),
    ],
)
def test_a_misspelt_key_is_named(
    wire: WireClient, path: str, body: dict[str, object], key: str, nearest: str
) -> None:
    """It is refused, with the nearest valid key, instead of being ignored."""
    reply = wire.http.post(f"/sandbox/{path}", content=json.dumps(body))
    assert reply.status_code == 400
    assert key in reply.json()["error"]
    assert nearest in reply.json()["error"]
    assert "?" not in wire.http.post(f"/sandbox/{path}", content=b"[]").json()["error"]


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("query", "name", "nearest"),
    [
        ("chanel=sms", "chanel", "channel"),
        ("channel=mail", "mail", "email"),
        ("timeout=3", "timeout", "channel"),
    ],
)
def test_a_misspelt_parameter_is_named(
    wire: WireClient, query: str, name: str, nearest: str
) -> None:
    """In a query it would match everything or nothing."""
    reply = wire.http.get(f"/sandbox/outbox?{query}")
    assert reply.status_code == 400
    assert name in reply.json()["error"]
    assert nearest in reply.json()["error"]
    assert wire.http.post("/sandbox/accounts?phone=1", content=b"").status_code == 400
