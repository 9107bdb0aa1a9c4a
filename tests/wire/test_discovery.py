"""Groups and bots to find (wire.md 4 recommend-category-list, recommend-list, recommend)."""

from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.wire.client import WireClient
from tests.wire.seeds import seed
from tests.wire.shapes import check_shape, data_of, parts, reply_to, text, whole_number

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
def lake() -> Iterator[WireClient]:
    """A sandbox with the pack `discovery`, for this file alone."""
    with Server("sandbox") as server, WireClient(server) as wire:
        seed(wire, "discovery", 50)
        yield wire


@pytest.fixture(scope="module")
def token(lake: WireClient) -> str:
    """A member's token."""
    return lake.account().token


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
    """Where there is nothing to find the lists are empty, not missing (wire.md 4)."""
    token = own_wire.account().token
    assert isinstance(categories(own_wire, token), list)
    assert groups(own_wire, token, category="精选", size=30) == []
    assert parts(data_of(reply_to(own_wire, BOTS, token=token), "botList"), "botList") == []


def test_categories_are_names(lake: WireClient, token: str) -> None:
    """The categories are distinct texts (wire.md 4)."""
    names = categories(lake, token)
    assert names
    assert all(names)
    assert len(set(names)) == len(names)


@pytest.mark.one_engine
@pytest.mark.parametrize("channel", ["default", "", "huawei"])
def test_any_channel(lake: WireClient, token: str, channel: str) -> None:
    """The appChannel is any text (wire.md 4)."""
    assert lake.post(CATEGORIES, {"appChannel": channel}, token=token).code == 1


def test_groups_of_a_category(lake: WireClient, token: str) -> None:
    """Groups have the contract's keys and come by headcount, the largest first (wire.md 4)."""
    _, found = full_category(lake, token)
    assert found
    sizes = [whole_number(group["headcount"]) for group in found]
    assert sizes == sorted(sizes, reverse=True)
    assert all(len(text(g["chatId"])) == 9 and text(g["chatId"]).isdecimal() for g in found)
    assert len({group["chatId"] for group in found}) == len(found)
    assert all(whole_number(group["createTime"]) < 2**53 for group in found)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_pages_are_the_whole(lake: WireClient, token: str, size: int) -> None:
    """Page by page nothing is missing and nothing stands twice (wire.md 4)."""
    name, found = full_category(lake, token)
    wanted = found[:30] if size < 100 else found
    pages = range(1, -(-len(wanted) // size) + 1)
    paged = [groups(lake, token, category=name, size=size, page=page) for page in pages]
    assert all(len(page) <= size for page in paged)
    assert [group for page in paged for group in page][: len(wanted)] == wanted
    assert groups(lake, token, category=name, page=10_000) == []


def test_exact_id_finds_its_group(lake: WireClient, token: str) -> None:
    """The exact id finds the group; a part of it does not (wire.md 4)."""
    name, found = full_category(lake, token)
    for group in found[:5]:
        chat_id = text(group["chatId"])
        assert group in groups(lake, token, category=name, keyword=chat_id)
        parted = groups(lake, token, category=name, keyword=chat_id[:-1])
        assert all(says(hit, chat_id[:-1]) for hit in parted)


def says(group: dict[str, object], keyword: str) -> bool:
    """Whether a keyword matches name, introduction or exact id."""
    texts = (text(group["nickname"]), text(group["introduction"]))
    return group["chatId"] == keyword or any(keyword.lower() in told.lower() for told in texts)


@pytest.mark.parametrize("key", ["nickname", "introduction"])
def test_keyword_finds_inside_texts(lake: WireClient, token: str, key: str) -> None:
    """A keyword finds inside names and introductions, two Chinese characters do (wire.md 4)."""
    name, found = full_category(lake, token)
    tried = [group for group in found if len(text(group[key])) >= 3]
    assert tried
    for group in tried[:5]:
        for keyword in {text(group[key])[:2], text(group[key])[-3:]}:
            if keyword != keyword.strip():
                continue
            hits = groups(lake, token, category=name, keyword=keyword)
            assert all(says(hit, keyword) for hit in hits), keyword
            assert group in hits or len(hits) == 100, keyword


@pytest.mark.parametrize("keyword", ["%", "_", "\\", "' or 1=1 --", '"', "*", "a OR b", "%%", "__"])
def test_keyword_is_plain_text(lake: WireClient, token: str, keyword: str) -> None:
    """No character of a keyword has a meaning of its own (security I8)."""
    name, _ = full_category(lake, token)
    for category in (name, keyword):
        hits = groups(lake, token, category=category, keyword=keyword)
        assert all(says(hit, keyword) for hit in hits)


def test_unfound_is_an_empty_list(lake: WireClient, token: str) -> None:
    """What nobody wrote finds nothing (wire.md 4)."""
    name, _ = full_category(lake, token)
    assert groups(lake, token, category=name, keyword="\u9f98\u9f98\u9f98") == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"extra": [1]}'])
def test_bots(lake: WireClient, token: str, body: bytes) -> None:
    """A bot's chatType and headcount are strings, its flags numbers (wire.md 4)."""
    found = parts(data_of(reply_to(lake, BOTS, body, token=token), "botList"), "botList")
    assert found
    for bot in found:
        check_shape(bot, BOT)
        assert bot["chatType"] == "3"
        assert bot["introductions"] == ""
        assert text(bot["headcount"]).isdecimal()
        assert text(bot["chatId"]).isdecimal()
        assert len(text(bot["chatId"])) == 8
        assert {bot["isAdd"], bot["isApply"], bot["alwaysAgree"]} <= {0, 1}
