"""What only the web surface has, over HTTP (wire.md 4), byte for byte."""

import json

import pytest

from tests.wire.answers import read_answer, refused_field
from tests.wire.client import WireClient

NOBODY = (
    b'{"code":1,"data":{"user":{"userId":"","nickname":"","avatarUrl":"","registerTime":0,'
    b'"registerTimeText":"","onLineDay":0,"continuousOnLineDay":0,"medals":[],"isVip":0}},'
    b'"msg":"success"}'
)
HOMEPAGE = "/web/v1/user/homepage"
INFO = "/web/v1/user/info"


def test_a_homepage(wire: WireClient) -> None:
    """All that is public, and nothing else."""
    account = wire.account(nickname="湖畔", vipDays=1, medals=["网页勋章"])
    reply = wire.request("GET", f"{HOMEPAGE}?userId={account.id}").content
    told = json.loads(reply)["data"]["user"]
    medal = told["medals"][0]
    golden = (
        '{"code":1,"data":{"user":{"userId":"%s","nickname":"湖畔","avatarUrl":"",'
        '"registerTime":%d,"registerTimeText":"%s","onLineDay":0,"continuousOnLineDay":0,'
        '"medals":[{"id":%d,"name":"网页勋章","desc":"","imageUrl":"","sort":%d}],"isVip":1}},'
        '"msg":"success"}'
    )
    of_server = (told["registerTime"], told["registerTimeText"], medal["id"], medal["sort"])
    assert reply == (golden % (account.id, *of_server)).encode()


def test_days_online_are_counted(wire: WireClient) -> None:
    """The first request with the token makes the first day (wire.md 5)."""
    account = wire.account()
    wire.own_info(account.token)
    told = wire.request("GET", f"{HOMEPAGE}?userId={account.id}").json()["data"]["user"]
    assert (told["onLineDay"], told["continuousOnLineDay"]) == (1, 1)


@pytest.mark.parametrize(
    "user_id", ["", "0", "1", "999999999999999", "9" * 64, "abc", "-1", "1e6", "%20", "%E6%B9%96"]
)
def test_nobodys_homepage_is_empty(wire: WireClient, user_id: str) -> None:
    """An id that nobody has, or can have, is a success all the same (wire.md 4)."""
    assert wire.request("GET", f"{HOMEPAGE}?userId={user_id}").content == NOBODY


def test_a_banned_account_is_shown_as_nobody(wire: WireClient) -> None:
    """Neither its name nor that it is banned; the code 7100 is get-user's (wire.md 2)."""
    account = wire.account(nickname="坏人", banReason="广告")
    assert wire.request("GET", f"{HOMEPAGE}?userId={account.id}").content == NOBODY
    assert wire.get_user(account.id).code == 7100


@pytest.mark.one_engine
@pytest.mark.parametrize("query", ["", "?", "?user_id=1", "?userid=1", "?userId=" + "1" * 65])
def test_a_homepage_needs_an_id(wire: WireClient, query: str) -> None:
    """One that is missing or too long is named (wire.md 2)."""
    reply = wire.request("GET", HOMEPAGE + query)
    answer = read_answer(reply.status_code, reply.headers, reply.content)
    assert refused_field(answer) == "userId"


def test_own_info(wire: WireClient) -> None:
    """The id of the avatar is a text, coins a number without noise."""
    phone = wire.fresh_phone()
    account = wire.account(phone=phone, nickname="湖畔", coins=55.1)
    golden = (
        '{"code":1,"data":{"user":{"userId":"%s","nickname":"湖畔","phone":"%s","avatarId":"0",'
        '"avatarUrl":"","goldCoinAmount":55.1}},"msg":"success"}'
    )
    reply = wire.request("GET", INFO, token=account.token)
    assert reply.content == (golden % (account.id, phone)).encode()


@pytest.mark.one_engine
def test_own_info_needs_a_session(wire: WireClient) -> None:
    """The web surface has the same guard, and JSON alone."""
    for token in (None, "", "0" * 36):
        reply = wire.request("GET", INFO, token=token)
        assert reply.content == '{"code":-101,"msg":"未登录"}'.encode()


@pytest.mark.one_engine
@pytest.mark.parametrize("host", ["chat-web-go.jwzhd.com", "CHAT-WEB-GO.a:8443"])
def test_the_host_chooses_the_surface(wire: WireClient, host: str) -> None:
    """One path, two answers: protobuf in the app, JSON on the web (wire.md 1.1)."""
    token = wire.account().token
    web = wire.request("GET", "/v1/user/info", token=token, headers={"host": host})
    app = wire.request("GET", "/v1/user/info", token=token, headers={"host": "chat-go.a"})
    assert web.headers["content-type"] == "application/json; charset=utf-8"
    assert app.headers["content-type"] == "application/x-protobuf"
