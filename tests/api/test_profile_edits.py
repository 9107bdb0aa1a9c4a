"""Changing nickname and avatar over HTTP (wire.md 3, 4)."""

from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.wire import pb
from tests.wire.answers import Answer
from tests.wire.client import WireClient

NICKNAME, AVATAR = "user/edit-nickname", "user/edit-avatar"
PICTURE = "https://img.example.com/头像.png?v=1&w=湖"
PICTURE_KEPT = "https://img.example.com/%E5%A4%B4%E5%83%8F.png?v=1&w=%E6%B9%96"
FIELDS = {NICKNAME: (3, "name"), AVATAR: (2, "url")}
GOOD = {NICKNAME: "湖畔", AVATAR: "https://img.example.com/a.png"}
FAILED = "请求参数错误，{}字段值非法"


def assert_done(answer: Answer) -> None:
    """Nothing but the status of a success, to the byte."""
    status = b"\x08" + pb.varint(answer.request_id) + bytes.fromhex("1001 1a07 73756363657373")
    assert answer.body == b"\x0a" + pb.varint(len(status)) + status


def test_the_nickname_changes(wire: WireClient) -> None:
    """A request of literal bytes renames; own info and get-user show it, name_id counts it."""
    account = wire.account(nickname="before")
    body = bytes.fromhex("1a08 20 e6b996e79594 20")  # " 湖畔 "
    assert_done(wire.post(NICKNAME, body, token=account.token))
    assert wire.own_info(account.token).pb_data.text(2) == "湖畔"
    data = wire.get_user(account.id).pb_data
    assert (data.text(2), data.number(3)) == ("湖畔", 1)
    assert_done(wire.post(NICKNAME, body, token=account.token))
    assert wire.get_user(account.id).pb_data.number(3) == 1


def test_the_avatar_changes(wire: WireClient) -> None:
    """The address is kept written anew, with its query; avatar_id counts it."""
    account = wire.account()
    assert_done(wire.post(AVATAR, pb.text(2, PICTURE), token=account.token))
    own = wire.own_info(account.token).pb_data
    assert (own.text(4), own.number(5)) == (PICTURE_KEPT, 1)
    data = wire.get_user(account.id).pb_data
    assert (data.text(4), data.number(5)) == (PICTURE_KEPT, 1)


@pytest.mark.parametrize("path", FIELDS)
def test_the_json_form(wire: WireClient, path: str) -> None:
    """Names as in the .proto; the answer is JSON too (wire.md 1.3)."""
    token = wire.account().token
    headers = {"content-type": "application/json"}
    name = FIELDS[path][1]
    reply = wire.request("POST", f"/v1/{path}", {name: GOOD[path]}, token=token, headers=headers)
    assert reply.json()["status"]["code"] == 1
    assert set(reply.json()) == {"status"}
    for value in (None, 5, True, ["a"], "\x00", ""):
        reply = wire.request("POST", f"/v1/{path}", {name: value}, token=token, headers=headers)
        assert reply.json()["status"]["msg"] == FAILED.format(name)


@pytest.mark.one_engine
@pytest.mark.parametrize("path", FIELDS)
def test_a_bad_value_is_named(wire: WireClient, path: str) -> None:
    """Missing, empty, too long or disturbing: 1100 with the wire name, and nothing changes."""
    account = wire.account(nickname="before")
    number, name = FIELDS[path]
    bodies = [b"", pb.text(1, "other field"), pb.text(number, "")]
    bodies += [pb.text(number, GOOD[path] + tail) for tail in ("\x00", "\u202e", "x" * 600)]
    for body in bodies:
        answer = wire.post(path, body, token=account.token)
        assert (answer.code, answer.msg, answer.form) == (1100, FAILED.format(name), "protobuf")
    data = wire.get_user(account.id).pb_data
    assert (data.text(2), data.number(3), data.number(5)) == ("before", 0, 0)


@pytest.mark.one_engine
@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize("body", [b"\x1a\x02\xff\xfe", b"\x12\x02\xff\xfe", b"\x1a\x05a", b"\xff"])
def test_broken_bytes_are_refused(wire: WireClient, path: str, body: bytes) -> None:
    """What is no message, or no UTF-8 in it, is 1100 and nothing breaks."""
    assert wire.post(path, body, token=wire.account().token).code == 1100


@pytest.fixture
def strict() -> Iterator[WireClient]:
    """A server that rewards first changes and takes avatars of one host."""
    settings = {
        "HUPAN_FIRST_NICKNAME_COINS": "3",
        "HUPAN_FIRST_AVATAR_COINS": "2",
        "HUPAN_AVATAR_HOSTS": "img.example.com",
    }
    with Server("sandbox", environment=settings) as server, WireClient(server) as client:
        yield client


@pytest.mark.one_engine
def test_settings_reach_the_edits(strict: WireClient) -> None:
    """The first change of each gives coins of type 4; other hosts are refused."""
    token = strict.account(coins=1).token
    for name in ("湖", "畔"):
        assert_done(strict.post(NICKNAME, pb.text(3, name), token=token))
    other = strict.post(AVATAR, pb.text(2, "https://other.example/a.png"), token=token)
    assert other.msg == FAILED.format("url")
    assert_done(strict.post(AVATAR, pb.text(2, PICTURE), token=token))
    assert strict.own_info(token).pb_data.double(8) == 6.0
    body = {"size": 10, "page": 1}
    record = strict.post("user/gold-coin-increase-decrease-record", body, token=token).data
    assert record is not None
    entries = record["goldCoinRecord"]
    assert isinstance(entries, list)
    assert [(entry["typ"], entry["changeAmount"]) for entry in entries[:2]] == [(4, 2), (4, 3)]
