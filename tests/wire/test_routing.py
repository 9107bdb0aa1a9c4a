"""Which paths exist on which surface (wire.md 1.1, security Z2)."""

import pytest

from tests.support.answers import JSON_TYPE, read_answer
from tests.support.client import WireClient
from tests.support.raw_http import exchange, head

pytestmark = pytest.mark.one_engine

APP_HOSTS = ["chat-go.jwzhd.com", "127.0.0.1", "localhost:8080", "xchat-web-go.jwzhd.com", "a"]
WEB_HOSTS = ["chat-web-go.jwzhd.com", "chat-web-go.example:8443", "chat-web-go."]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health(wire: WireClient, path: str) -> None:
    """A server that is up with its store reachable answers 200 (design 8)."""
    assert wire.request("GET", path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/user/captcha"),
        ("PUT", "/v1/user/captcha"),
        ("DELETE", "/v1/user/captcha"),
        ("PATCH", "/v1/user/captcha"),
        ("TRACE", "/v1/user/captcha"),
        ("POST", "/v1/user/info"),
        ("GET", "/v1/user/get-user"),
        ("GET", "/v1/user/logout"),
        ("GET", "/v1/user/verification-login"),
        ("GET", "/v1/user/email-login"),
        ("GET", "/v1/verification/get-verification-code"),
        ("GET", "/v1/verification/get-email-verification-code"),
        ("POST", "/v1/user/no-such-thing"),
        ("POST", "/v1/user"),
        ("POST", "/v1/"),
        ("POST", "/user/captcha"),
        ("POST", "/v2/user/captcha"),
        ("POST", "/V1/user/captcha"),
        ("POST", "/v1/user/Captcha"),
        ("POST", "/v1/user/captcha/"),
        ("POST", "/v1/user/captcha.json"),
        ("POST", "/v1/user/captcha;a=b"),
        ("POST", "/v1/captcha"),
        ("GET", "/web/v1/user/no-such-thing"),
        ("POST", "/web/v1/user/captcha"),
        ("POST", "/web/v1/user/get-user"),
        ("POST", "/web/v1/user/verification-login"),
        ("POST", "/web/web/v1/user/captcha"),
    ],
)
def test_unknown_is_404(wire: WireClient, method: str, path: str) -> None:
    """An unknown path or a wrong method is HTTP 404 (wire.md 1.1)."""
    assert wire.request(method, path, token="any").status_code == 404


@pytest.mark.parametrize("host", APP_HOSTS)
def test_app_is_the_default_surface(wire: WireClient, host: str) -> None:
    """Any Host but the web one selects the app surface (wire.md 1.1)."""
    reply = wire.request("POST", "/v1/user/captcha", headers={"host": host})
    assert read_answer(reply.status_code, reply.headers, reply.content).text("id")


@pytest.mark.parametrize("host", WEB_HOSTS)
def test_web_host_chooses_the_web_surface(wire: WireClient, host: str) -> None:
    """The host chat-web-go. does not have the app's endpoints (wire.md 1.1)."""
    assert wire.request("POST", "/v1/user/captcha", headers={"host": host}).status_code == 404
    assert wire.request("POST", "/v1/user/get-user", headers={"host": host}).status_code == 404


@pytest.mark.parametrize(
    ("path", "host"),
    [("/web/v1/user/info", "a"), ("/v1/user/info", WEB_HOSTS[0])],
)
def test_web_surface_has_its_own_info(wire: WireClient, path: str, host: str) -> None:
    """The web surface never returns the app's own info (wire.md 4)."""
    reply = wire.request("GET", path, token=wire.account().token, headers={"host": host})
    assert reply.status_code == 404 or reply.headers["content-type"] == JSON_TYPE


@pytest.mark.parametrize(
    "target",
    [
        "//v1/user/info",
        "/v1//user/info",
        "/v1/user//info",
        "/v1/user/./info",
        "/v1/user/../user/info",
        "/v1/user/%69nfo",
        "/v1/user%2finfo",
        "/v1/user/info%00",
        "/v1/user/info%20",
        "/v1/user/info;a",
        "/v1/user/info/",
        "/v1/user/info?token=a",
        "/V1/USER/INFO",
        "/v1/user/%2e%2e/user/info",
        "http://elsewhere.example/v1/user/info",
        "/v1/user/info#top",
        "\\v1\\user\\info",
        "/v1/user/logout/../info",
        "/healthz/../v1/user/info",
        "/sandbox/../v1/user/info",
    ],
)
def test_odd_targets_open_nothing(wire: WireClient, target: str) -> None:
    """With any path or Host, a request without a token is never served (Z2)."""
    for host in ("127.0.0.1", "", "chat-web-go.a", "a/healthz?", "x" * 300):
        start = f"GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        status, headers, body = exchange(wire.server, start.encode())
        assert status in {0, 200, 400, 403, 404}, (status, host)
        if status == 200:
            assert read_answer(status, headers, body).code == -101, host


def test_head_of_raw_helper_is_served(wire: WireClient) -> None:
    """A plain request of the tests' byte-wise client works."""
    status, headers, body = exchange(wire.server, head("GET /v1/user/info HTTP/1.1"))
    assert read_answer(status, headers, body).code == -101
