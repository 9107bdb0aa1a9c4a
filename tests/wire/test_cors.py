"""Browser clients (wire.md 1.9, security W5).

Which origins may read responses (security W5).
"""

import httpx
import pytest

from hupan.api.responses import Cors
from tests.support.client import WireClient

pytestmark = pytest.mark.one_engine

ORIGINS = ["https://client.example", "http://localhost:5173", "null"]
HEADERS = ["token", "content-type", "device-id", "authorization"]
PATHS = [
    ("GET", "/v1/user/info"),
    ("POST", "/v1/user/captcha"),
    ("POST", "/v1/user/get-user"),
    ("POST", "/v1/user/verification-login"),
]


def preflight(wire: WireClient, path: str, method: str, origin: str, wanted: str) -> httpx.Response:
    """Send a browser's preflight request."""
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": wanted,
    }
    return wire.request("OPTIONS", path, headers=headers)


def names(reply: httpx.Response, header: str) -> set[str]:
    """Return the lower-case names in a header."""
    return {name.strip().lower() for name in reply.headers[header].split(",")}


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_preflight(wire: WireClient, method: str, path: str, origin: str) -> None:
    """A preflight for the four headers is allowed for every origin (wire.md 1.9)."""
    reply = preflight(wire, path, method, origin, ",".join(HEADERS))
    assert reply.is_success
    assert reply.headers["access-control-allow-origin"] == "*"
    assert set(HEADERS) <= names(reply, "access-control-allow-headers")
    assert method.lower() in names(reply, "access-control-allow-methods")
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize("wanted", ["Token", "TOKEN, Content-Type", "device-id", "authorization"])
def test_preflight_names_have_no_case(wire: WireClient, wanted: str) -> None:
    """Header names are case-insensitive (wire.md 1.9)."""
    reply = preflight(wire, "/v1/user/logout", "POST", ORIGINS[0], wanted)
    assert reply.is_success
    assert set(HEADERS) <= names(reply, "access-control-allow-headers")


@pytest.mark.parametrize("origin", ORIGINS)
def test_answers_may_be_read(wire: WireClient, origin: str) -> None:
    """Every origin may read successes and refusals, without credentials (wire.md 1.9)."""
    headers = {"origin": origin}
    answers = [
        wire.post("user/captcha", headers=headers),
        wire.post("user/email-login", b"{", headers=headers),
        wire.post("user/get-user", b"\xff", token="x", headers=headers),
        wire.own_info(None, headers=headers),
        wire.own_info("unknown", headers=headers),
        wire.own_info(wire.account().token, headers=headers),
    ]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


def test_preflight_needs_no_token_and_does_nothing(wire: WireClient) -> None:
    """A preflight with a token ends no session (wire.md 1.9)."""
    token = wire.account().token
    headers = {"origin": ORIGINS[0], "access-control-request-method": "POST"}
    assert wire.request("OPTIONS", "/v1/user/logout", token=token, headers=headers).is_success
    assert wire.own_info(token).code == 1


def test_no_cookie_is_set(wire: WireClient) -> None:
    """There are no cookies, so a browser's other pages cannot act for the user (wire.md 1.2)."""
    answer = wire.own_info(wire.account().token, headers={"origin": ORIGINS[0]})
    assert "set-cookie" not in answer.headers


def test_what_is_asked_for_is_granted_too(wire: WireClient) -> None:
    """Headers that libraries add are allowed besides the four (wire.md 1.9, security W5)."""
    wanted = "content-type, X-Requested-With,x-trace.id, token"
    reply = preflight(wire, "/v1/user/captcha", "POST", ORIGINS[0], wanted)
    granted = names(reply, "access-control-allow-headers")
    assert granted == {*HEADERS, "x-requested-with", "x-trace.id"}


@pytest.mark.parametrize(
    "wanted",
    ["x y", "a, b:c", "a,,b", "a\tb", "x" * 1025, ",".join(f"x{n}" for n in range(40)), "a;b", "é"],
)
def test_what_is_no_list_of_names_is_not_repeated(wire: WireClient, wanted: str) -> None:
    """Only header names are repeated, and only a few short ones (security W5)."""
    headers = {
        "origin": ORIGINS[0],
        "access-control-request-method": "POST",
        "access-control-request-headers": wanted,
    }
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    reply = wire.http.request("OPTIONS", "/v1/user/captcha", headers=encoded)
    assert reply.is_success
    assert names(reply, "access-control-allow-headers") == set(HEADERS)


def test_a_json_form_may_begin_with_a_mark(wire: WireClient) -> None:
    """JSON is recognised by type and first brace, also after a byte order mark (wire.md 1.3)."""
    me = wire.account()
    headers = {"content-type": "application/json"}
    for mark in (b"", b"\xef\xbb\xbf"):
        body = mark + b'{"id": "%b"}' % me.id.encode()
        reply = wire.request("POST", "/v1/user/get-user", body, token=me.token, headers=headers)
        assert reply.json()["status"]["code"] == 1


LISTED = Cors(["https://a.example", "https://b.example:443", "http://c.example:80", "tauri://d"])
SAME = [
    "https://a.example",
    "https://a.example:443",
    "https://b.example",
    "https://b.example:443",
    "http://c.example",
    "http://c.example:80",
    "tauri://d",
]
OTHERS = [
    "http://a.example",
    "http://a.example:443",
    "https://a.example:80",
    "https://a.example:4430",
    "https://a.example:443:443",
    "https://a.example.evil",
    "https://a.example.evil:443",
    "https://oka.example",
    "https://A.example",
    "https://c.example",
    "tauri://d:443",
    "null",
    "",
    ":443",
    "https:",
]


@pytest.mark.parametrize("origin", SAME)
def test_the_usual_port_may_be_left_out(origin: str) -> None:
    """The default port may be missing in list or request; the response repeats the request."""
    told = dict(LISTED.headers({b"origin": origin.encode()}))
    assert told[b"access-control-allow-origin"] == origin.encode()
    assert told[b"vary"] == b"origin"


@pytest.mark.parametrize("origin", OTHERS)
def test_no_other_origin_may_read(origin: str) -> None:
    """Suffix, prefix, case, scheme and port must all match."""
    asked = {
        b"origin": origin.encode(),
        b"access-control-request-method": b"POST",
        b"access-control-request-headers": b"x-a",
    }
    assert dict(LISTED.headers(asked)) == {b"vary": b"origin"}
    assert dict(LISTED.preflight_headers(asked)) == {b"vary": b"origin"}
