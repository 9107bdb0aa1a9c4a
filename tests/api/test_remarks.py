"""What accounts note about each other over HTTP (wire.md 3 remark_info, 4 save-user-remarks)."""

import json

import pytest

from tests.wire.answers import refused_field
from tests.wire.client import WireClient

SAVE = "user/save-user-remarks"
DONE = b'{"code":1,"msg":"success"}'
OTHERS = '[{"key":"他是","value":"我的朋友"},{"key":"职业","value":"打工人"}]'
REMARK = {"name": "老王", "phone": "13800138000", "others": OTHERS}
WRONG_TYPES: list[object] = [None, 5, 1.5, True, [], ["a"], {}]
BAD = {
    "friendId": ["", "1" * 65],
    "name": ["湖" * 33, "\x00", "a\nb", "\u202e", "a" * 300],
    "phone": ["1" * 65, "\x00", "a" * 300],
    "others": ["x", "{}", "[1]", '[{"key":"a"}]', "[" * 5000, "[]" + " " * 9000],
}
BAD_VALUES = [(field, value) for field, values in BAD.items() for value in values + WRONG_TYPES]


def seen(wire: WireClient, user_id: str, token: str) -> tuple[str, str, str]:
    """The three parts of remark_info."""
    info = wire.get_user(user_id, token=token).pb_data.message(18)
    return info.text(1), info.text(2), info.text(3)


def test_only_who_noted_it_sees_it(wire: WireClient) -> None:
    """remark_info comes to the caller's own token; to no other, and to no stranger."""
    one, two, other = wire.account(), wire.account(), wire.account()
    body = json.dumps({"friendId": two.id, **REMARK}, ensure_ascii=False).encode()
    assert wire.post(SAVE, body, token=one.token).body == DONE
    assert seen(wire, two.id, one.token) == ("老王", "13800138000", OTHERS)
    for token in (two.token, other.token):
        data = wire.get_user(two.id, token=token).pb_data
        assert data.has(18)
        assert data.message(18).fields == ()
    for token in ("x", one.token[:-1] + ("0" if one.token[-1] != "0" else "1")):
        assert not wire.get_user(two.id, token=token).pb_data.has(18)
    assert seen(wire, one.id, two.token) == ("", "", "")


def test_a_session_that_ended_sees_nothing(wire: WireClient) -> None:
    """An ended token is any token."""
    one, two = wire.account(), wire.account()
    wire.post(SAVE, {"friendId": two.id, **REMARK}, token=one.token)
    assert wire.post("user/logout", b"", token=one.token).code == 1
    assert not wire.get_user(two.id, token=one.token).pb_data.has(18)


def test_the_json_form_has_the_same_names(wire: WireClient) -> None:
    """Names as in the .proto (wire.md 1.3)."""
    one, two = wire.account(), wire.account()
    wire.post(SAVE, {"friendId": two.id, **REMARK}, token=one.token)
    headers = {"content-type": "application/json"}
    reply = wire.request("POST", "/v1/user/get-user", {"id": two.id}, token=one.token,
                         headers=headers)  # fmt: skip
    assert reply.json()["data"]["remark_info"] == {
        "remark_name": "老王",
        "phone_number": "13800138000",
        "extra_remark": OTHERS,
    }


def test_the_next_remark_replaces_it(wire: WireClient) -> None:
    """All three parts of it; an empty one takes it away."""
    one, two = wire.account(), wire.account()
    for remark in (REMARK, {"name": "n", "phone": "", "others": ""}):
        wire.post(SAVE, {"friendId": two.id, **remark}, token=one.token)
    assert seen(wire, two.id, one.token) == ("n", "", "")
    wire.post(SAVE, {"friendId": two.id, "name": "", "phone": "", "others": "[]"}, token=one.token)
    assert seen(wire, two.id, one.token) == ("", "", "")


@pytest.mark.parametrize("friend", ["999999999999999", "0", "a", "-1", "0x1", "9" * 30])
def test_an_unknown_friend_is_4402(wire: WireClient, friend: str) -> None:
    """In JSON, without data (wire.md 1.6, 2)."""
    answer = wire.post(SAVE, {"friendId": friend, **REMARK}, token=wire.account().token)
    assert answer.body == '{"code":4402,"msg":"该用户不存在"}'.encode()


def test_oneself_is_no_friend(wire: WireClient) -> None:
    """1100 names friendId."""
    account = wire.account()
    answer = wire.post(SAVE, {"friendId": account.id, **REMARK}, token=account.token)
    assert refused_field(answer) == "friendId"


@pytest.mark.one_engine
@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_a_bad_value_is_named(wire: WireClient, field: str, value: object) -> None:
    """Missing, null, of a wrong type, too long or disturbing: 1100 with the wire name."""
    one, two = wire.account(), wire.account()
    body: dict[str, object] = {"friendId": two.id, **REMARK, field: value}
    assert refused_field(wire.post(SAVE, body, token=one.token)) == field
    del body[field]
    assert refused_field(wire.post(SAVE, body, token=one.token)) == field
    assert seen(wire, two.id, one.token) == ("", "", "")
