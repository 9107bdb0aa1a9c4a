"""Checks of accounts and what belongs to them (wire.md 3, 4)."""

import json
from collections.abc import Mapping

from hupan.conformance import protobuf as pb
from hupan.conformance.checks import Probe, check
from hupan.conformance.transport_checks import BOUND, UNKNOWN_ID
from hupan.conformance.world import Answer, World, read_answer

_OWN_KINDS = {1: 2, 2: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 1, 9: 0, 10: 0, 11: 0, 12: 2}
_USER_STRINGS, _USER_NUMBERS = (1, 2, 4, 6, 7, 18, 19, 20, 21), (3, 5, *range(8, 18))
_USER_KINDS = dict.fromkeys(_USER_STRINGS, pb.LENGTH) | dict.fromkeys(_USER_NUMBERS, pb.VARINT)
_DATA_KEYS = {
    *("id", "userId", "lastLoginTime", "introduction", "gender", "birthday", "province"),
    *("city", "district", "locationCode", "update_time"),
}
_OLD_BIRTHDAY = -2208988800


def check_types(probe: Probe, where: str, got: object, types: Mapping[str, type]) -> None:
    """Report keys of a JSON object that are absent or of another type."""
    values = got if isinstance(got, dict) else {}
    for name, kind in types.items():
        value = values.get(name)
        fits = type(value) is kind or (kind is float and type(value) is int)
        probe.that(f"{where}{name}", fits, kind.__name__, repr(value))


def _only_status(probe: Probe, answer: Answer) -> None:
    """Report an answer to an edit that is not `{1 status}` with a success."""
    number = pb.number(1, answer.message.message(1).number(1))
    status = number + bytes.fromhex("1001 1a07 73756363657373")
    probe.same("bytes", answer.reply.body, pb.text(1, status))


@check("own-info", "must", "wire.md 3 own info", "本人信息的字段", "the fields of own info")
def _own_info(world: World, probe: Probe) -> None:
    account = world.alice
    data = world.own_info(account.token).pb_data
    wrong = {at: kind for at, kind in data.kinds().items() if _OWN_KINDS.get(at) != kind}
    probe.same("wire types", wrong, {})
    probe.same("phone", data.text(6), account.phone)
    probe.that("name", data.text(2), "a name", "none")
    probe.that("invitation code", data.text(12), "a code", "none")
    numbers = [value for _, _, value in data.fields if isinstance(value, int)]
    probe.that("bound", all(value < BOUND for value in numbers), "below 2^53", numbers)


@check("own-info-vip", "must", "wire.md 3 own info", "金币与会员", "coins and VIP of own info")
def _own_vip(world: World, probe: Probe) -> None:
    account = world.sandbox_account(coins=12.5, vipDays=3)
    data = world.own_info(account.token).pb_data
    probe.same("coin", data.double(8), 12.5)
    probe.same("is_vip", data.number(9), 1)
    probe.that("vip_expired_time", data.number(10) > 0, "a time", data.number(10))
    probe.same("vip_status", data.number(11), 1)
    without = world.own_info(world.alice.token).pb_data
    probe.same("without VIP", (without.number(9), without.number(11)), (0, 0))


@check("get-user", "must", "wire.md 3 get-user", "用户信息的字段", "the fields of get-user")
def _get_user(world: World, probe: Probe) -> None:
    data = world.get_user(world.alice.id).pb_data
    wrong = {at: kind for at, kind in data.kinds().items() if _USER_KINDS.get(at) != kind}
    probe.same("wire types", wrong, {})
    probe.same("id", data.text(1), world.alice.id)
    own = world.own_info(world.alice.token).pb_data
    probe.same("name", data.text(2), own.text(2))
    probe.same("online_day", data.number(11), 1)
    text = world.get_user(world.alice.id).reply.body
    probe.that("private", world.alice.phone.encode() not in text, "no phone number", "the number")


