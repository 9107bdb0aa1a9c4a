"""What a member tells of himself (wire.md 4 save-user-data, get-user-data)."""

import pytest

from tests.wire.answers import refused_field
from tests.wire.client import WireClient
from tests.wire.shapes import SUCCESS, check_shape, data_of, part, reply_to

SAVE = "user/save-user-data"
READ = "user/get-user-data"
NOW = 2_000_000_000
WHOLE: dict[str, object] = {
    "introduction": "湖畔的人",
    "gender": 3,
    "birthday": 1_231_231_230,
    "province": "北京市",
    "city": "北京城区",
    "district": "东城区",
    "locationCode": "110101",
}
SHAPE = {
    "id": int,
    "userId": str,
    "lastLoginTime": int,
    "update_time": int,
    "introduction": str,
    "gender": int,
    "birthday": int,
    "province": str,
    "city": str,
    "district": str,
    "locationCode": str,
}


def own_data(wire: WireClient, token: str) -> dict[str, object]:
    """Return the eleven keys."""
    data = part(data_of(reply_to(wire, READ, token=token), "data"), "data")
    check_shape(data, SHAPE)
    return data


@pytest.mark.parametrize("body", [b"", b"{}", {"extra": [1]}])
def test_fresh_account_has_all_keys(wire: WireClient, body: dict[str, object] | bytes) -> None:
    """All eleven keys stand in the answer, never null, for a fresh account too (wire.md 4)."""
    account = wire.account()
    data = part(data_of(reply_to(wire, READ, body, token=account.token), "data"), "data")
    check_shape(data, SHAPE)
    assert data["userId"] == account.id
    assert data["birthday"] == 0
    texts = ("introduction", "province", "city", "district", "locationCode")
    assert [data[key] for key in texts] == [""] * len(texts)


def test_whole_data_is_kept(wire: WireClient) -> None:
    """All seven fields come back as they were saved (wire.md 4)."""
    account = wire.account()
    assert reply_to(wire, SAVE, WHOLE, token=account.token) == SUCCESS
    data = own_data(wire, account.token)
    assert {key: data[key] for key in WHOLE} == WHOLE


@pytest.mark.parametrize("key", sorted(WHOLE))
def test_absent_keys_stay(wire: WireClient, key: str) -> None:
    """One key alone changes nothing else (wire.md 4)."""
    account = wire.account()
    saved = {**WHOLE, "introduction": "before"}
    assert reply_to(wire, SAVE, saved, token=account.token) == SUCCESS
    later: dict[str, object] = {
        "introduction": "after",
        "gender": 1,
        "birthday": 86_400,
        "province": "浙江省",
        "city": "杭州市",
        "district": "西湖区",
        "locationCode": "330106",
    }
    assert reply_to(wire, SAVE, {key: later[key]}, token=account.token) == SUCCESS
    data = own_data(wire, account.token)
    assert {name: data[name] for name in saved} == {**saved, key: later[key]}


def test_two_fields_as_some_clients_send(wire: WireClient) -> None:
    """A client that sends two fields loses none of the rest (wire.md 4)."""
    account = wire.account()
    assert reply_to(wire, SAVE, {"city": "杭州市"}, token=account.token) == SUCCESS
    two: dict[str, object] = {"introduction": "i", "gender": 2, "more": {"x": None}}
    assert reply_to(wire, SAVE, two, token=account.token) == SUCCESS
    data = own_data(wire, account.token)
    assert (data["introduction"], data["gender"], data["city"]) == ("i", 2, "杭州市")


def test_nothing_at_all_changes_nothing(wire: WireClient) -> None:
    """An empty object is a save of nothing (wire.md 4)."""
    account = wire.account()
    assert reply_to(wire, SAVE, {"introduction": "i"}, token=account.token) == SUCCESS
    assert reply_to(wire, SAVE, b"{}", token=account.token) == SUCCESS
    assert own_data(wire, account.token)["introduction"] == "i"


def test_birthday_zero_is_unset(wire: WireClient) -> None:
    """A birthday of 0 takes the birthday away (wire.md 4)."""
    account = wire.account()
    for birthday in (1_231_231_230, 0):
        assert reply_to(wire, SAVE, {"birthday": birthday}, token=account.token) == SUCCESS
        assert own_data(wire, account.token)["birthday"] == birthday


