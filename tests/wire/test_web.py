"""The web surface, by Host and by prefix (wire.md 1.1, 4).

Endpoints that only the web surface has (wire.md 4), byte for byte.
"""

import json
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.answers import JSON_TYPE, read_answer, refused_field
from tests.support.client import WireClient
from tests.support.json_shapes import amount, check_shape, data_of, part, parts, reply_to, whole

RECORD = "gold-coin-increase-decrease-record"
HOMEPAGE = {
    "userId",
    "nickname",
    "avatarUrl",
    "registerTime",
    "registerTimeText",
    "onLineDay",
    "continuousOnLineDay",
    "medals",
    "isVip",
}
MEDAL = {"id": int, "name": str, "desc": str, "imageUrl": str, "sort": int}
INFO = {"userId", "nickname", "phone", "avatarId", "avatarUrl", "goldCoinAmount"}
NOW = 2_000_000_000
NOW_IN_SHANGHAI = "2033-05-18 11:33:"
UNKNOWN_ID = "999999999999999"
by_both = pytest.mark.parametrize("host", ["chat-web-go.jwzhd.com", "chat-web-go.a:8443", ""])


def get(wire: WireClient, path: str, host: str = "", token: str | None = None) -> httpx.Response:
    """Send a GET of the web surface by Host, or by prefix without one."""
    if host:
        return wire.request("GET", f"/v1/user/{path}", token=token, headers={"host": host})
    return wire.request("GET", f"/web/v1/user/{path}", token=token)


def user(reply: httpx.Response) -> dict[str, object]:
    """Return the user of a success."""
    return part(data_of(whole(reply), "user"), "user")


def homepage(wire: WireClient, user_id: str, host: str = "") -> dict[str, object]:
    """Return a user's homepage, whose keys are exact."""
    found = user(get(wire, f"homepage?userId={user_id}", host))
    assert set(found) == HOMEPAGE
    for key in ("userId", "nickname", "avatarUrl", "registerTimeText"):
        assert type(found[key]) is str, key
    for key in ("registerTime", "onLineDay", "continuousOnLineDay"):
        assert type(found[key]) is int, key
    assert found["isVip"] in {0, 1}
    for medal in parts(found, "medals"):
        check_shape(medal, MEDAL)
    return found


@by_both
def test_homepage(wire: WireClient, host: str) -> None:
    """A homepage is readable without a token, with all keys (wire.md 4)."""
    account = wire.account(nickname="湖畔", vipDays=3, medals=["测试勋章", "主页勋章"])
    found = homepage(wire, account.id, host)
    assert (found["userId"], found["nickname"], found["isVip"]) == (account.id, "湖畔", 1)
    public = wire.get_user(account.id).pb_data
    assert found["registerTimeText"] == public.text(7)
    assert (found["onLineDay"], found["continuousOnLineDay"]) == (
        public.number(11),
        public.number(12),
    )
    medals = [(m["id"], m["name"], m["sort"]) for m in parts(found, "medals")]
    assert medals == [(m.number(1), m.text(2), m.number(5)) for m in public.messages(6)]


def test_homepage_times(own_wire: WireClient) -> None:
    """`registerTime` is unix seconds, its text the wall clock of Shanghai (wire.md 1.11)."""
    own_wire.set_clock(set=NOW)
    found = homepage(own_wire, own_wire.account().id)
    registered = found["registerTime"]
    assert type(registered) is int
    assert 0 <= registered - NOW < 20
    assert str(found["registerTimeText"]).startswith(NOW_IN_SHANGHAI)


@by_both
@pytest.mark.parametrize("user_id", [UNKNOWN_ID, "1", "0"])
def test_unknown_homepage_is_empty(wire: WireClient, host: str, user_id: str) -> None:
    """An unknown id is still code 1, with empty strings and registerTime 0 (wire.md 4)."""
    found = homepage(wire, user_id, host)
    assert (found["nickname"], found["avatarUrl"], found["registerTimeText"]) == ("", "", "")
    assert found["registerTime"] == 0
    assert found["medals"] == []


