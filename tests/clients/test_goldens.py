"""What the client sends and reads, as literal bytes that never pass through the contract."""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import pytest
from hupan_client import AsyncClient, UnreadableAnswer, messages
from hupan_client.errors import (
    Banned,
    BodyTooLarge,
    InvalidField,
    NotSignedIn,
    PasswordTooShort,
    PriceChanged,
    Refusal,
    UnknownUser,
    UnreadableBody,
)

from tests.support.both_clients import KINDS, Handler, Kind, make_client

URL = "http://127.0.0.1:8480"
TOKEN = "0f0e0d0c-0b0a-4908-8706-050403020100"
JSON, PROTOBUF = "application/json; charset=utf-8", "application/x-protobuf"
STATUS = "0a0d 0805 1001 1a07 73756363657373"  # number 5, code 1, success
Use = Callable[[AsyncClient], Awaitable[object]]


class Golden(NamedTuple):
    """A request, its response, and what the client reads from it."""

    use: Use
    request: str
    body: str
    answer: str
    result: object


def answering(body: bytes, content_type: str, status: int = 200) -> Handler:
    """Start a server with one response."""
    headers = {"content-type": content_type, "x-request-id": "5", "x-result": "refused"}
    return lambda _request: httpx.Response(status, headers=headers, content=body)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return which of the two clients a test uses."""
    kind: Kind = request.param
    return kind


PROTOBUF_GOLDENS = {
    "own info": Golden(
        lambda client: client.get_own_info(),
        "GET /v1/user/info",
        "",
        f"{STATUS} 1246 0a07 31303030303031 1206 e6b996e79594 1801 2202 6875 2803 320b"
        "3133383030313338303030 3a05 6140622e63 41 0000000000c05e40 4801 50 80a8d6b907 5801"
        "6204 4c414b45",
        messages.OwnInfo(
            id="1000001",
            name="湖畔",
            avatar_url="hu",
            avatar_id=3,
            phone="13800138000",
            email="a@b.c",
            coin=123.0,
            is_vip=1,
            vip_expired_time=2_000_000_000,
            vip_status=1,
            invitation_code="LAKE",
        ),
    ),
    "get-user": Golden(
        lambda client: client.get_user("1000001"),
        "POST /v1/user/get-user",
        "1207 31303030303031",
        f"{STATUS} 125b 0a07 31303030303031 1206 e6b996e79594 1802 3207 0801 1201 41 2805"
        "3204 0802 2801 3a13 323033332d30352d31382031313a33333a3230 5807 6003 7802"
        "920105 0a03 e58f8b 9a0107 1802 2a03 e69dad a20106 e4b8ade59bbd f80601",
        messages.User(
            id="1000001",
            name="湖畔",
            name_id=2,
            medal=(messages.Medal(1, "A", 5), messages.Medal(2, "", 1)),
            register_time="2033-05-18 11:33:20",
            online_day=7,
            continuous_online_day=3,
            vip_status=2,
            remark_info=messages.RemarkInfo("友"),
            profile_info=messages.ProfileInfo(gender=2, city="杭"),
            ip_geo="中国",
        ),
    ),
    "medal": Golden(
        lambda client: client.list_own_medals(),
        "POST /v1/user/medal",
        "",
        f"{STATUS} 1207 0801 1201 41 2805 1202 0802",
        (messages.Medal(1, "A", 5), messages.Medal(2, "", 0)),
    ),
    "edit-nickname": Golden(
        lambda client: client.edit_nickname("湖"),
        "POST /v1/user/edit-nickname",
        "1a03 e6b996",
        STATUS,
        None,
    ),
    "edit-avatar": Golden(
        lambda client: client.edit_avatar("http://a/b"),
        "POST /v1/user/edit-avatar",
        "120a 687474703a2f2f612f62",
        STATUS,
        None,
    ),
    "clients": Golden(
        lambda client: client.list_devices(),
        "GET /v1/user/clients",
        "",
        f"{STATUS} 1211 0a01 31 1a03 77696e 2201 64 28 80a8d6b907",
        (messages.Device("1", "win", "d", 2_000_000_000),),
    ),
    "conversation/list": Golden(
        lambda client: client.list_conversations("ab"),
        "POST /v1/conversation/list",
        "1202 6162",
        f"{STATUS} 1202 0801 1800 2202 6364",
        messages.Conversations((b"\x08\x01",), 0, "cd"),
    ),
    "address-book-list": Golden(
        lambda client: client.list_contacts(),
        "POST /v1/friend/address-book-list",
        "",
        f"{STATUS} 120a 0a06 e794a8e688b7 1801 1a02 6364",
        messages.Contacts((messages.ContactGroup("用户", (), 1),), "cd"),
    ),
    "request-list": Golden(
        lambda client: client.list_friend_requests(),
        "POST /v1/friend/request-list",
        "",
        f"{STATUS} 1801 2002",
        messages.FriendRequests((), 1, 2),
    ),
}
JSON_GOLDENS = {
    "captcha": Golden(
        lambda client: client.create_captcha(),
        "POST /v1/user/captcha",
        "",
        '{"b64s": "data:image/png;base64,AA==", "id": "c", "new": [1]}',
        messages.Captcha("data:image/png;base64,AA==", "c"),
    ),
    "get-verification-code": Golden(
        lambda client: client.send_sms_code("13800138000", "c", "2345"),
        "POST /v1/verification/get-verification-code",
        '{"mobile": "13800138000", "id": "c", "code": "2345"}',
        "",
        None,
    ),
    "slide": Golden(
        lambda client: client.send_sms_code("13800138000", "c", x=12.5),
        "POST /v1/verification/get-verification-code",
        '{"mobile": "13800138000", "id": "c", "captcha_type": "slide", "x": 12.5}',
        "",
        None,
    ),
    "get-email-verification-code": Golden(
        lambda client: client.send_email_code("a@b.c", "c", "2345", typ="forget_password"),
        "POST /v1/verification/get-email-verification-code",
        '{"email": "a@b.c", "id": "c", "code": "2345", "typ": "forget_password"}',
        "",
        None,
    ),
    "verification-login": Golden(
        lambda client: client.code_login("1", "123456", device_id="d", platform="linux"),
        "POST /v1/user/verification-login",
        '{"mobile": "1", "captcha": "123456", "deviceId": "d", "platform": "linux"}',
        f'{{"token": "{TOKEN}"}}',
        messages.LoginToken(TOKEN),
    ),
    "email-login": Golden(
        lambda client: client.email_login("a@b.c", "secret"),
        "POST /v1/user/email-login",
        '{"email": "a@b.c", "password": "secret"}',
        f'{{"token": "{TOKEN}"}}',
        messages.LoginToken(TOKEN),
    ),
    "save-user-data": Golden(
        lambda client: client.save_personal_data(gender=0, birthday=-1, location_code=""),
        "POST /v1/user/save-user-data",
        '{"gender": 0, "birthday": -1, "locationCode": ""}',
        "",
        None,
    ),
    "bing-phone": Golden(
        lambda client: client.bind_phone("1", "123456"),
        "POST /v1/user/bing-phone",
        '{"phone": "1", "captcha": "123456"}',
        "",
        None,
    ),
    "forget-password": Golden(
        lambda client: client.reset_password("a@b.c", "123456", "p"),
        "POST /v1/user/forget-password",
        '{"email": "a@b.c", "captcha": "123456", "password": "p"}',
        "",
        None,
    ),
    "coin record": Golden(
        lambda client: client.web_list_coin_record(2, 5),
        "GET /web/v1/user/gold-coin-increase-decrease-record?size=5&page=2",
        "",
        '{"goldCoinRecord": [{"id": 1, "userId": "7", "typ": 2, "beforeAmount": 0, '
        '"afterAmount": 0.1, "changeAmount": 0.1, "reason": "r", "remark": "", '
        '"createTime": 9}], "total": 6}',
        messages.CoinRecordPage(
            (
                messages.CoinRecordEntry(
                    1, "7", 2, Decimal(0), Decimal("0.1"), Decimal("0.1"), "r", "", 9
                ),
            ),
            6,
        ),
    ),
    "homepage": Golden(
        lambda client: client.web_get_homepage("湖&x=1"),
        "GET /web/v1/user/homepage?userId=%E6%B9%96%26x%3D1",
        "",
        '{"user": {"userId": "", "nickname": "", "avatarUrl": "", "registerTime": 0}}',
        messages.HomepageUser(),
    ),
    "recommend": Golden(
        lambda client: client.list_bots(),
        "POST /v1/user/recommend",
        "",
        '{"botList": [{"chatId": "10000001", "chatType": "3", "headcount": "7", "nickname": "b", '
        '"introduction": "", "introductions": "", "avatarUrl": "", "isAdd": 1, "isApply": 0, '
        '"alwaysAgree": 0}]}',
        (messages.ListedBot("10000001", "3", "7", "b", "", "", "", 1, 0, 0),),
    ),
    "home-search": Golden(
        lambda client: client.home_search("湖"),
        "POST /v1/search/home-search",
        '{"word": "湖"}',
        '{"list": [{"title": "用户", "list": null}, {"title": "群组", "list": [{"friendId": "1", '
        '"friendType": 2, "nickname": "n", "name": "n", "avatarUrl": "", "hit": "湖"}]}]}',
        (
            messages.SearchHits("用户", None),
            messages.SearchHits("群组", (messages.SearchHit("1", 2, "n", "n", "", "湖"),)),
        ),
    ),
    "misc/setting": Golden(
        lambda client: client.get_upload_sizes(),
        "GET /v1/misc/setting",
        "",
        '{"fileSizeLimitNormal": 1, "fileeSizeLimitVip": 2, "imageSizeLimitNormal": 3, '
        '"imageSizeLimitVip": 4, "videoSizeLimitNormal": 5, "videoSizeLimitVip": 6}',
        messages.UploadSizes(1, 2, 3, 4, 5, 6),
    ),
    "user data": Golden(
        lambda client: client.get_personal_data(),
        "POST /v1/user/get-user-data",
        "",
        '{"data": {"id": 7, "userId": "7", "lastLoginTime": 1, "introduction": "", "gender": 0, '
        '"birthday": -5, "province": "", "city": "", "district": "", "locationCode": "", '
        '"update_time": 3}}',
        messages.PersonalData(7, "7", 1, "", 0, -5, "", "", "", "", 3),
    ),
    "order-create": Golden(
        lambda client: client.create_order(7, 12),
        "POST /v1/coin/shop/order-create",
        '{"productId": 7, "price": 12}',
        '{"id": 3}',
        3,
    ),
}


async def played(golden: Golden, kind: Kind, answer: bytes, content_type: str) -> httpx.Request:
    """Play a golden and return the request that was sent."""
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return answering(answer, content_type)(request)

    async with make_client(kind, URL, handler, token=TOKEN) as client:
        assert await golden.use(client) == golden.result
    (request,) = sent
    assert f"{request.method} {request.url.raw_path.decode()}" == golden.request
    return request


@pytest.mark.parametrize("name", PROTOBUF_GOLDENS)
async def test_protobuf(kind: Kind, name: str) -> None:
    """Request and response have the field numbers of wire.md 3."""
    golden = PROTOBUF_GOLDENS[name]
    request = await played(golden, kind, bytes.fromhex(golden.answer), PROTOBUF)
    assert request.content == bytes.fromhex(golden.body)
    assert request.headers["token"] == TOKEN
    if request.method == "POST":
        assert request.headers["content-type"] == PROTOBUF


@pytest.mark.parametrize("name", JSON_GOLDENS)
async def test_json(kind: Kind, name: str) -> None:
    """Keys are those of wire.md 4; an unknown key is ignored."""
    golden = JSON_GOLDENS[name]
    data = f', "data": {golden.answer}' if golden.answer else ""
    answer = f'{{"code": 1, "msg": "success"{data}}}'.encode()
    request = await played(golden, kind, answer, JSON)
    assert (json.loads(request.content) if request.content else "") == (
        json.loads(golden.body) if golden.body else ""
    )


async def test_the_token_stays_home(kind: Kind) -> None:
    """A login does not send the token of another session (wire.md 7)."""
    golden = JSON_GOLDENS["email-login"]
    answer = f'{{"code": 1, "msg": "success", "data": {golden.answer}}}'.encode()
    request = await played(golden, kind, answer, JSON)
    assert "token" not in request.headers
    assert "authorization" not in request.headers


UPLOAD_ANSWERS = {
    "/v1/misc/qiniu-token": {"code": 1, "msg": "success", "data": {"token": "a:b:c"}},
    "/media/upload": {"key": "k/1.png", "hash": "h", "fsize": 3},
    "/v1/misc/configure-distribution": {
        "code": 1,
        "msg": "success",
        "data": {
            **dict.fromkeys(["audioUrl", "fileUrl", "serverUrl", "shareUrl", "videoUrl"], ""),
            "imageUrl": "https://chat.example/media/",
            "websocketUrl": "",
        },
    },
}


async def test_uploads(kind: Kind) -> None:
    """An upload is a form of token, key and file, without the session's token (wire.md 8.4)."""
    sent: dict[str, httpx.Request] = {}

    def handler(request: httpx.Request) -> httpx.Response:
        sent[request.url.path] = request
        return httpx.Response(200, json=UPLOAD_ANSWERS[request.url.path])

    async with make_client(kind, URL, handler, token=TOKEN) as client:
        address = await client.upload_picture(b"\xff\r\n", "k/1.png")
    assert address == "https://chat.example/media/k/1.png"
    request = sent["/media/upload"]
    assert "token" not in request.headers
    kind_of_body, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert (request.method, kind_of_body, boundary != "") == ("POST", "multipart/form-data", True)
    named = "content-disposition: form-data; name="
    expected = (
        f'--{boundary}\r\n{named}"token"\r\n\r\na:b:c\r\n'
        f'--{boundary}\r\n{named}"key"\r\n\r\nk/1.png\r\n'
        f'--{boundary}\r\n{named}"file"; filename="picture"\r\n'
        "content-type: application/octet-stream\r\n\r\n"
    )
    assert request.content == expected.encode() + b"\xff\r\n" + f"\r\n--{boundary}--\r\n".encode()


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"error": 1}', b'{"key": 1}', b"[" * 5000])
@pytest.mark.parametrize("status", [200, 401])
async def test_an_upload_that_is_not_answered(kind: Kind, body: bytes, status: int) -> None:
    """A response that is neither success nor error of an upload host is unreadable."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/media/upload":
            return httpx.Response(status, content=body)
        return httpx.Response(200, json=UPLOAD_ANSWERS[request.url.path])

    async with make_client(kind, URL, handler, token=TOKEN) as client:
        with pytest.raises(UnreadableAnswer) as unreadable:
            await client.upload_picture(b"x", "k")
    assert unreadable.value.http_status == status


REFUSALS: list[tuple[Any, int, str, dict[str, object]]] = [
    (NotSignedIn, -101, "未登录", {"en": "Not signed in"}),
    (InvalidField, 1100, "请求参数错误，`size`字段值非法", {"field": "size"}),
    (InvalidField, 1100, "请求参数错误，size字段值非法", {"field": "size"}),
    (
        InvalidField,
        1100,
        "Bad request: the value of size is not valid",
        {"field": "size", "zh": "请求参数错误，size字段值非法"},
    ),
    (
        UnreadableBody,
        1100,
        "请求参数错误，请求体无法解析",
        {"en": "Bad request: the body cannot be read"},
    ),
    (UnknownUser, 4402, "该用户不存在", {"en": "This user does not exist"}),
    (Banned, 7100, "因违反相关规定，该用户被封禁", {}),
    (PasswordTooShort, 1408, "密码太短，至少需要 15 个字符", {"min_characters": 15}),
    (PriceChanged, 1513, "The price is now 12 coins, refresh and try again", {"price": 12}),
    (PriceChanged, 1513, "涨价了", {"price": 0, "zh": "涨价了", "en": "涨价了"}),
    (Refusal, 777, "新的", {"zh": "新的", "en": "新的", "code": 777}),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: str(case[2]))
async def test_refusals(kind: Kind, case: tuple[Any, int, str, dict[str, object]]) -> None:
    """A refusal has its class, both texts, and what the text names, in JSON and in protobuf."""
    refusal_type, code, text, expected = case
    encoded = text.encode()
    status = b"\x08\x05\x10" + varint(code) + b"\x1a" + varint(len(encoded)) + encoded
    answers = [
        (json.dumps({"code": code, "msg": text}).encode(), JSON),
        (b"\x0a" + varint(len(status)) + status, PROTOBUF),
    ]
    for body, content_type in answers:
        async with make_client(kind, URL, answering(body, content_type)) as client:
            with pytest.raises(Refusal) as refused:
                await client.get_own_info()
        refusal = refused.value
        assert type(refusal) is refusal_type
        assert (refusal.code, refusal.message, refusal.request_id) == (code, text, 5)
        assert (str(refusal), refusal.result) == (f"{text} ({code})", "refused")
        for name, value in expected.items():
            assert getattr(refusal, name) == value


def varint(value: int) -> bytes:
    """Return a number in protobuf's encoding; a negative one has ten bytes."""
    value &= 2**64 - 1
    encoded = b""
    while value > 127:
        encoded += bytes([value % 128 + 128])
        value //= 128
    return encoded + bytes([value])


