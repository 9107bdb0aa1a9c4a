"""The sandbox refuses in the language of the request only (web.md W-6)."""

import html
import json
import re

import pytest

from tests.support.client import WireClient
from tests.support.languages import CHINESE, english_in_chinese
from tests.support.sandbox_pages import PREFIX

pytestmark = pytest.mark.one_engine

NOT_OBJECTS = [b"[1]", b"{", b'{"a":1,}', b'{"a" 1}', b'"\xff"', b"[" * 50_000, b"x", b"1e999"]
BODIES: dict[str, list[object]] = {
    "POST /sandbox/accounts": [
        {"phone": 1},
        {"phone": "1"},
        {"email": "a"},
        {"coins": "many"},
        {"coins": -1},
        {"vipDays": -1},
        {"vipDays": 10**9},
        {"vipDays": 1.5},
        {"medals": "m"},
        {"medals": [1]},
        {"nickname": None, "banDays": True},
        {"nickname": "n" * 99},
        {"invitedBy": "none"},
        {"fone": "1"},
    ],
    "POST /sandbox/seed": [
        {},
        {"pack": 1},
        {"pack": "vipp"},
        {"pack": "vip", "number": 0},
        {"pack": "vip", "number": 10**9},
    ],
    "POST /sandbox/clock": [
        {"set": "now"},
        {"set": 1},
        {"set": 10**12},
        {"advance": -1},
        {"advance": 1, "set": 2},
        {"freeze": "yes"},
    ],
    "POST /sandbox/reset": [{"all": True}],
    "POST /sandbox/snapshots/one": [{"x": 1}],
    "POST /sandbox/snapshots/none/restore": [{}],
    "PUT /sandbox/snapshots/one": [{}],
    "PUT /sandbox/faults": [
        [1],
        [{}],
        [{"path": "v1"}],
        [{"path": "/v1/x", "code": "1"}],
        [{"path": "/v1/x", "reset": "now"}],
        [{"path": "/v1/x", "code": 1, "nth": -1}],
        [{"path": "/v1/x", "code": 1, "probability": 2}],
        [{"path": "/v1/x", "httpStatus": 99}],
        [{"path": "/v1/x", "delayMs": 10**9}],
        [{"pth": "/v1/x", "code": 1}],
        [{"code": 1}] * 1000,
    ],
    "PUT /sandbox/rules": [
        [1],
        [{}],
        [{"path": 1}],
        [{"path": "/v1/user/info", "json": 1}],
        [{"path": "/v1/x", "forward": "http://example.com"}],
        [{"path": "/v1/x", "json": 1, "status": 99}],
        [{"path": "/v1/x", "base64": "?"}],
        [{"path": "/v1/x", "json": 1, "forward": "http://127.0.0.1:1"}],
        [{"path": "/v1/x", "jsn": 1}],
    ],
}
READS = [
    "GET /sandbox/outbox?channel=fax",
    "GET /sandbox/outbox?chanel=sms",
    "GET /sandbox/outbox?since=x",
    "GET /sandbox/outbox/wait?timeout=0",
    "GET /sandbox/outbox/wait?timeout=-1",
    "GET /sandbox/requests?path=v1",
    "GET /sandbox/requests?result=bad",
    "GET /sandbox/requests/unserved?x=1",
    "GET /sandbox/snapshots/a%20b",
    "GET /sandbox/snapshots/none",
    "DELETE /sandbox/snapshots/none",
    "GET /sandbox/none",
    "PATCH /sandbox/outbox",
    "POST /sandbox/reset?x=1",
]
REQUESTS = [
    *((f"{route}", json.dumps(body).encode()) for route, them in BODIES.items() for body in them),
    *((route, body) for route in BODIES if "/snapshots/" not in route for body in NOT_OBJECTS),
    *((route, b"") for route in READS),
]