def test_homepage_shows_nothing_private(wire: WireClient) -> None:
    """A homepage has no phone and no e-mail (security D4, J8)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email)
    for token in (None, account.token):
        body = get(wire, f"homepage?userId={account.id}", token=token).text
        assert phone not in body
        assert email not in body


@pytest.mark.one_engine
@pytest.mark.parametrize("token", ["", "not-a-token", None])
def test_homepage_needs_no_token(wire: WireClient, token: str | None) -> None:
    """Any token or none is accepted (wire.md 4)."""
    account = wire.account(nickname="n")
    assert user(get(wire, f"homepage?userId={account.id}", token=token))["nickname"] == "n"


@by_both
def test_info(wire: WireClient, host: str) -> None:
    """The response has the caller's six fields; avatarId is a string (wire.md 4)."""
    phone = wire.fresh_phone()
    account = wire.account(phone=phone, nickname="湖畔", coins=55.01)
    found = user(get(wire, "info", host, account.token))
    assert set(found) == INFO
    for key in INFO - {"goldCoinAmount"}:
        assert type(found[key]) is str, key
    assert (found["userId"], found["nickname"], found["phone"]) == (account.id, "湖畔", phone)
    assert str(amount(found["goldCoinAmount"])) == "55.01"
    own = wire.own_info(account.token).pb_data
    assert urlsplit(str(found["avatarUrl"])).path == urlsplit(str(own.text(4))).path
    base = f"https://{host}" if host else wire.server.url
    assert found["avatarUrl"] == f"{base}/media/default/{account.id}.png"
    assert found["avatarId"] == str(own.number(5))


def test_info_without_a_phone(wire: WireClient) -> None:
    """An unbound contact is an empty string, never null (wire.md 4)."""
    found = user(get(wire, "info", token=wire.account().token))
    assert (set(found), found["phone"]) == (INFO, "")


@by_both
def test_coin_record(wire: WireClient, host: str) -> None:
    """The record is the app's, with parameters in the query (wire.md 4)."""
    account = wire.account(coins=12.34)
    reply = whole(get(wire, f"{RECORD}?size=20&page=1", host, account.token))
    data = data_of(reply, "goldCoinRecord", "total")
    assert parts(data, "goldCoinRecord")
    app = reply_to(wire, f"user/{RECORD}", {"size": 20, "page": 1}, token=account.token)
    assert reply == app


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?size=0&page=1", "size"),
        ("?size=101&page=1", "size"),
        ("?size=-1&page=1", "size"),
        ("?size=a&page=1", "size"),
        ("?size=1.5&page=1", "size"),
        ("?size=&page=1", "size"),
        ("?size=%EF%BC%91&page=1", "size"),
        ("?size=20&page=0", "page"),
        ("?size=20&page=10001", "page"),
        ("?size=20&page=" + "9" * 40, "page"),
        ("?page=1", "size"),
        ("?size=20", "page"),
    ],
)
def test_bad_query_is_named(wire: WireClient, query: str, field: str) -> None:
    """A missing or out-of-range value is named (wire.md 2, security I5)."""
    reply = get(wire, RECORD + query, token=wire.account().token)
    assert refused_field(read_answer(reply.status_code, reply.headers, reply.content)) == field


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/web/v1/user/homepage"),
        ("POST", "/web/v1/user/info"),
        ("POST", f"/web/v1/user/{RECORD}"),
        ("GET", "/v1/user/homepage?userId=1"),
        ("GET", f"/v1/user/{RECORD}?size=20&page=1"),
        ("GET", "/web/v1/user/clients"),
        ("POST", "/web/v1/user/medal"),
    ],
)
def test_surfaces_are_apart(wire: WireClient, method: str, path: str) -> None:
    """Neither surface has the endpoints of the other (wire.md 1.1)."""
    assert wire.request(method, path, token=wire.account().token).status_code == 404


@pytest.mark.one_engine
def test_web_answers_json(wire: WireClient) -> None:
    """Own info is JSON here, and protobuf in the app (wire.md 1.5, 4)."""
    reply = get(wire, "info", token=wire.account().token)
    assert reply.headers["content-type"] == JSON_TYPE


NOBODY = (
    b'{"code":1,"data":{"user":{"userId":"","nickname":"","avatarUrl":"","registerTime":0,'
    b'"registerTimeText":"","onLineDay":0,"continuousOnLineDay":0,"medals":[],"isVip":0}},'
    b'"msg":"success"}'
)
HOMEPAGE_PATH = "/web/v1/user/homepage"
INFO_PATH = "/web/v1/user/info"


