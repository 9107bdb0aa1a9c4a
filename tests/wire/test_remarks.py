"""Remarks of an account about another (wire.md 4 save-user-remarks, 3 remark_info).

Remarks over HTTP (wire.md 3 remark_info, 4 save-user-remarks).
"""

import json

import pytest

from tests.support import pb
from tests.support.answers import Account, Answer, refused_field
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, reply_to

SAVE = "user/save-user-remarks"
OTHERS = [{"key": "他是", "value": "我的朋友"}, {"key": "职业", "value": "打工人"}]
OTHERS_TEXT = json.dumps(OTHERS, ensure_ascii=False)


def body_for(friend_id: str, **fields: object) -> dict[str, object]:
    """Return a complete request."""
    return {"friendId": friend_id, "name": "老王", "phone": "123", "others": "", **fields}


def save(wire: WireClient, caller: Account, friend_id: str, **fields: object) -> Answer:
    """Save remarks about a friend."""
    return wire.post(SAVE, body_for(friend_id, **fields), token=caller.token)


def remark(wire: WireClient, friend: Account, token: str) -> pb.Message:
    """Return remark_info as the owner of a token sees it."""
    return wire.get_user(friend.id, token=token).pb_data.message(18)


def test_remarks_fill_remark_info(wire: WireClient) -> None:
    """remark_name, phone_number and extra_remark are fields 1, 2, 3 (wire.md 3)."""
    caller, friend = wire.account(), wire.account()
    body = body_for(friend.id, others=OTHERS_TEXT)
    assert reply_to(wire, SAVE, body, token=caller.token) == SUCCESS
    info = remark(wire, friend, caller.token)
    assert (info.text(1), info.text(2)) == ("老王", "123")
    assert json.loads(info.text(3)) == OTHERS
    assert set(info.kinds()) == {1, 2, 3}


def test_golden_bytes(wire: WireClient) -> None:
    """Without others the sub-message only has name and phone, byte for byte (wire.md 3)."""
    caller, friend = wire.account(), wire.account()
    assert save(wire, caller, friend.id).code == 1
    body = wire.get_user(friend.id, token=caller.token).body
    assert bytes.fromhex("9201 0d 0a06 e88081e78e8b 1203 313233") in body


def test_json_form_shows_them(wire: WireClient) -> None:
    """The JSON form of get-user has the same remark (wire.md 1.3)."""
    caller, friend = wire.account(), wire.account()
    assert save(wire, caller, friend.id).code == 1
    headers = {"content-type": "application/json"}
    reply = wire.request(
        "POST", "/v1/user/get-user", {"id": friend.id}, token=caller.token, headers=headers
    )
    info = reply.json()["data"]["remark_info"]
    assert (info["remark_name"], info["phone_number"]) == ("老王", "123")


def test_no_other_account_sees_them(wire: WireClient) -> None:
    """Only the author of a remark sees it: no friend, member or stranger (security D4)."""
    caller, friend, third = (wire.account() for _ in range(3))
    assert save(wire, caller, friend.id, others=OTHERS_TEXT).code == 1
    for token in ("x", friend.token, third.token):
        answer = wire.get_user(friend.id, token=token)
        assert "老王".encode() not in answer.body
        assert answer.pb_data.message(18).fields == ()


def test_each_writer_has_his_own(wire: WireClient) -> None:
    """Two accounts have different remarks about one (wire.md 4)."""
    friend, first, second = (wire.account() for _ in range(3))
    assert save(wire, first, friend.id, name="一").code == 1
    assert save(wire, second, friend.id, name="二").code == 1
    assert remark(wire, friend, first.token).text(1) == "一"
    assert remark(wire, friend, second.token).text(1) == "二"
    assert remark(wire, first, second.token).fields == ()


def test_later_remarks_replace(wire: WireClient) -> None:
    """A save replaces the remark; empty texts delete it (wire.md 4)."""
    caller, friend = wire.account(), wire.account()
    assert save(wire, caller, friend.id, others=OTHERS_TEXT).code == 1
    assert save(wire, caller, friend.id, name="小王", phone="", others="").code == 1
    info = remark(wire, friend, caller.token)
    assert (info.text(1), info.text(2), info.text(3)) == ("小王", "", "")
    assert save(wire, caller, friend.id, name="", phone="", others="").code == 1
    info = remark(wire, friend, caller.token)
    assert (info.text(1), info.text(2), info.text(3)) == ("", "", "")


