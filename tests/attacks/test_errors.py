"""An error shows a sentence and a request number, and no internals of the server (L4)."""

import re
from collections.abc import MutableMapping
from typing import Any, TypeAlias, cast

import pytest

from hupan.api.app import Dispatcher, Services, UnroutedApp, build_routes
from hupan.api.responses import Cors
from hupan.logs import AccessLog
from tests.support.client import WireClient
from tests.support.endpoint_calls import CALLS
from tests.support.raw_http import exchange, head

pytestmark = pytest.mark.slow

Message: TypeAlias = MutableMapping[str, Any]
TELLTALE = re.compile(
    r"Traceback|File \"|\.py\b|line \d+|0x[0-9a-f]{6,}|SELECT |INSERT |UPDATE |sqlite|apsw|postgres"
    r"|asyncpg|psycopg|msgspec|protobuf:|starlette|uvicorn|httptools|python|hupan/|site-packages"
    r"|/home/|/root/|/tmp/|Error:|Exception|KeyError|ValueError|TypeError|\bNone\b",
    re.IGNORECASE,
)
BODIES: list[bytes] = [
    *(b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":NaN}', b"[" * 20_000, b"\x08", b"\x0a\xff"),
    *(b"\x00" * 100, b'{"mobile":1}', b'{"email":{}}', b'{"size":"x","page":[]}', b"%s%s%n"),
    *(b"' OR 1=1 --", b"<x/>", b'{"captcha":"' + b"9" * 60_000 + b'"}', b'{"id":"\\ud800"}'),
]
STARTS = [
    *(
        "GET / HTTP/1.1",
        "GET /v1/nothing HTTP/1.1",
        "GET /v1/user/info HTTP/9.9",
        "BREW / HTTP/1.1",
    ),
    *(
        "GET /%00 HTTP/1.1",
        "GET /..%2f..%2fetc/passwd HTTP/1.1",
        "GET /v1/user/info",
        "\x16\x03\x01",
    ),
    *(
        f"GET /{'a' * 5000} HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "PUT /v1 HTTP/1.1",
    ),
]


RANDOM_TEXT = re.compile(rb'(?<=base64,)[A-Za-z0-9+/=]+|(?<="id":")[A-Za-z0-9_-]{20,}')
"""Pictures and ids of captchas, which may contain anything by chance, such as `0X0f461dea`."""


def find_leaks(headers: dict[str, str], body: bytes) -> list[str]:
    """Return the internals that a response reveals."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    text = "\n".join([*lines, body.decode("latin-1")]).replace("'none'", "")  # of a page's policy
    found = [match[0] for match in TELLTALE.finditer(text)]
    return found + [name for name in ("server", "x-powered-by", "via") if name in headers]


def test_odd_requests_reveal_nothing(wire: WireClient) -> None:
    """A response to a broken body, on any endpoint, has no stack, SQL, version or path (L4)."""
    token = wire.account(vipDays=3).token
    leaks = {}
    for call in CALLS:
        if "logout" in call.path:
            continue
        for body in BODIES:
            reply = wire.request(call.method, call.path, body, token=token)
            text = RANDOM_TEXT.sub(b"", reply.content)
            if found := find_leaks(dict(reply.headers), text):
                leaks[call.key, body[:20]] = found
    assert leaks == {}
    assert wire.own_info(token).code == 1


@pytest.mark.parametrize("start", STARTS)
def test_broken_heads_reveal_nothing(wire: WireClient, start: str) -> None:
    """Responses to malformed headers reveal nothing either (security L4)."""
    _, headers, body = exchange(wire.server, head(start))
    assert find_leaks(headers, body) == []


SECRET = "SELECT * FROM sessions WHERE token = 'canary-5e1'"


class Broken:
    """Services that all fail."""

    def __getattr__(self, _name: str) -> object:
        """Fail for every service.

        Raises:
            RuntimeError: always, with a text that must not be shown.
        """
        raise RuntimeError(SECRET)


@pytest.mark.one_engine
@pytest.mark.parametrize("path", ["/v1/user/captcha", "/v1/user/medal", "/v1/user/edit-nickname"])
async def test_an_accident_is_answered_with_one_sentence(path: str) -> None:
    """Any unexpected exception ends as the general message and the request's number (L4)."""
    table = build_routes(cast("Services", Broken()))
    log = AccessLog(None, "text")
    dispatcher = Dispatcher(
        table,
        Cors(["*"]),
        log,
        process_number=1,
        web_host_prefix="w.",
        media=cast("UnroutedApp", None),
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"token", b"a token")]
    scope = {"method": "POST", "path": path, "headers": headers, "client": ("127.0.0.1", 1)}
    await dispatcher(scope, receive, send)
    sent_headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert sent[0]["status"] == 200
    assert sent_headers["x-result"] == "error"
    assert b"canary" not in sent[1]["body"]
    assert find_leaks(sent_headers, sent[1]["body"]) == []