def test_every_refusal_is_in_one_language(own_wire: WireClient) -> None:
    """Chinese texts have no English sentence, and English ones no Chinese (W-6)."""
    refused = 0
    for route, body in REQUESTS:
        method, path = route.split(" ")
        for language in ("zh", "en"):
            headers = {"accept-language": language}
            reply = own_wire.request(method, path, body, headers=headers)
            if reply.is_success:
                assert body == b"{}", (route, body)
                continue
            refused += 1
            text = reply.json()["error"]
            if language == "zh":
                assert CHINESE.search(text), (route, body, text)
                assert english_in_chinese(text) == [], (route, body, text)
            else:
                assert not CHINESE.search(text), (route, body, text)
    assert refused >= 2 * (len(REQUESTS) - 3)


FORMS = (
    ("/accounts", {"phone": "1"}),
    ("/accounts", {"coins": "x"}),
    ("/accounts", {"nickname": "n" * 99}),
    ("/seed", {"pack": "vipp"}),
    ("/seed", {"pack": "vip", "number": "1.5"}),
    ("/clock", {"act": "set", "time": "soon"}),
    ("/clock", {"act": "set", "time": "1999-01-01 00:00"}),
    ("/clock", {"amount": "-1"}),
    ("/faults", {"path": "v1", "code": "1"}),
    ("/faults", {"path": "/v1/x", "nth": "x"}),
    ("/rules", {"path": "/v1/x", "json": "{"}),
    ("/rules", {"path": "/v1/x", "forward": "http://example.com"}),
    ("/snapshots", {"name": "a b"}),
    ("/snapshots", {"act": "restore", "name": "none"}),
)
PROBLEM = re.compile(r'<div id="problem".*?</h2>(.*?)</div>', re.DOTALL)
TOKEN = re.compile(r'name="form" value="([^"]+)"')


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_refused_form_is_in_one_language(own_wire: WireClient, language: str) -> None:
    """The page reports the fault in its own language (W-6, W-9)."""
    headers = {"accept-language": language}
    for path, fields in FORMS:
        page = own_wire.http.get(PREFIX + path, headers=headers).text
        form = {"form": TOKEN.findall(page)[0], **fields}
        reply = own_wire.http.post(PREFIX + path, data=form, headers=headers)
        assert reply.status_code >= 400, (path, fields)
        (problem,) = PROBLEM.findall(reply.text)
        text = html.unescape(re.sub("<[^>]*>", "", problem)).strip()
        if language == "zh":
            assert CHINESE.search(text), (path, fields, text)
            assert english_in_chinese(text) == [], (path, fields, text)
        else:
            assert text, (path, fields)
            assert not CHINESE.search(text), (path, fields, text)


MARKED: list[tuple[str, object]] = [
    ("/v1/user/email-login", {"email": 1, "password": None, "deviceId": [], "x": 1}),
    ("/v1/user/email-login", b"{"),
    ("/v1/user/email-login", b'{"email": NaN}'),
    ("/v1/user/email-login", b"[1]"),
    ("/v1/user/email-login", b"\xff"),
    ("/v1/user/email-login", {"email": "a@example.com", "password": "x"}),
    ("/v1/user/verification-login", {"mobile": "1", "code": "x", "captcha": 1.5}),
    ("/v1/user/recommend-list", {"size": -1, "page": "x"}),
    ("/v1/user/info?x=%FF", b""),
    ("/v1/none", b"{}"),
]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_mark_is_in_one_language(own_wire: WireClient, language: str) -> None:
    """This covers fields, bodies and requests in the journal (K-3, W-6)."""
    token = own_wire.account().token
    assert own_wire.request("DELETE", "/sandbox/requests").is_success
    for path, body in MARKED:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", "accept-language": language}
        own_wire.request("POST", path, content, token=token, headers=headers)
    listed = own_wire.http.get("/sandbox/requests", headers={"accept-language": language}).json()
    assert len(listed) == len(MARKED)
    texts = [entry.get("note", "") for entry in listed]
    texts += [entry["request"].get("problem", "") for entry in listed]
    fields = [field for entry in listed for field in entry["request"].get("fields", [])]
    texts += [field.get("note", "") for field in fields]
    texts += [entry["refusal"]["when"] for entry in listed if entry.get("refusal")]
    texts = [text for text in texts if text]
    assert len(texts) >= 15
    for text in texts:
        if language == "zh":
            assert CHINESE.search(text), text
            assert english_in_chinese(text) == [], text
        else:
            assert not CHINESE.search(text), text