def test_an_ended_session_sees_none(wire: WireClient) -> None:
    """Only a valid token shows its owner's remarks (security D4)."""
    phone, friend = wire.fresh_phone(), wire.account()
    caller = wire.account(phone=phone, deviceId="one")
    assert save(wire, caller, friend.id).code == 1
    again = wire.signed_in(phone, deviceId="one")
    assert remark(wire, friend, caller.token).fields == ()
    assert remark(wire, friend, again).text(1) == "老王"


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "others",
    [
        "[",
        "null",
        "5",
        '"a"',
        "{}",
        '{"key": "a", "value": "b"}',
        "[1]",
        "[null]",
        '["a"]',
        "[[]]",
        '[{"key": "a"}]',
        '[{"value": "a"}]',
        '[{"key": 1, "value": "a"}]',
        '[{"key": "a", "value": null}]',
        '[{"key": "a", "value": "b"}] x',
        "[" * 10_000,
        '[{"key": "\\u0000", "value": "b"}]',
        '[{"key": "a", "value": "\\ud800"}]',
    ],
)
def test_bad_others_are_named(wire: WireClient, others: str) -> None:
    """`others` is "" or JSON text of [{key, value}] with texts (wire.md 4)."""
    caller, friend = wire.account(), wire.account()
    assert save(wire, caller, friend.id).code == 1
    assert refused_field(save(wire, caller, friend.id, name="n", others=others)) == "others"
    assert remark(wire, friend, caller.token).text(1) == "老王"


def test_no_others_is_empty(wire: WireClient) -> None:
    """extra_remark is "" if there is none (wire.md 3)."""
    caller, friend = wire.account(), wire.account()
    assert save(wire, caller, friend.id, others="").code == 1
    assert remark(wire, friend, caller.token).text(3) == ""


@pytest.mark.one_engine
@pytest.mark.parametrize("key", ["name", "phone"])
@pytest.mark.parametrize("value", ["a\x00b", "a\nb", "\u202eab", "\u0378"])
def test_texts_obey_the_text_rules(wire: WireClient, key: str, value: str) -> None:
    """NUL, control, bidi and unassigned characters are refused (security U5)."""
    caller, friend = wire.account(), wire.account()
    assert refused_field(save(wire, caller, friend.id, **{key: value})) == key


@pytest.mark.one_engine
@pytest.mark.parametrize("around", [("\u202d", "\u202c"), ("\u2068", "\u2069"), ("\u200b\t", " ")])
def test_a_pasted_number(wire: WireClient, around: tuple[str, str]) -> None:
    """The direction marks that contact lists add to a number are removed (security U5)."""
    caller, friend = wire.account(), wire.account()
    pasted = f"{around[0]}+86 138-0013-8000{around[1]}"
    assert save(wire, caller, friend.id, phone=pasted).code == 1
    assert remark(wire, friend, caller.token).text(2) == "+86 138-0013-8000"


def test_body_cannot_speak_for_another(wire: WireClient) -> None:
    """The author is the token's owner, even if the body names another (security Z3)."""
    caller, friend, victim = (wire.account() for _ in range(3))
    assert save(wire, caller, friend.id, userId=victim.id, ownerId=victim.id).code == 1
    assert remark(wire, friend, victim.token).fields == ()
    assert remark(wire, friend, caller.token).text(1) == "老王"


DONE = b'{"code":1,"msg":"success"}'
OTHERS_FIELD = '[{"key":"他是","value":"我的朋友"},{"key":"职业","value":"打工人"}]'
REMARK = {"name": "老王", "phone": "13800138000", "others": OTHERS_FIELD}
WRONG_TYPES: list[object] = [None, 5, 1.5, True, [], ["a"], {}]
BAD = {
    "friendId": ["", "1" * 65],
    "name": ["湖" * 33, "\x00", "a\nb", "\u202e", "a" * 300],
    "phone": ["1" * 65, "\x00", "a" * 300],
    "others": ["x", "{}", "[1]", '[{"key":"a"}]', "[" * 5000, "[]" + " " * 9000],
}
BAD_VALUES = [(field, value) for field, values in BAD.items() for value in values + WRONG_TYPES]