@check("get-user-vip", "must", "wire.md 3 get-user", "会员与勋章", "VIP and medals of get-user")
def _get_user_vip(world: World, probe: Probe) -> None:
    account = world.sandbox_account(vipDays=3, medals=["甲", "乙"])
    data = world.get_user(account.id).pb_data
    probe.same("is_vip", (data.number(13), data.number(15)), (1, 1))
    probe.that("vip_expired_time", data.number(14) > 0, "a time", data.number(14))
    names = [medal.text(2) for medal in data.messages(6)]
    probe.same("medals", sorted(names), ["乙", "甲"])
    answer = world.post("user/medal", None, account.token)
    medals = answer.message.messages(2)
    probe.same("medal: names", sorted(medal.text(2) for medal in medals), ["乙", "甲"])
    sorts = [medal.number(5) for medal in medals]
    probe.same("medal: order", sorts, sorted(sorts))


@check(
    "unknown-user", "must", "wire.md 4 user/get-user", "未知编号没有 data", "an unknown id: no data"
)
def _unknown_user(world: World, probe: Probe) -> None:
    answer = world.get_user(UNKNOWN_ID)
    number = pb.number(1, answer.message.message(1).number(1))
    tail = bytes.fromhex("10b222 1a12 e8afa5e794a8e688b7e4b88de5ad98e59ca8")
    probe.same("bytes", answer.reply.body, pb.text(1, number + tail))


@check("edit-nickname", "must", "wire.md 3 edit-nickname", "昵称为字段 3", "a nickname is field 3")
def _nickname(world: World, probe: Probe) -> None:
    account = world.sign_up()
    _only_status(probe, world.post("user/edit-nickname", pb.text(3, " 湖 畔 "), account.token))
    probe.same("trimmed", world.own_info(account.token).pb_data.text(2), "湖 畔")
    bad = {"33 characters": "湖" * 33, "control": "a\x07b", "direction": "a\u202eb", "empty": "  "}
    for name, text in bad.items():
        probe.code(name, world.post("user/edit-nickname", pb.text(3, text), account.token), 1100)
    probe.code(
        "32 characters", world.post("user/edit-nickname", pb.text(3, "湖" * 32), account.token)
    )
    other = world.post("user/edit-nickname", pb.text(2, "other field"), account.token)
    probe.code("field 2", other, 1100)


@check("edit-avatar", "must", "wire.md 3 edit-avatar", "头像为字段 2", "an avatar is field 2")
def _avatar(world: World, probe: Probe) -> None:
    account, url = world.sign_up(), "https://pictures.example/a.png"
    _only_status(probe, world.post("user/edit-avatar", pb.text(2, url), account.token))
    data = world.own_info(account.token).pb_data
    probe.same("stored", data.text(4), url)
    probe.same("avatar_id", data.number(5), 1)
    for bad in ("javascript:alert(1)", "file:///etc/passwd", f"https://a.example/{'a' * 512}"):
        probe.code(bad[:20], world.post("user/edit-avatar", pb.text(2, bad), account.token), 1100)


@check(
    "personal-data",
    "must",
    "wire.md 4 user/get-user-data",
    "个人资料有十一个键",
    "personal data has eleven keys",
)
def _personal_data(world: World, probe: Probe) -> None:
    account = world.sign_up()
    fresh = world.post("user/get-user-data", None, account.token).data.get("data")
    found = fresh if isinstance(fresh, dict) else {}
    probe.same("keys", set(found), _DATA_KEYS)
    probe.that("null", None not in found.values(), "no null", found)
    first = {
        "introduction": "湖边",
        "gender": 2,
        "birthday": _OLD_BIRTHDAY,
        "locationCode": str(330_500),
    }
    probe.code("save", world.post("user/save-user-data", first, account.token))
    probe.code("save two", world.post("user/save-user-data", {"city": "湖州"}, account.token))
    saved = world.post("user/get-user-data", None, account.token).data.get("data")
    saved = saved if isinstance(saved, dict) else {}
    for name, value in {**first, "city": "湖州"}.items():
        probe.same(name, saved.get(name), value)
    probe.code(
        "short code", world.post("user/save-user-data", {"locationCode": "12"}, account.token), 1100
    )