def test_a_homepage(wire: WireClient) -> None:
    """It has exactly the public fields."""
    account = wire.account(nickname="湖畔", vipDays=1, medals=["网页勋章"])
    reply = wire.request("GET", f"{HOMEPAGE_PATH}?userId={account.id}").content
    told = json.loads(reply)["data"]["user"]
    medal = told["medals"][0]
    golden = (
        '{"code":1,"data":{"user":{"userId":"%s","nickname":"湖畔","avatarUrl":"%s",'
        '"registerTime":%d,"registerTimeText":"%s","onLineDay":0,"continuousOnLineDay":0,'
        '"medals":[{"id":%d,"name":"网页勋章","desc":"","imageUrl":"","sort":%d}],"isVip":1}},'
        '"msg":"success"}'
    )
    of_server = (told["registerTime"], told["registerTimeText"], medal["id"], medal["sort"])
    avatar = f"{wire.server.url}/media/default/{account.id}.png"
    assert reply == (golden % (account.id, avatar, *of_server)).encode()


def test_days_online_are_counted(wire: WireClient) -> None:
    """The first request with the token counts as the first day (wire.md 5)."""
    account = wire.account()
    wire.own_info(account.token)
    told = wire.request("GET", f"{HOMEPAGE_PATH}?userId={account.id}").json()["data"]["user"]
    assert (told["onLineDay"], told["continuousOnLineDay"]) == (1, 1)


@pytest.mark.parametrize(
    "user_id", ["", "0", "1", "999999999999999", "9" * 64, "abc", "-1", "1e6", "%20", "%E6%B9%96"]
)
def test_the_homepage_of_an_unknown_id_is_empty(wire: WireClient, user_id: str) -> None:
    """An unknown or invalid id is a success anyway (wire.md 4)."""
    assert wire.request("GET", f"{HOMEPAGE_PATH}?userId={user_id}").content == NOBODY


def test_a_banned_account_is_shown_as_unknown(wire: WireClient) -> None:
    """Neither its name nor its ban is shown; only get-user returns 7100 (wire.md 2)."""
    account = wire.account(nickname="坏人", banReason="广告")
    assert wire.request("GET", f"{HOMEPAGE_PATH}?userId={account.id}").content == NOBODY
    assert wire.get_user(account.id).code == 7100


@pytest.mark.one_engine
@pytest.mark.parametrize("query", ["", "?", "?user_id=1", "?userid=1", "?userId=" + "1" * 65])
def test_a_homepage_needs_an_id(wire: WireClient, query: str) -> None:
    """A missing or long id is named (wire.md 2)."""
    reply = wire.request("GET", HOMEPAGE_PATH + query)
    answer = read_answer(reply.status_code, reply.headers, reply.content)
    assert refused_field(answer) == "userId"


def test_own_info(wire: WireClient) -> None:
    """The avatar's id is a text, coins are an exact number."""
    phone = wire.fresh_phone()
    account = wire.account(phone=phone, nickname="湖畔", coins=55.1)
    golden = (
        '{"code":1,"data":{"user":{"userId":"%s","nickname":"湖畔","phone":"%s","avatarId":"0",'
        '"avatarUrl":"%s","goldCoinAmount":55.1}},"msg":"success"}'
    )
    reply = wire.request("GET", INFO_PATH, token=account.token)
    avatar = f"{wire.server.url}/media/default/{account.id}.png"
    assert reply.content == (golden % (account.id, phone, avatar)).encode()


@pytest.mark.one_engine
def test_own_info_needs_a_session(wire: WireClient) -> None:
    """The web surface has the same access rule, and only JSON."""
    for token in (None, "", "0" * 36):
        reply = wire.request("GET", INFO_PATH, token=token)
        assert reply.content == '{"code":-101,"msg":"未登录"}'.encode()


@pytest.mark.one_engine
@pytest.mark.parametrize("host", ["chat-web-go.jwzhd.com", "CHAT-WEB-GO.a:8443"])
def test_the_host_chooses_the_surface(wire: WireClient, host: str) -> None:
    """One path has two responses: protobuf in the app, JSON on the web (wire.md 1.1)."""
    token = wire.account().token
    web = wire.request("GET", "/v1/user/info", token=token, headers={"host": host})
    app = wire.request("GET", "/v1/user/info", token=token, headers={"host": "chat-go.a"})
    assert web.headers["content-type"] == "application/json; charset=utf-8"
    assert app.headers["content-type"] == "application/x-protobuf"
