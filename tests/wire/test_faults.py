"""Faults on demand: what each rule does, to which requests, and which rules are refused (K-5).

`tests/flows/test_fault_stacks.py` covers the reaction of client libraries.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.client import WireClient
from tests.support.servers import CHEAP_HASHES, Server

pytestmark = pytest.mark.one_engine

CAPTCHA = "/v1/user/captcha"
INFO = "/v1/user/info"
Rule = dict[str, object]


def put(wire: WireClient, *rules: Rule) -> list[Rule]:
    """Set the rules of a sandbox."""
    reply = wire.http.put("/sandbox/faults", content=json.dumps(rules))
    assert reply.status_code == 200, reply.text
    listed: list[Rule] = reply.json()
    return listed


def hits(wire: WireClient) -> list[object]:
    """Return how often each rule was applied."""
    return [rule["hits"] for rule in wire.http.get("/sandbox/faults").json()]


@pytest.fixture(autouse=True)
def _faultless(wire: WireClient) -> Iterator[None]:
    """Remove all rules afterwards."""
    yield
    put(wire)


def test_a_code_comes_in_the_form_of_the_endpoint(wire: WireClient) -> None:
    """JSON and protobuf have the text of the real error, in either language (K-5)."""
    account = wire.account()
    put(wire, {"path": CAPTCHA, "code": 7100}, {"path": INFO, "code": -101})
    reply = wire.http.post(CAPTCHA, content=b"{}")
    assert reply.status_code == 200
    assert reply.json() == {"code": 7100, "msg": "因违反相关规定，该用户被封禁"}
    english = wire.http.post(CAPTCHA, headers={"accept-language": "en"}).json()
    assert english == {"code": 7100, "msg": "This user is banned for breaking the rules"}
    info = wire.own_info(account.token)
    assert (info.code, info.msg) == (-101, "未登录")
    reply = wire.http.get(INFO, headers={"token": account.token})
    assert reply.headers["content-type"] == "application/x-protobuf"
    assert hits(wire) == [2, 2]


def test_an_unknown_code_has_a_text_too(wire: WireClient) -> None:
    """Every code has a message, because clients show it (K-5)."""
    put(wire, {"path": CAPTCHA, "code": 987654, "httpStatus": 503})
    reply = wire.http.post(CAPTCHA)
    assert (reply.status_code, reply.json()["code"]) == (503, 987654)
    assert reply.json()["msg"]


@pytest.mark.parametrize("status", [204, 304, 400, 401, 429, 500, 502, 503, 504, 599])
def test_an_http_status_is_sent(wire: WireClient, status: int) -> None:
    """It is the status of a proxy in front; the connection stays usable (K-5)."""
    put(wire, {"path": CAPTCHA, "httpStatus": status})
    assert wire.http.post(CAPTCHA).status_code == status
    put(wire)
    assert wire.http.post(CAPTCHA).json()["code"] == 1


def test_an_error_changes_nothing(wire: WireClient) -> None:
    """A request that gets an error is not handled (K-5)."""
    account = wire.account(nickname="before")
    put(wire, {"path": "/v1/user/logout", "code": 1001}, {"path": "/v1/*", "httpStatus": 500})
    headers = {"token": account.token}
    assert wire.http.post("/v1/user/logout", headers=headers).json()["code"] == 1001
    assert wire.http.post("/v1/user/get-user-data", headers=headers).status_code == 500
    put(wire)
    assert wire.own_info(account.token).code == 1


def test_the_first_rule_that_fires_decides(wire: WireClient) -> None:
    """Each rule counts its matches, and only one is applied (K-5)."""
    put(
        wire,
        {"path": CAPTCHA, "nth": 2, "code": 1002},
        {"path": "/v1/user/*", "nth": 3, "code": 1003},
        {"nth": 4, "code": 1004},
    )
    codes = [wire.http.post(CAPTCHA).json()["code"] for _ in range(5)]
    assert codes == [1, 1002, 1003, 1004, 1]
    assert hits(wire) == [1, 1, 1]


def test_a_rule_is_for_one_account(wire: WireClient) -> None:
    """Other accounts and requests without a token are not affected (K-5)."""
    one, other = wire.account(), wire.account()
    put(wire, {"account": one.id, "code": 7100})
    assert wire.own_info(one.token).code == 7100
    assert wire.own_info(other.token).code == 1
    assert wire.http.post(CAPTCHA).json()["code"] == 1
    put(wire, {"account": int(other.id), "path": INFO, "code": 7100})
    assert [wire.own_info(a.token).code for a in (one, other)] == [1, 7100]
    assert hits(wire) == [1]


def test_setting_rules_resets_the_hits(wire: WireClient) -> None:
    """The result of GET can be PUT again; hits restart at 0 (K-5)."""
    rule = {"path": CAPTCHA, "nth": 1, "code": 1002}
    put(wire, rule)
    assert wire.http.post(CAPTCHA).json()["code"] == 1002
    listed = wire.http.get("/sandbox/faults").json()
    assert listed == [{**rule, "hits": 1}]
    assert put(wire, *listed) == [{**rule, "hits": 0}]
    assert wire.http.post(CAPTCHA).json()["code"] == 1002
    assert put(wire) == []
    assert wire.http.post(CAPTCHA).json()["code"] == 1


def fails(wire: WireClient, error: type[httpx.HTTPError]) -> None:
    """Check that a request for a captcha fails with this error."""
    with pytest.raises(error):
        wire.http.post(CAPTCHA)


def test_a_connection_is_reset_before_the_change(wire: WireClient) -> None:
    """The client's connection ends, and nothing was changed (K-5)."""
    account = wire.account()
    put(wire, {"path": "/v1/user/logout", "reset": "before"})
    with pytest.raises(httpx.TransportError):
        wire.http.post("/v1/user/logout", headers={"token": account.token})
    assert wire.own_info(account.token).code == 1