@check(
    "remarks",
    "must",
    "wire.md 4 user/save-user-remarks",
    "备注只给本人看",
    "remarks are visible to their owner only",
)
def _remarks(world: World, probe: Probe) -> None:
    account, friend = world.alice, world.sign_up()
    others = json.dumps([{"key": "k", "value": "v"}])
    body = {"friendId": friend.id, "name": "老友", "phone": "1", "others": others}
    probe.code("save", world.post("user/save-user-remarks", body, account.token))
    remark = world.get_user(friend.id, account.token).pb_data.message(18)
    probe.same("name", remark.text(1), "老友")
    probe.same("phone", remark.text(2), "1")
    extra = remark.text(3)
    probe.same("others", json.loads(extra) if extra else [], json.loads(others))
    probe.that(
        "stranger", not world.get_user(friend.id).pb_data.message(18).text(1), "none", "some"
    )
    unknown = {**body, "friendId": UNKNOWN_ID}
    probe.code("unknown", world.post("user/save-user-remarks", unknown, account.token), 4402)


@check(
    "notifications",
    "must",
    "wire.md 4 user/notification-info",
    "info 保存，status 读取",
    "info stores, status reads",
)
def _notifications(world: World, probe: Probe) -> None:
    token = world.alice.token
    body = {"deviceId": "n", "registrationId": "r"}
    stored = {**body, "isOpen": 0, "type": 1}
    probe.code("info", world.post("user/notification-info", stored, token))
    answer = world.post("user/notification-status", body, token)
    probe.code("status", answer)
    probe.that(
        "isOpen",
        '"isOpen":0' in answer.reply.body.decode("utf-8", "replace").replace(" ", ""),
        "isOpen 0",
        "another value",
    )


@check(
    "coin-record",
    "must",
    "wire.md 4 gold-coin-increase-decrease-record",
    "金币记录",
    "the coin record",
)
def _coins(world: World, probe: Probe) -> None:
    account = world.sandbox_account(coins=12.5)
    path = "user/gold-coin-increase-decrease-record"
    data = world.post(path, {"size": 10, "page": 1}, account.token).data
    check_types(probe, "", data, {"goldCoinRecord": list, "total": int})
    for entry in _list(data.get("goldCoinRecord")):
        check_types(probe, "entry: ", entry, _COIN_TYPES)
    amounts = [_get(entry, "afterAmount") for entry in _list(data.get("goldCoinRecord"))]
    probe.same("amounts", amounts[:1], [12.5])
    web = _web(world, f"{path}?size=10&page=1", account.token)
    probe.same("web", web.data, data)
    probe.code("no size", world.post(path, {"page": 1}, account.token), 1100)


_AMOUNTS = ("beforeAmount", "afterAmount", "changeAmount")
_COIN_TYPES: dict[str, type] = {
    **dict.fromkeys(("id", "typ", "createTime"), int),
    **dict.fromkeys(("userId", "reason", "remark"), str),
    **dict.fromkeys(_AMOUNTS, float),
}


@check(
    "module-ignore",
    "must",
    "wire.md 4 user/module-ignore",
    "会员隐藏模块",
    "modules that VIP can hide",
)
def _modules(world: World, probe: Probe) -> None:
    account = world.sandbox_account(vipDays=3)
    body = {"deviceId": "m", "ignore": ",30,10"}
    probe.code("save", world.post("user/module-ignore", body, account.token))
    row = world.post("user/module-ignore-info", {"deviceId": "m"}, account.token).data.get("ignore")
    probe.same("saved", _get(row, "ignore"), ",30,10")
    bad = {"deviceId": "m", "ignore": ",40"}
    probe.code("unknown id", world.post("user/module-ignore", bad, account.token), 1100)


