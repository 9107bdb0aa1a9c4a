"""Discovery of groups and bots (wire.md 4 recommend-category-list, recommend-list, recommend).

Discovery over HTTP, on lists imported by command while the server runs (wire.md 4).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.answers import refused_field
from tests.support.client import WireClient
from tests.support.commands import run_hupan
from tests.support.json_shapes import check_shape, data_of, parts, reply_to, text, whole_number
from tests.support.seeding import seed
from tests.support.servers import Server
from tests.support.stores import STORES, EngineName

pytestmark = pytest.mark.slow

CATEGORIES = "user/recommend-category-list"
GROUPS = "user/recommend-list"
BOTS = "user/recommend"
GROUP = {
    "chatId": str,
    "banId": int,
    "nickname": str,
    "introduction": str,
    "avatarUrl": str,
    "headcount": int,
    "createTime": int,
}
BOT = {
    "chatId": str,
    "chatType": str,
    "headcount": str,
    "nickname": str,
    "introduction": str,
    "introductions": str,
    "avatarUrl": str,
    "isAdd": int,
    "isApply": int,
    "alwaysAgree": int,
}
Groups = list[dict[str, object]]


@pytest.fixture(scope="module")
def seeded(engine: EngineName) -> Iterator[WireClient]:
    """Yield a sandbox with the pack `discovery`, for this file only."""
    del engine  # the other engine has a separate server
    with Server("sandbox") as server, WireClient(server) as wire:
        seed(wire, "discovery", 50)
        yield wire


@pytest.fixture(scope="module")
def token(seeded: WireClient) -> str:
    """Return a member's token."""
    return seeded.account().token


def categories(wire: WireClient, token: str) -> list[str]:
    """Return the categories."""
    reply = reply_to(wire, CATEGORIES, {"appChannel": "default"}, token=token)
    value = data_of(reply, "categories")["categories"]
    assert isinstance(value, list)
    return [text(name) for name in value]


def groups(wire: WireClient, token: str, **wish: object) -> Groups:
    """Return the groups of one page."""
    body = {"category": "", "keyword": "", "size": 100, "page": 1, **wish}
    found = parts(data_of(reply_to(wire, GROUPS, body, token=token), "groupList"), "groupList")
    for group in found:
        check_shape(group, GROUP)
    return found


def full_category(wire: WireClient, token: str) -> tuple[str, Groups]:
    """Return the category with the most groups."""
    each = [(name, groups(wire, token, category=name)) for name in categories(wire, token)]
    return max(each, key=lambda pair: len(pair[1]))


def test_empty_server_has_lists(own_wire: WireClient) -> None:
    """Without groups the lists are empty, not missing (wire.md 4)."""
    token = own_wire.account().token
    assert isinstance(categories(own_wire, token), list)
    assert groups(own_wire, token, category="精选", size=30) == []
    assert parts(data_of(reply_to(own_wire, BOTS, token=token), "botList"), "botList") == []


def test_categories_are_names(seeded: WireClient, token: str) -> None:
    """The categories are distinct texts (wire.md 4)."""
    names = categories(seeded, token)
    assert names
    assert all(names)
    assert len(set(names)) == len(names)


@pytest.mark.one_engine
@pytest.mark.parametrize("channel", ["default", "", "huawei"])
def test_any_channel(seeded: WireClient, token: str, channel: str) -> None:
    """`appChannel` is any text (wire.md 4)."""
    assert seeded.post(CATEGORIES, {"appChannel": channel}, token=token).code == 1


