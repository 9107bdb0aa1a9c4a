"""No page of another site uses a sandbox (web.md W-13), and no key is misspelt there."""

import json

import pytest

from tests.servers import Server
from tests.wire.client import WireClient

pytestmark = pytest.mark.one_engine

ROUTES = [
    ("GET", "/sandbox/outbox"),
    ("GET", "/sandbox/outbox/wait?timeout=0"),
    ("POST", "/sandbox/accounts"),
    ("POST", "/sandbox/seed"),
    ("POST", "/sandbox/reset"),
    ("POST", "/sandbox/clock"),
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


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_is_refused(wire: WireClient, headers: dict[str, str]) -> None:
    """Each route, also to read, answers 403 in words and does nothing (web.md W-13)."""
    account = wire.account()
    for method, path in ROUTES:
        reply = wire.http.request(method, path, headers=headers, content=b"")
        assert reply.status_code == 403, path
        assert "沙盒" in reply.json()["error"], path
        assert wire.own_info(account.token).code == 1, path
        english = {**headers, "accept-language": "en"}
        assert reply.json()["error"].isascii() is False, path
        assert wire.http.request(method, path, headers=english).json()["error"].isascii(), path


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "192.0.2.7"])
def test_own_names_are_served(wire: WireClient, name: str) -> None:
    """Localhost, and addresses of digits, which no name server can turn elsewhere (W-13)."""
    host = f"{name}:{wire.server.port}"
    own = {"host": host, "origin": f"http://{host}".lower(), "sec-fetch-site": "same-origin"}
    for headers in ({"host": host}, own, {"host": host, "sec-fetch-site": "none"}):
        assert wire.http.get("/sandbox/outbox", headers=headers).status_code == 200


def test_clients_reach_the_api_by_any_name(wire: WireClient) -> None:
    """The API's own names lead to the sandbox through a hosts file; its doors stay shut (W-13)."""
    for name in ("chat-go.jwzhd.com", "hupan.example"):
        reply = wire.http.post("/v1/user/captcha", headers={"host": name}, content=b"{}")
        assert reply.json()["code"] == 1


def test_a_name_is_allowed_by_an_option() -> None:
    """Such as that of a container (web.md W-13)."""
    with Server("sandbox", "--allow-host", "Hupan") as server, WireClient(server) as wire:
        for name, status in (("hupan", 200), ("hupan:8480", 200), ("hupan.example", 403)):
            reply = wire.http.get("/sandbox/outbox", headers={"host": name})
            assert reply.status_code == status


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
    """It is refused, with the nearest right one, instead of being passed over."""
    reply = wire.http.post(f"/sandbox/{path}", content=json.dumps(body))
    assert reply.status_code == 400
    assert key in reply.json()["error"]
    assert nearest in reply.json()["error"]
    assert "?" not in wire.http.post(f"/sandbox/{path}", content=b"[]").json()["error"]


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
    """In a query too, where it would match everything or nothing."""
    reply = wire.http.get(f"/sandbox/outbox?{query}")
    assert reply.status_code == 400
    assert name in reply.json()["error"]
    assert nearest in reply.json()["error"]
    assert wire.http.post("/sandbox/accounts?phone=1", content=b"").status_code == 400
