"""Headers of every response of the pages, and the requests they accept (web.md W-1, W-13)."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.client import WireClient
from tests.support.code_requests import until
from tests.support.sandbox_pages import COMMON_HEADERS as COMMON
from tests.support.sandbox_pages import POLICY
from tests.support.servers import Server

pytestmark = pytest.mark.one_engine

PAGES = "/sandbox/pages"
ELSEWHERE = {"sec-fetch-site": "cross-site"}
LINK = {**ELSEWHERE, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
TOKEN = re.compile(r'name="form" value="([^"]+)"')
STATE = re.compile(r'data-changes="[^"]+seen=([^"]+)"')
ASSET = re.compile(rf'(?:href|src)="({PAGES}/static/[^"]+)"')


@pytest.fixture
def http(sandbox: Server) -> Iterator[httpx.Client]:
    """Yield an HTTP client without cookies."""
    with httpx.Client(base_url=sandbox.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 303),
        ("GET", f"{PAGES}/outbox", 200),
        ("GET", f"{PAGES}/outbox?lang=en", 303),
        ("GET", f"{PAGES}/nothing", 404),
        ("GET", f"{PAGES}-not", 404),
        ("GET", f"{PAGES}/static/x/none.js", 404),
        ("POST", f"{PAGES}/outbox", 405),
        ("DELETE", "/", 405),
        ("POST", f"{PAGES}/clock", 400),
    ],
)
def test_every_answer_has_the_headers(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    """This covers pages, redirects, files and errors (web.md W-1)."""
    reply = http.request(method, path)
    assert reply.status_code == status
    assert reply.headers["content-security-policy"] == POLICY
    assert {name: reply.headers.get(name) for name in COMMON} == COMMON


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sandbox/outbox?to=unknown", 200),  # other tests have sent messages to others
        ("GET", "/sandbox/nothing", 404),
        ("PATCH", "/sandbox/outbox", 405),
        ("PUT", "/sandbox/faults", 400),
    ],
)
def test_every_answer_of_a_route_has_the_headers(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    """A missing route or method has them too, with a message in one language (web.md W-1)."""
    reply = http.request(method, path, headers={"accept-language": "en"})
    assert reply.status_code == status
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert {name: reply.headers.get(name) for name in COMMON} == COMMON
    assert reply.text.isascii()
    assert ("allow" in reply.headers) == (status == 405)
    assert "set-cookie" not in reply.headers or "HttpOnly" in reply.headers["set-cookie"]


def test_files_are_kept_under_their_hash(http: httpx.Client) -> None:
    """A file is cached for ever under its hash, and under no other name (web.md W-11)."""
    files = ASSET.findall(http.get(f"{PAGES}/outbox").text)
    assert len(files) >= 3
    for path in files:
        reply = http.get(path)
        assert reply.status_code == 200
        assert "immutable" in reply.headers["cache-control"]
        assert reply.headers["content-security-policy"] == POLICY
        old = http.get(re.sub(r"/static/\w+/", "/static/0/", path))
        assert old.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "zh-CN"),
        ({"accept-language": "en-GB,en;q=0.9,zh;q=0.8"}, "en"),
        ({"accept-language": "de,zh-TW;q=0.5,en;q=0.4"}, "zh-CN"),
        ({"accept-language": "en;q=x,zh;q=-1,*"}, "zh-CN"),
        ({"accept-language": "en", "cookie": "hupan_lang=zh"}, "zh-CN"),
        ({"cookie": "hupan_lang=en"}, "en"),
        ({"cookie": 'hupan_lang="><script>'}, "zh-CN"),
    ],
)
def test_the_language_of_a_page(http: httpx.Client, headers: dict[str, str], language: str) -> None:
    """The cookie decides, else Accept-Language, else Chinese (web.md W-6)."""
    reply = http.get(f"{PAGES}/outbox", headers=headers)
    assert f'<html lang="{language}"' in reply.text
    assert reply.headers["vary"] == "accept-language, cookie"


def test_a_link_sets_the_language(http: httpx.Client) -> None:
    """A link with a language leads back to the same page without it (web.md W-6)."""
    reply = http.get(f"{PAGES}/outbox?to=%C3%A9&lang=en")
    assert (reply.status_code, reply.headers["location"]) == (303, f"{PAGES}/outbox?to=%C3%A9")
    assert reply.headers["set-cookie"].startswith("hupan_lang=en;")
    assert "lang" not in http.get(f"{PAGES}/outbox?lang=xx").headers.get("location", "")


def test_pages_of_other_sites_see_nothing(http: httpx.Client) -> None:
    """A link from another site opens a page; all other requests are refused (W-13)."""
    for path in ("/", f"{PAGES}/outbox"):
        assert http.get(path, headers=LINK).status_code < 400
        assert http.get(path, headers=ELSEWHERE).status_code == 403
        assert http.get(path, headers=LINK | {"sec-fetch-dest": "iframe"}).status_code == 403
        assert http.get(path, headers=LINK | {"host": "evil.example"}).status_code == 403
        assert http.get(path, headers={"origin": "http://evil.example"}).status_code == 403
    assert http.post(f"{PAGES}/outbox", headers=LINK).status_code == 403
    for path in ("/sandbox/outbox", f"{PAGES}/changes"):
        assert http.get(path, headers=ELSEWHERE).status_code == 403
    assert http.get("/sandbox/outbox", headers=LINK).status_code == 403
    assert http.get("/sandbox/outbox", headers={"origin": "null"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "http://evil.example"},
    ],
)
def test_a_form_of_another_site_does_nothing(http: httpx.Client, headers: dict[str, str]) -> None:
    """Without a token of this process nothing is deleted, with any headers (W-13)."""
    before = http.post("/sandbox/accounts", content=b"{}").json()
    for token in ({"form": ""}, {"form": "0.0"}):
        reply = http.post(f"{PAGES}/reset", data=token, headers=headers)
        assert reply.status_code == 403
    found = http.get(f"{PAGES}/accounts?search={before['id']}").text
    assert f"a{before['id']}" in found


def test_a_form_of_a_page_is_taken_by_its_token(http: httpx.Client) -> None:
    """Browsers may send no origin, and over plain http beyond loopback no site either (W-13)."""
    for headers in ({"origin": "null"}, {"origin": "null", "sec-fetch-site": "same-origin"}):
        token = TOKEN.findall(http.get(f"{PAGES}/clock").text)[0]
        reply = http.post(f"{PAGES}/clock", data={"form": token, "amount": "0"}, headers=headers)
        assert reply.status_code == 303
        assert reply.headers["content-security-policy"] == POLICY


def test_a_refusal_carries_headers_too(http: httpx.Client) -> None:
    """The routes and the refusal of a foreign host are not cached, framed or sniffed (W-1)."""
    for reply in (
        http.get(f"{PAGES}/outbox", headers={"host": "evil.example"}),
        http.get("/sandbox/outbox"),
        http.post("/sandbox/clock", content=b"{"),
    ):
        assert {name: reply.headers.get(name) for name in COMMON} == COMMON
        assert reply.headers["content-security-policy"] == (
            "default-src 'none'; frame-ancestors 'none'"
        )


@pytest.mark.slow
def test_a_server_has_no_pages() -> None:
    """`hupan serve` has nothing of the sandbox (design 8)."""
    with Server("serve") as server, WireClient(server) as client:
        for path in ("/", f"{PAGES}/outbox", f"{PAGES}/changes", "/sandbox/outbox"):
            reply = client.http.get(path)
            assert reply.status_code == 404
            assert "text/html" not in reply.headers.get("content-type", "")


def test_streams_are_bounded(http: httpx.Client) -> None:
    """The thirty-third stream is refused, and a closed one frees its place (web.md W-1)."""
    streams = [http.stream("GET", f"{PAGES}/changes") for _ in range(32)]
    replies = [stream.__enter__() for stream in streams]
    try:
        assert {reply.status_code for reply in replies} == {200}
        assert replies[0].headers["content-security-policy"] == POLICY
        assert http.get(f"{PAGES}/changes").status_code == 503
    finally:
        for stream in streams:
            stream.__exit__(None, None, None)

    def is_accepted() -> bool:
        with http.stream("GET", f"{PAGES}/changes") as reply:
            return reply.status_code == 200

    until(is_accepted)


@pytest.mark.parametrize("answer", ["{", "[" * 5000 + "]" * 5000, "9" * 5000, '"\\ud800"'])
def test_an_answer_that_is_no_json_is_refused(http: httpx.Client, answer: str) -> None:
    """The form is shown again for any text that is not JSON (web.md W-9)."""
    token = TOKEN.findall(http.get(f"{PAGES}/rules").text)[0]
    fields = {"form": token, "path": "/v1/none", "json": answer}
    assert http.post(f"{PAGES}/rules", data=fields).status_code == 400


def test_an_open_page_learns_of_other_rules(http: httpx.Client) -> None:
    """The page reloads even if the number of rules is the same and none was used (K-2)."""
    seen = set()
    for path in ("/v1/one", "/v1/other"):
        http.put("/sandbox/rules", json=[{"path": path, "json": 1}])
        seen.update(STATE.findall(http.get(f"{PAGES}/rules").text))
    http.put("/sandbox/rules", json=[])
    assert len(seen) == 2