@pytest.mark.parametrize("birthday", [-1, -86_400, -1_293_868_800, -2_208_988_800])
def test_who_was_born_before_1970(wire: WireClient, birthday: int) -> None:
    """A birthday from 1900 on is kept; others see 0, for the field is unsigned (wire.md 4)."""
    account = wire.account()
    assert reply_to(wire, SAVE, {"birthday": birthday}, token=account.token) == SUCCESS
    assert own_data(wire, account.token)["birthday"] == birthday
    assert wire.get_user(account.id).pb_data.message(19).number(4) == 0


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("introduction", "kept"),
    [
        ("\ufeffA\tpasted\u200b line", "Apasted line"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("王𮯰", "王𮯰"),
        ("\u200b\n湖畔\u00ad", "湖畔"),
    ],
)
def test_what_is_pasted_along_is_dropped(wire: WireClient, introduction: str, kept: str) -> None:
    """Tabs and zero-width characters go, those that a script needs stay (security U5)."""
    account = wire.account()
    assert reply_to(wire, SAVE, {"introduction": introduction}, token=account.token) == SUCCESS
    assert own_data(wire, account.token)["introduction"] == kept


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "code", ["11010", "1101010", "11010a", "１１０１０１", "110101\n", " 110101"]
)
def test_location_code_is_six_digits(wire: WireClient, code: str) -> None:
    """The locationCode is six ASCII digits (wire.md 4, security I7)."""
    answer = wire.post(SAVE, {"locationCode": code}, token=wire.account().token)
    assert refused_field(answer) == "locationCode"


@pytest.mark.one_engine
@pytest.mark.parametrize("key", ["introduction", "province", "city", "district"])
@pytest.mark.parametrize("value", ["a\x00b", "\u202eab", "\u0378", "\ue000"])
def test_texts_obey_the_text_rules(wire: WireClient, key: str, value: str) -> None:
    """NUL, bidi, unassigned and private characters are refused (security U5)."""
    assert refused_field(wire.post(SAVE, {key: value}, token=wire.account().token)) == key


@pytest.mark.one_engine
@pytest.mark.parametrize("key", ["province", "city", "district"])
def test_a_place_has_no_unseen_characters(wire: WireClient, key: str) -> None:
    """A text of one line is short: zero-width characters are refused there (security U5)."""
    answer = wire.post(SAVE, {key: "a\u200bb"}, token=wire.account().token)
    assert refused_field(answer) == key


@pytest.mark.one_engine
@pytest.mark.parametrize(("length", "fits"), [(500, True), (501, False)])
def test_introduction_holds_500(wire: WireClient, length: int, *, fits: bool) -> None:
    """An introduction has at most 500 characters (security U5)."""
    account = wire.account()
    answer = wire.post(SAVE, {"introduction": "湖" * length}, token=account.token)
    assert (answer.code == 1) is fits
    assert len(str(own_data(wire, account.token)["introduction"])) == (length if fits else 0)


def test_a_refused_field_saves_none(wire: WireClient) -> None:
    """A save is whole or not at all (wire.md 2)."""
    account = wire.account()
    bad = {**WHOLE, "introduction": "i", "locationCode": "1"}
    assert refused_field(wire.post(SAVE, bad, token=account.token)) == "locationCode"
    assert own_data(wire, account.token)["introduction"] == ""


def test_others_see_introduction_and_gender(wire: WireClient) -> None:
    """In get-user profile_info tells introduction and gender under 2 and 3 (wire.md 3)."""
    account = wire.account()
    saved: dict[str, object] = {"introduction": "湖畔的人", "gender": 2}
    assert reply_to(wire, SAVE, saved, token=account.token) == SUCCESS
    for token in ("x", account.token, wire.account().token):
        profile = wire.get_user(account.id, token=token).pb_data.message(19)
        assert (profile.text(2), profile.number(3)) == ("湖畔的人", 2)
        known = {1: 2, 2: 2, 3: 0, 4: 0, 5: 2, 6: 2, 7: 2}
        assert profile.kinds().items() <= known.items()


def test_times_are_the_servers(own_wire: WireClient) -> None:
    """The keys update_time and lastLoginTime are unix seconds of the server (wire.md 1.11)."""
    own_wire.set_clock(set=NOW)
    phone = own_wire.fresh_phone()
    token = own_wire.signed_in(phone)
    own_wire.set_clock(set=NOW + 3600)
    assert reply_to(own_wire, SAVE, {"gender": 1}, token=token) == SUCCESS
    data = own_data(own_wire, token)
    assert 0 <= int(str(data["lastLoginTime"])) - NOW < 60
    assert 0 <= int(str(data["update_time"])) - NOW - 3600 < 60


def test_body_sets_nothing_else(wire: WireClient) -> None:
    """Fields of an account in the body change nothing (security Z3)."""
    account, victim = wire.account(nickname="n"), wire.account(nickname="v")
    greedy: dict[str, object] = {
        "id": 1,
        "userId": victim.id,
        "nickname": "x",
        "coin": 99,
        "isVip": 1,
        "vipExpiredTime": 4_000_000_000,
        "introduction": "mine",
    }
    assert reply_to(wire, SAVE, greedy, token=account.token) == SUCCESS
    own = wire.own_info(account.token).pb_data
    assert (own.text(1), own.text(2), own.double(8), own.number(9)) == (account.id, "n", 0.0, 0)
    assert own_data(wire, victim.token)["introduction"] == ""
    assert wire.get_user(victim.id).pb_data.message(19).text(2) == ""


@pytest.mark.one_engine
def test_no_country_for_a_private_address(wire: WireClient) -> None:
    """A sign-in from a private address tells no country (wire.md 3 ipGeo)."""
    account = wire.account(phone=wire.fresh_phone())
    assert wire.get_user(account.id).pb_data.text(20) == ""
