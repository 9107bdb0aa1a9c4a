"""The search of the home screen (wire.md 8.3 search/home-search), byte for byte."""

import pytest

from tests.support import pb
from tests.support.answers import Account, refused_field
from tests.support.channels import PHONE
from tests.support.client import WireClient
from tests.support.json_shapes import data_of, part, parts, reply_to
from tests.support.seeding import seed

SEARCH = "search/home-search"
KEYS = {"friendId", "friendType", "nickname", "name", "avatarUrl", "hit"}
NOW = 2_000_000_000


def golden(*users: str) -> str:
    """Return the whole response with users only."""
    found = f"[{','.join(users)}]" if users else "null"
    return (
        f'{{"code":1,"data":{{"list":[{{"title":"用户","list":{found}}},'
        '{"title":"群组","list":null},{"title":"机器人","list":null}]},"msg":"success"}'
    )


def user(account: Account, nickname: str, avatar: str, word: str) -> str:
    """Return a user's JSON text."""
    return (
        f'{{"friendId":"{account.id}","friendType":1,"nickname":"{nickname}","name":"{nickname}",'
        f'"avatarUrl":"{avatar}","hit":"{word}"}}'
    )


def search(wire: WireClient, token: str, word: str) -> str:
    """Return the response."""
    reply = wire.request("POST", f"/v1/{SEARCH}", {"word": word}, token=token)
    return reply.content.decode()


def ids(wire: WireClient, token: str, word: str, kind: int = 0) -> list[object]:
    """Return the ids of the results of a kind."""
    found = parts(data_of(reply_to(wire, SEARCH, {"word": word}, token=token), "list"), "list")
    assert [one["title"] for one in found] == ["用户", "群组", "机器人"]
    hits = [] if found[kind]["list"] is None else parts(found[kind], "list")
    assert all(set(hit) == KEYS and hit["friendType"] == kind + 1 for hit in hits)
    assert len(hits) <= 20
    return [hit["friendId"] for hit in hits]


def test_users_by_id_and_beginning(wire: WireClient) -> None:
    """An exact id and the beginning of a nickname match; the middle and half an id do not."""
    token = wire.account().token
    name = f"鸬鹚{wire.fresh_phone()}"
    one = wire.account(nickname=name)
    for word in (name, name[:2], f" {name[:9]} "):
        assert one.id in ids(wire, token, word)
    avatar = f"{wire.server.url}/media/default/{one.id}.png"
    assert search(wire, token, one.id) == golden(user(one, name, avatar, one.id))
    assert search(wire, token, name) == golden(user(one, name, avatar, name))
    assert one.id not in ids(wire, token, name[1:])
    assert one.id not in ids(wire, token, one.id[:-1])
    assert search(wire, token, "鸬鹚鸬鹚鸬鹚") == golden()


@pytest.mark.parametrize(
    ("nickname", "word"),
    [
        ("Großer Hai", "GROSSER h"),
        ("Café au lait", "cafe\u0301"),
        ("ＬＡＫＥ side", "lake s"),
        ("ВОДА", "вод"),
        ("a%_b", "A%_"),
    ],
)
def test_case_and_form_do_not_count(own_wire: WireClient, nickname: str, word: str) -> None:
    """Case, compatible and composed forms are equal, wildcards are plain text (security I8)."""
    token, one = own_wire.account().token, own_wire.account(nickname=nickname)
    own_wire.account(nickname="axxb")
    assert ids(own_wire, token, word) == [one.id]


def test_changes_are_found_at_once(wire: WireClient) -> None:
    """A new nickname or avatar is found at once, the old one no longer."""
    token, one = wire.account().token, wire.account(nickname="first name of mine")
    renamed = f"second {wire.fresh_phone()}"
    assert wire.post("user/edit-nickname", pb.text(3, renamed), token=one.token).code == 1
    avatar = "https://a.example/a.png"
    assert wire.post("user/edit-avatar", pb.text(2, avatar), token=one.token).code == 1
    assert search(wire, token, renamed) == golden(user(one, renamed, avatar, renamed))
    assert one.id not in ids(wire, token, "first name of mine")


def test_banned_and_cancelled_are_never_found(own_wire: WireClient) -> None:
    """Neither id nor nickname finds them, until the ban is over."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account().token
    banned = own_wire.account(nickname="heron one", banDays=2)
    phone = own_wire.fresh_phone()
    gone = own_wire.account(nickname="heron two", phone=phone)
    assert ids(own_wire, token, "heron") == [gone.id]
    assert PHONE.cancel(own_wire, gone.token, phone, PHONE.code(own_wire, phone)).code == 1
    for word in ("heron", banned.id, gone.id):
        assert search(own_wire, token, word) == golden()
    own_wire.set_clock(set=NOW + 3 * 86_400)
    fresh = own_wire.account().token
    assert ids(own_wire, fresh, "heron") == ids(own_wire, fresh, banned.id) == [banned.id]


def test_twenty_of_each_at_most(own_wire: WireClient) -> None:
    """More than twenty users are cut, in the order of their nicknames."""
    token = own_wire.account().token
    made = [own_wire.account(nickname=f"ibis {number:02}").id for number in range(25)]
    assert ids(own_wire, token, "ibis") == made[:20]


def test_groups_and_bots_are_those_of_discovery(own_wire: WireClient) -> None:
    """The exact id or a part of the name finds them (wire.md 4 recommend-list)."""
    seed(own_wire, "discovery", 5)
    token = own_wire.account().token
    wish = {"category": "", "keyword": "", "size": 1, "page": 1}
    listed = data_of(reply_to(own_wire, "user/recommend-list", wish, token=token), "groupList")
    group = parts(listed, "groupList")[0]
    for word in (str(group["chatId"]), str(group["nickname"])[1:3]):
        assert group["chatId"] in ids(own_wire, token, word, 1)
    bots = data_of(reply_to(own_wire, "user/recommend", token=token), "botList")
    bot = parts(bots, "botList")[0]
    for word in (str(bot["chatId"]), str(bot["nickname"])[1:3]):
        assert bot["chatId"] in ids(own_wire, token, word, 2)


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "word", [None, 5, ["a"], {}, True, "", " ", "\u3000", "x" * 33, "a\x00b", "a\nb"[:2] + "\x07"]
)
def test_bad_words_are_named(wire: WireClient, word: object) -> None:
    """A missing, empty, mistyped or long word, or one with control characters, is 1100."""
    token = wire.account().token
    assert refused_field(wire.post(SEARCH, {"word": word}, token=token)) == "word"
    assert refused_field(wire.post(SEARCH, {}, token=token)) == "word"


@pytest.mark.one_engine
@pytest.mark.parametrize("word", ["%", "_", "\\", "'", '"', "*", "a OR b", "0", "9" * 32, "-1"])
def test_words_are_plain_text(wire: WireClient, word: str) -> None:
    """No character of a word has a special meaning (security I8)."""
    data = data_of(reply_to(wire, SEARCH, {"word": word}, token=wire.account().token), "list")
    assert all(part({"x": one}, "x") for one in parts(data, "list"))