def test_a_connection_is_reset_after_the_change(wire: WireClient) -> None:
    """The client's connection ends, and the change is kept (K-5)."""
    account = wire.account()
    put(wire, {"path": "/v1/user/logout", "reset": "after"})
    with pytest.raises(httpx.TransportError):
        wire.http.post("/v1/user/logout", headers={"token": account.token})
    assert wire.own_info(account.token).code == -101
    assert hits(wire) == [1]


def test_a_body_is_cut(wire: WireClient) -> None:
    """Content-Length is that of the whole body, and the connection ends earlier (K-5)."""
    put(wire, {"path": CAPTCHA, "truncate": 7})
    with wire.http.stream("POST", CAPTCHA) as reply:
        assert int(reply.headers["content-length"]) > 1000
        with pytest.raises(httpx.RemoteProtocolError, match="received 7 bytes"):
            reply.read()
    put(wire, {"path": CAPTCHA, "truncate": 10_000_000})
    assert wire.http.post(CAPTCHA).json()["code"] == 1


def test_bytes_are_garbled(wire: WireClient) -> None:
    """The number of bytes is right, and no decoder accepts them (K-5)."""
    account = wire.account()
    whole = len(wire.http.get(INFO, headers={"token": account.token}).content)
    put(wire, {"path": CAPTCHA, "garble": True}, {"path": INFO, "garble": True})
    reply = wire.http.post(CAPTCHA)
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert reply.content[0] & 0x87 == 0x87
    with pytest.raises(UnicodeDecodeError):
        reply.content.decode()
    reply = wire.http.get(INFO, headers={"token": account.token})
    assert abs(len(reply.content) - whole) <= 2  # the number of the request
    assert reply.content[0] & 7 == 7  # a field of no wire type


def test_a_response_trickles(wire: WireClient) -> None:
    """It arrives in pieces, and complete (K-5)."""
    put(wire, {"path": CAPTCHA, "trickle": 20_000})
    with wire.http.stream("POST", CAPTCHA) as reply:
        pieces = list(reply.iter_raw(chunk_size=None))
    assert json.loads(b"".join(pieces))["code"] == 1
    assert max(map(len, pieces)) <= 2000
    assert len(pieces) > 1


@pytest.mark.slow
def test_a_delay_passes(wire: WireClient) -> None:
    """The response arrives later, and is correct (K-5)."""
    put(wire, {"path": CAPTCHA, "delayMs": 300})
    with pytest.raises(httpx.ReadTimeout):
        wire.http.post(CAPTCHA, timeout=0.1)
    assert wire.http.post(CAPTCHA).json()["code"] == 1
    assert hits(wire) == [2]