def seen(wire: WireClient, user_id: str, token: str) -> tuple[str, str, str]:
    """Return the three parts of remark_info."""
    info = wire.get_user(user_id, token=token).pb_data.message(18)
    return info.text(1), info.text(2), info.text(3)


def test_only_the_writer_sees_it(wire: WireClient) -> None:
    """Only the author's token gets remark_info."""
    one, two, other = wire.account(), wire.account(), wire.account()
    body = json.dumps({"friendId": two.id, **REMARK}, ensure_ascii=False).encode()
    assert wire.post(SAVE, body, token=one.token).body == DONE
    assert seen(wire, two.id, one.token) == ("老王", "13800138000", OTHERS_FIELD)
    for token in (two.token, other.token):
        data = wire.get_user(two.id, token=token).pb_data
        assert data.has(18)
        assert data.message(18).fields == ()
    for token in ("x", one.token[:-1] + ("0" if one.token[-1] != "0" else "1")):
        assert not wire.get_user(two.id, token=token).pb_data.has(18)
    assert seen(wire, one.id, two.token) == ("", "", "")


def test_a_session_that_ended_sees_nothing(wire: WireClient) -> None:
    """An ended token is treated as any other text."""
    one, two = wire.account(), wire.account()
    wire.post(SAVE, {"friendId": two.id, **REMARK}, token=one.token)
    assert wire.post("user/logout", b"", token=one.token).code == 1
    assert not wire.get_user(two.id, token=one.token).pb_data.has(18)


def test_the_json_form_has_the_same_names(wire: WireClient) -> None:
    """Names are those of the .proto (wire.md 1.3)."""
    one, two = wire.account(), wire.account()
    wire.post(SAVE, {"friendId": two.id, **REMARK}, token=one.token)
    headers = {"content-type": "application/json"}
    reply = wire.request("POST", "/v1/user/get-user", {"id": two.id}, token=one.token,
                         headers=headers)  # fmt: skip
    assert reply.json()["data"]["remark_info"] == {
        "remark_name": "老王",
        "phone_number": "13800138000",
        "extra_remark": OTHERS_FIELD,
    }


def test_the_next_remark_replaces_it(wire: WireClient) -> None:
    """All three parts are replaced; an empty remark deletes it."""
    one, two = wire.account(), wire.account()
    for remark in (REMARK, {"name": "n", "phone": "", "others": ""}):
        wire.post(SAVE, {"friendId": two.id, **remark}, token=one.token)
    assert seen(wire, two.id, one.token) == ("n", "", "")
    wire.post(SAVE, {"friendId": two.id, "name": "", "phone": "", "others": "[]"}, token=one.token)
    assert seen(wire, two.id, one.token) == ("", "", "")


@pytest.mark.parametrize("friend", ["999999999999999", "0", "a", "-1", "0x1", "9" * 30])
def test_an_unknown_friend_is_4402(wire: WireClient, friend: str) -> None:
    """The refusal is JSON, without data (wire.md 1.6, 2)."""
    answer = wire.post(SAVE, {"friendId": friend, **REMARK}, token=wire.account().token)
    assert answer.body == '{"code":4402,"msg":"该用户不存在"}'.encode()


def test_oneself_is_no_friend(wire: WireClient) -> None:
    """The refusal is 1100 for friendId."""
    account = wire.account()
    answer = wire.post(SAVE, {"friendId": account.id, **REMARK}, token=account.token)
    assert refused_field(answer) == "friendId"


@pytest.mark.slow
@pytest.mark.one_engine
def test_a_bad_value_is_named(wire: WireClient, subtests: pytest.Subtests) -> None:
    """A missing, null, mistyped, long or forbidden value is 1100 with the wire name."""
    for field, value in BAD_VALUES:
        with subtests.test(field=field, value=value):
            one, two = wire.account(), wire.account()
            body: dict[str, object] = {"friendId": two.id, **REMARK, field: value}
            assert refused_field(wire.post(SAVE, body, token=one.token)) == field
            del body[field]
            assert refused_field(wire.post(SAVE, body, token=one.token)) == field
            assert seen(wire, two.id, one.token) == ("", "", "")