UNREADABLE = {
    "a page": (b"<html>", "text/html", 200),
    "nothing": (b"", JSON, 200),
    "cut JSON": (b'{"code": 1, "msg": "s', JSON, 200),
    "no code": (b'{"msg": "s"}', JSON, 200),
    "a list": (b"[]", JSON, 200),
    "no JSON at all": (b"\xff\xfe", JSON, 200),
    "deep": (b'{"code": 1, "data": ' + b"[" * 5000, JSON, 200),
    "the other form": (b'{"code": 1, "msg": "success", "data": {}}', JSON, 200),
    "no status": (bytes.fromhex("1202 0a00"), PROTOBUF, 200),
    "no data": (bytes.fromhex(STATUS), PROTOBUF, 200),
    "cut": (bytes.fromhex(f"{STATUS} 1205 0a01"), PROTOBUF, 200),
    "a text that is not UTF-8": (bytes.fromhex(f"{STATUS} 1203 0a01 ff"), PROTOBUF, 200),
    "a number for a text": (bytes.fromhex(f"{STATUS} 1202 0801"), PROTOBUF, 200),
    "a group": (bytes.fromhex(f"{STATUS} 1201 0b"), PROTOBUF, 200),
    "an endless number": (bytes.fromhex(f"{STATUS} 28 ffffffffffffffffffff01"), PROTOBUF, 200),
    "field 0": (bytes.fromhex(f"{STATUS} 0001"), PROTOBUF, 200),
    "success that is none": (bytes.fromhex(f"{STATUS} 1200"), PROTOBUF, 500),
    "a redirect": (b"", "", 302),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_is_no_answer(kind: Kind, name: str) -> None:
    """Any other response of a server, a proxy or a fault is one separate error."""
    body, content_type, status = UNREADABLE[name]
    async with make_client(kind, URL, answering(body, content_type, status)) as client:
        with pytest.raises(UnreadableAnswer) as unreadable:
            await client.get_own_info()
    assert unreadable.value.http_status == status


@pytest.mark.parametrize("data", ["", "{}", "null", '{"token": 1}', '{"token": "a\\r\\nb: c"}'])
async def test_a_login_without_token(kind: Kind, data: str) -> None:
    """A malformed token is not kept, least of all one that would add a header."""
    key = f', "data": {data}' if data else ""
    body = f'{{"code": 1, "msg": "success"{key}}}'.encode()
    async with make_client(kind, URL, answering(body, JSON)) as client:
        with pytest.raises(UnreadableAnswer):
            await client.email_login("a@b.c", "p")
        assert client.token == ""


async def test_other_statuses(kind: Kind) -> None:
    """A refusal with another HTTP status is a refusal (wire.md 1.5)."""
    body = '{"code": 1113, "msg": "请求体过大"}'.encode()
    async with make_client(kind, URL, answering(body, JSON, 413)) as client:
        with pytest.raises(BodyTooLarge) as refused:
            await client.get_own_info()
    assert refused.value.http_status == 413


async def test_an_answer_without_end(kind: Kind) -> None:
    """The client reads no more than the contract's largest response."""
    body = b'{"code": 1, "msg": "' + b"x" * 9_000_000
    async with make_client(kind, URL, answering(body, JSON)) as client:
        with pytest.raises(UnreadableAnswer, match="too large"):
            await client.get_own_info()


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8480", "ftp://a", "http://", "http://u:p@a", "http://a?b"]
)
def test_what_is_no_url(url: str) -> None:
    """An invalid URL is refused at once, not with the first request."""
    with pytest.raises(ValueError, match="the url must"):
        make_client("sync", url)


@pytest.mark.parametrize("token", ["a b", "a\r\nb: c", "令牌", "\x00"])
def test_what_is_no_token(token: str) -> None:
    """An invalid token is refused: it would become another header, or none."""
    with pytest.raises(ValueError, match="a token has no blanks"):
        make_client("sync", URL, token=token)