def test_groups_of_a_category(seeded: WireClient, token: str) -> None:
    """Groups have the contract's keys and are sorted by headcount, descending (wire.md 4)."""
    _, found = full_category(seeded, token)
    assert found
    sizes = [whole_number(group["headcount"]) for group in found]
    assert sizes == sorted(sizes, reverse=True)
    assert all(len(text(g["chatId"])) == 9 and text(g["chatId"]).isdecimal() for g in found)
    assert len({group["chatId"] for group in found}) == len(found)
    assert all(whole_number(group["createTime"]) < 2**53 for group in found)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_pages_are_the_whole(seeded: WireClient, token: str, size: int) -> None:
    """The pages have every group once (wire.md 4)."""
    name, found = full_category(seeded, token)
    wanted = found[:30] if size < 100 else found
    pages = range(1, -(-len(wanted) // size) + 1)
    paged = [groups(seeded, token, category=name, size=size, page=page) for page in pages]
    assert all(len(page) <= size for page in paged)
    assert [group for page in paged for group in page][: len(wanted)] == wanted
    assert groups(seeded, token, category=name, page=10_000) == []


def test_exact_id_finds_its_group(seeded: WireClient, token: str) -> None:
    """The exact id finds the group; a part of it does not (wire.md 4)."""
    name, found = full_category(seeded, token)
    for group in found[:5]:
        chat_id = text(group["chatId"])
        assert group in groups(seeded, token, category=name, keyword=chat_id)
        parted = groups(seeded, token, category=name, keyword=chat_id[:-1])
        assert all(says(hit, chat_id[:-1]) for hit in parted)


def says(group: dict[str, object], keyword: str) -> bool:
    """Return whether a keyword matches name, introduction or exact id."""
    texts = (text(group["nickname"]), text(group["introduction"]))
    return group["chatId"] == keyword or any(keyword.lower() in told.lower() for told in texts)


@pytest.mark.parametrize("key", ["nickname", "introduction"])
def test_keyword_finds_inside_texts(seeded: WireClient, token: str, key: str) -> None:
    """A keyword matches inside names and introductions, with two Chinese characters (wire.md 4)."""
    name, found = full_category(seeded, token)
    tried = [group for group in found if len(text(group[key])) >= 3]
    assert tried
    for group in tried[:5]:
        for keyword in {text(group[key])[:2], text(group[key])[-3:]}:
            if keyword != keyword.strip():
                continue
            hits = groups(seeded, token, category=name, keyword=keyword)
            assert all(says(hit, keyword) for hit in hits), keyword
            assert group in hits or len(hits) == 100, keyword


@pytest.mark.parametrize("keyword", ["%", "_", "\\", "' or 1=1 --", '"', "*", "a OR b", "%%", "__"])
def test_keyword_is_plain_text(seeded: WireClient, token: str, keyword: str) -> None:
    """No character of a keyword has a special meaning (security I8)."""
    name, _ = full_category(seeded, token)
    for category in (name, keyword):
        hits = groups(seeded, token, category=category, keyword=keyword)
        assert all(says(hit, keyword) for hit in hits)


def test_unfound_is_an_empty_list(seeded: WireClient, token: str) -> None:
    """A keyword without a match returns an empty list (wire.md 4)."""
    name, _ = full_category(seeded, token)
    assert groups(seeded, token, category=name, keyword="\u9f98\u9f98\u9f98") == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"extra": [1]}'])
def test_bots(seeded: WireClient, token: str, body: bytes) -> None:
    """A bot's chatType and headcount are strings, its flags numbers (wire.md 4)."""
    found = parts(data_of(reply_to(seeded, BOTS, body, token=token), "botList"), "botList")
    assert found
    for bot in found:
        check_shape(bot, BOT)
        assert bot["chatType"] == "3"
        assert bot["introductions"] == ""
        assert text(bot["headcount"]).isdecimal()
        assert text(bot["chatId"]).isdecimal()
        assert len(text(bot["chatId"])) == 8
        assert {bot["isAdd"], bot["isApply"], bot["alwaysAgree"]} <= {0, 1}


CATEGORY_LIST, GROUP_LIST, BOT_LIST = (
    "user/recommend-category-list",
    "user/recommend-list",
    "user/recommend",
)
ALL = {"category": "", "keyword": "", "size": 30, "page": 1}
GROUP_ROWS = """\
chatId,banId,nickname,introduction,avatarUrl,headcount,createTime,category,featured
100000002,0,西湖交流群,"说 ""你好"" 的地方",https://img.example/a.png,123,1731231230,地区,1
100000001,7,东湖,,,123,0,,
999999999,0,Lake ＣＬＵＢ,西湖边,,5,1,游戏,0
"""
BOT_ROWS = """\
{"chatId": 12345678, "nickname": "签到", "introduction": "每天", "headcount": 9}
{"chatId": "87654321", "chatType": "3", "headcount": "1234", "nickname": "天气", "isAdd": 0,\
 "introductions": "", "avatarUrl": "https://img.example/b.png", "isApply": 1, "alwaysAgree": 1}
"""
WEST = (
    '{"chatId":"100000002","banId":0,"nickname":"西湖交流群",'
    '"introduction":"说 \\"你好\\" 的地方","avatarUrl":"https://img.example/a.png",'
    '"headcount":123,"createTime":1731231230}'
)
EAST = (
    '{"chatId":"100000001","banId":7,"nickname":"东湖","introduction":"","avatarUrl":"",'
    '"headcount":123,"createTime":0}'
)
LAKE = (
    '{"chatId":"999999999","banId":0,"nickname":"Lake ＣＬＵＢ","introduction":"西湖边",'
    '"avatarUrl":"","headcount":5,"createTime":1}'
)
BOTS_GOLDEN = (
    '{"code":1,"data":{"botList":['
    '{"chatId":"87654321","chatType":"3","headcount":"1234","nickname":"天气","introduction":"",'
    '"introductions":"","avatarUrl":"https://img.example/b.png","isAdd":0,"isApply":1,'
    '"alwaysAgree":1},'
    '{"chatId":"12345678","chatType":"3","headcount":"9","nickname":"签到","introduction":"每天",'
    '"introductions":"","avatarUrl":"","isAdd":1,"isApply":0,"alwaysAgree":0}'
    ']},"msg":"success"}'
)


def hupan(folder: Path, *arguments: str, rows: str = "") -> None:
    """Run a command on the server's data, as an operator would."""
    command = (*arguments, "--data-dir", str(folder))
    done = run_hupan(*command, environment=STORES.environment(folder), entered=rows)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def imported(engine: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireClient]:
    """Yield a running server with three groups and two bots."""
    del engine  # the other engine has a separate server
    folder = tmp_path_factory.mktemp("lake")
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as wire:
        hupan(folder, "group", "import", "-", "--format", "csv", rows=GROUP_ROWS)
        hupan(folder, "bot", "import", "-", "--format", "jsonl", rows=BOT_ROWS)
        yield wire
        assert server.is_running


@pytest.fixture(scope="module")
def imported_token(imported: WireClient) -> str:
    """Return a member's token."""
    return imported.account().token


def test_categories_of_the_reference(imported: WireClient, imported_token: str) -> None:
    """The response has the default categories, byte for byte, until an operator sets others."""
    reply = imported.request(
        "POST", f"/v1/{CATEGORY_LIST}", {"appChannel": "default"}, token=imported_token
    )
    assert reply.content.decode() == (
        '{"code":1,"data":{"categories":["精选","粉丝群","地区","IT/互联网","玩机","游戏",'
        '"资讯订阅"]},"msg":"success"}'
    )


@pytest.mark.parametrize(
    ("wish", "groups"),
    [
        ({}, [EAST, WEST, LAKE]),
        ({"size": 1, "page": 2}, [WEST]),
        ({"size": 2, "page": 2}, [LAKE]),
        ({"size": 100, "page": 10_000}, []),
        ({"category": "精选"}, [WEST]),
        ({"category": "游戏"}, [LAKE]),
        ({"category": "玩机"}, []),
        ({"keyword": "西湖"}, [WEST, LAKE]),
        ({"keyword": "西湖", "category": "地区"}, [WEST]),
        ({"keyword": "湖"}, [EAST, WEST, LAKE]),
        ({"keyword": "club"}, [LAKE]),
        ({"keyword": "湖交流"}, [WEST]),
        ({"keyword": "999999999"}, [LAKE]),
        ({"keyword": "999999999", "category": "地区"}, []),
        ({"keyword": "99999999"}, []),
        ({"keyword": "湖" * 32}, []),
    ],
)
def test_groups(
    imported: WireClient, imported_token: str, wish: dict[str, object], groups: list[str]
) -> None:
    """Each request equals its golden: by headcount, then id, never null."""
    reply = imported.request("POST", f"/v1/{GROUP_LIST}", {**ALL, **wish}, token=imported_token)
    golden = '{"code":1,"data":{"groupList":[%s]},"msg":"success"}'
    assert reply.content.decode() == golden % ",".join(groups)


@pytest.mark.parametrize("body", [b"", b"{}", b"nonsense"])
def test_imported_bots(imported: WireClient, imported_token: str, body: bytes) -> None:
    """The response equals the golden; without a documented body any is accepted (wire.md 1.4)."""
    reply = imported.request("POST", f"/v1/{BOT_LIST}", body, token=imported_token)
    assert reply.content.decode() == BOTS_GOLDEN


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("category", None),
        ("category", 1),
        ("category", "x" * 65),
        ("keyword", None),
        ("keyword", ["湖"]),
        ("keyword", "湖" * 33),
        ("keyword", "湖\u0000"),
        ("size", 0),
        ("size", 101),
        ("size", "30"),
        ("size", 30.5),
        ("size", -1),
        ("size", 2**63),
        ("page", 0),
        ("page", 10_001),
        ("page", None),
        ("page", True),
    ],
)
def test_bad_fields_are_named(
    imported: WireClient, imported_token: str, field: str, value: object
) -> None:
    """A wrong value gets 1100 with its name (wire.md 2, security I5, I8)."""
    assert (
        refused_field(imported.post(GROUP_LIST, {**ALL, field: value}, token=imported_token))
        == field
    )


@pytest.mark.one_engine
@pytest.mark.parametrize("field", ALL)
def test_missing_fields_are_named(imported: WireClient, imported_token: str, field: str) -> None:
    """A missing value gets 1100 with its name."""
    wish = {name: value for name, value in ALL.items() if name != field}
    assert refused_field(imported.post(GROUP_LIST, wish, token=imported_token)) == field


@pytest.mark.one_engine
def test_the_channel_is_asked_for(imported: WireClient, imported_token: str) -> None:
    """The list of categories has one field, which is named."""
    assert refused_field(imported.post(CATEGORY_LIST, {}, token=imported_token)) == "appChannel"


@pytest.mark.one_engine
@pytest.mark.parametrize("path", [CATEGORY_LIST, GROUP_LIST, BOT_LIST])
@pytest.mark.parametrize("token", [None, "", "12345678-1234-1234-1234-123456789012"])
def test_discovery_needs_a_session(imported: WireClient, path: str, token: str | None) -> None:
    """Without a valid token the response is -101 (wire.md 1.7)."""
    assert imported.post(path, {**ALL, "appChannel": "default"}, token=token).code == -101