@check("invitations", "must", "wire.md 4 user/invite", "邀请", "invitations")
def _invitations(world: World, probe: Probe) -> None:
    account = world.sign_up()
    progress = world.post("user/invite/invite-progress", None, account.token).data
    names = ("currentNumberDay", "currentNumberTotal", "targetNumberDay", "targetNumberTotal")
    check_types(probe, "", progress, dict.fromkeys(names, int))
    code = f"L{account.id}"
    body = {"code": code}
    probe.code("change", world.post("user/invite/change-user-invite-code", body, account.token))
    probe.same("own info", world.own_info(account.token).pb_data.text(12), code)
    taken = world.post("user/invite/change-user-invite-code", body, world.alice.token)
    probe.refused("taken", taken)


@check("discovery", "must", "wire.md 4 user/recommend", "发现群聊与机器人", "groups and bots")
def _discovery(world: World, probe: Probe) -> None:
    token = world.alice.token
    categories = world.post("user/recommend-category-list", {"appChannel": ""}, token).data
    check_types(probe, "", categories, {"categories": list})
    page = {"category": "", "keyword": "", "size": 100, "page": 1}
    groups = world.post("user/recommend-list", page, token).data
    check_types(probe, "", groups, {"groupList": list})
    types = {"chatId": str, "banId": int, "headcount": int, "createTime": int, "nickname": str}
    for group in _list(groups.get("groupList")):
        check_types(probe, "group: ", group, types)
    bots = world.post("user/recommend", None, token).data
    check_types(probe, "", bots, {"botList": list})
    for bot in _list(bots.get("botList")):
        check_types(probe, "bot: ", bot, {"chatType": str, "headcount": str, "isAdd": int})
    bad = world.post("user/recommend-list", {**page, "size": 101}, token)
    probe.code("size 101", bad, 1100)


@check("adverts", "must", "wire.md 4 user/get-user-show-adv", "广告设置", "advertisements")
def _adverts(world: World, probe: Probe) -> None:
    data = world.post("user/get-user-show-adv", None, world.alice.token).data
    types = {"androidCodeId": str, "bottomHeight": int, "iosCodeId": str, "isShow": int}
    check_types(probe, "", data, types)


@check(
    "web-homepage", "must", "wire.md 4 web user/homepage", "网页主页", "the homepage in the web API"
)
def _homepage(world: World, probe: Probe) -> None:
    user = _web(world, f"user/homepage?userId={world.alice.id}").data.get("user")
    types = {"userId": str, "nickname": str, "avatarUrl": str, "registerTime": int}
    more = {"registerTimeText": str, "onLineDay": int, "continuousOnLineDay": int}
    check_types(probe, "", user, {**types, **more, "medals": list, "isVip": int})
    probe.same("id", _get(user, "userId"), world.alice.id)
    unknown = _web(world, f"user/homepage?userId={UNKNOWN_ID}")
    probe.code("unknown", unknown)
    found = unknown.data.get("user")
    probe.same("unknown: empty", (_get(found, "nickname"), _get(found, "registerTime")), ("", 0))


@check("web-info", "must", "wire.md 4 web user/info", "网页本人信息", "own info in the web API")
def _web_info(world: World, probe: Probe) -> None:
    user = _web(world, "user/info", world.alice.token).data.get("user")
    types = {"userId": str, "nickname": str, "phone": str, "avatarId": str, "avatarUrl": str}
    check_types(probe, "", user, {**types, "goldCoinAmount": float})
    probe.same("phone", _get(user, "phone"), world.alice.phone)


def _web(world: World, path: str, token: str | None = None) -> Answer:
    headers = {} if token is None else {"token": token}
    return read_answer(world.wire.send("GET", f"/web/v1/{path}", None, headers))


def _get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