def test_other_paths_never_fail(wire: WireClient) -> None:
    """A rule for all paths does not affect health and the sandbox's own routes (K-5)."""
    put(wire, {"reset": "before"})
    assert wire.http.get("/healthz").status_code == 200
    assert wire.http.get("/").headers["location"] == "/sandbox/pages/"
    assert wire.http.get("/readyz").status_code == 200
    assert wire.http.get("/sandbox/outbox").status_code == 200
    assert wire.http.put("/sandbox/faults", content=b"[]").json() == []


@pytest.mark.slow
def test_reset_clears_the_rules() -> None:
    """A seed repeats the random failures, even after the rules were set again (K-5)."""
    rule: Rule = {"path": CAPTCHA, "probability": 0.5, "code": 1002}
    seen: list[list[int]] = []
    for _ in range(2):
        with (
            Server("sandbox", "--seed", "lake", environment=CHEAP_HASHES) as server,
            WireClient(server) as wire,
        ):
            for _ in range(2):
                assert put(wire, rule) == [{**rule, "hits": 0}]
                seen.append([wire.http.post(CAPTCHA).json()["code"] for _ in range(40)])
            assert wire.request("POST", "/sandbox/reset").is_success
            assert wire.http.get("/sandbox/faults").json() == []
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert 5 < seen[0].count(1002) < 35


BAD: list[tuple[Any, str]] = [
    ({}, "数组"),
    ("[", "数组"),
    ("", "数组"),
    ([1], "数组"),
    ([{}], "没有指定故障"),
    ([{"path": CAPTCHA}], "没有指定故障"),
    ([{"garble": False}], "没有指定故障"),
    ([{"delay": 3}], "delayMs"),
    ([{"http_status": 500}], "httpStatus"),
    ([{"delayMs": -1}], "第 1 条"),
    ([{"delayMs": 600_001}], "第 1 条"),
    ([{"code": 1002}, {"httpStatus": 600}], "第 2 条"),
    ([{"httpStatus": 100}], "第 1 条"),
    ([{"httpStatus": 204, "code": 1001}], "没有响应体"),
    ([{"code": 2**31}], "第 1 条"),
    ([{"code": "1002"}], "第 1 条"),
    ([{"probability": 1.5, "code": 1}], "第 1 条"),
    ([{"nth": 0, "code": 1}], "第 1 条"),
    ([{"reset": "during"}], "第 1 条"),
    ([{"trickle": 0}], "第 1 条"),
    ([{"truncate": -1}], "第 1 条"),
    ([{"reset": "after", "code": 1002}], "code"),
    ([{"reset": "before", "garble": True}], "garble"),
    ([{"account": "13800138000x", "code": 1}], "账号编号"),
    ([{"path": "v1/user/info", "code": 1}], "以 / 开头"),
    ([{"path": "/v1/user/info?x=1", "code": 1}], "查询参数"),
    ([{"path": "/v1/*/info", "code": 1}], "末尾"),
    ([{"path": "/sandbox/outbox", "code": 1}], "不作用于"),
    ([{"path": "/healthz", "code": 1}], "不作用于"),
    ([{"path": "/ws", "code": 1}], "不适用于"),
    ([{"path": "/ws", "trickle": 9}], "不适用于"),
    ([{"code": 1}] * 101, "100"),
]


@pytest.mark.parametrize(("body", "word"), BAD, ids=lambda value: str(value)[:40])
def test_a_rule_that_means_nothing_is_refused(wire: WireClient, body: object, word: str) -> None:
    """The message names the rule and the valid form; the current rules stay (K-5)."""
    before = put(wire, {"path": "/v1/nowhere", "code": 1002})
    content = body if isinstance(body, str) else json.dumps(body)
    reply = wire.http.put("/sandbox/faults", content=content)
    assert reply.status_code == 400
    assert word in reply.json()["error"]
    english = wire.http.put(
        "/sandbox/faults", content=content, headers={"accept-language": "en"}
    ).json()["error"]
    assert english.isascii()
    assert wire.http.get("/sandbox/faults").json() == before
