"""Personal data over HTTP (wire.md 3 profile_info, wire.md 4 save-user-data, get-user-data).

What others see of an account (security D4, wire.md 3 profile_info).
"""

import json
from collections.abc import Iterator

import pytest

from tests.support import pb
from tests.support.answers import Account, refused_field
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, check_shape, data_of, part, reply_to
from tests.support.servers import Server
from tests.support.stores import EngineName

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
    """All eleven keys exist and are not null, even for a fresh account (wire.md 4)."""
    account = wire.account()
    data = part(data_of(reply_to(wire, READ, body, token=account.token), "data"), "data")
    check_shape(data, SHAPE)
    assert data["userId"] == account.id
    assert data["birthday"] == 0
    texts = ("introduction", "province", "city", "district", "locationCode")
    assert [data[key] for key in texts] == [""] * len(texts)


def test_whole_data_is_kept(wire: WireClient) -> None:
    """All seven fields are read back as saved (wire.md 4)."""
    account = wire.account()
    assert reply_to(wire, SAVE, WHOLE, token=account.token) == SUCCESS
    data = own_data(wire, account.token)
    assert {key: data[key] for key in WHOLE} == WHOLE


@pytest.mark.parametrize("key", sorted(WHOLE))
def test_absent_keys_stay(wire: WireClient, key: str) -> None:
    """One key changes nothing else (wire.md 4)."""
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
    """A client that sends two fields keeps all the others (wire.md 4)."""
    account = wire.account()
    assert reply_to(wire, SAVE, {"city": "杭州市"}, token=account.token) == SUCCESS
    two: dict[str, object] = {"introduction": "i", "gender": 2, "more": {"x": None}}
    assert reply_to(wire, SAVE, two, token=account.token) == SUCCESS
    data = own_data(wire, account.token)
    assert (data["introduction"], data["gender"], data["city"]) == ("i", 2, "杭州市")


def test_nothing_at_all_changes_nothing(wire: WireClient) -> None:
    """An empty object changes nothing (wire.md 4)."""
    account = wire.account()
    assert reply_to(wire, SAVE, {"introduction": "i"}, token=account.token) == SUCCESS
    assert reply_to(wire, SAVE, b"{}", token=account.token) == SUCCESS
    assert own_data(wire, account.token)["introduction"] == "i"


def test_birthday_zero_is_unset(wire: WireClient) -> None:
    """A birthday of 0 removes the birthday (wire.md 4)."""
    account = wire.account()
    for birthday in (1_231_231_230, 0):
        assert reply_to(wire, SAVE, {"birthday": birthday}, token=account.token) == SUCCESS
        assert own_data(wire, account.token)["birthday"] == birthday


@pytest.mark.parametrize("birthday", [-1, -86_400, -1_293_868_800, -2_208_988_800])
def test_a_birthday_before_1970(wire: WireClient, birthday: int) -> None:
    """A birthday from 1900 on is stored; others see 0, as the field is unsigned (wire.md 4)."""
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
    """Tabs and zero-width characters go, except those that a script needs (security U5)."""
    account = wire.account()
    assert reply_to(wire, SAVE, {"introduction": introduction}, token=account.token) == SUCCESS
    assert own_data(wire, account.token)["introduction"] == kept


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "code", ["11010", "1101010", "11010a", "１１０１０１", "110101\n", " 110101"]
)
def test_location_code_is_six_digits(wire: WireClient, code: str) -> None:
    """`locationCode` is six ASCII digits (wire.md 4, security I7)."""
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
    """A single-line text must not have zero-width characters (security U5)."""
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
    """A save is complete or has no effect (wire.md 2)."""
    account = wire.account()
    bad = {**WHOLE, "introduction": "i", "locationCode": "1"}
    assert refused_field(wire.post(SAVE, bad, token=account.token)) == "locationCode"
    assert own_data(wire, account.token)["introduction"] == ""


def test_others_see_introduction_and_gender(wire: WireClient) -> None:
    """profile_info of get-user has introduction and gender as fields 2 and 3 (wire.md 3)."""
    account = wire.account()
    saved: dict[str, object] = {"introduction": "湖畔的人", "gender": 2}
    assert reply_to(wire, SAVE, saved, token=account.token) == SUCCESS
    for token in ("x", account.token, wire.account().token):
        profile = wire.get_user(account.id, token=token).pb_data.message(19)
        assert (profile.text(2), profile.number(3)) == ("湖畔的人", 2)
        known = {1: 2, 2: 2, 3: 0, 4: 0, 5: 2, 6: 2, 7: 2}
        assert profile.kinds().items() <= known.items()


def test_times_are_the_servers(own_wire: WireClient) -> None:
    """update_time and lastLoginTime are unix seconds of the server (wire.md 1.11)."""
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
    """A sign-in from a private address sets no country (wire.md 3 ipGeo)."""
    account = wire.account(phone=wire.fresh_phone())
    assert wire.get_user(account.id).pb_data.text(20) == ""


HIDING = {
    "HUPAN_SHOW_BIRTHDAY": "false",
    "HUPAN_SHOW_ADDRESS": "false",
    "HUPAN_SHOW_LAST_ACTIVE": "false",
    "HUPAN_SHOW_COUNTRY": "false",
}
SAVED: dict[str, object] = {
    "introduction": "湖畔的人",
    "gender": 2,
    "birthday": 1_231_231_230,
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "locationCode": "330106",
}


@pytest.fixture(scope="module")
def hiding(engine: EngineName) -> Iterator[WireClient]:
    """Yield a sandbox whose members show little by default."""
    del engine  # the other engine has a separate server
    with Server("sandbox", environment=HIDING) as server, WireClient(server) as wire:
        yield wire


def account_with_data(wire: WireClient) -> Account:
    """Return an account with all personal data saved."""
    account = wire.account(phone=wire.fresh_phone())
    assert wire.post("user/save-user-data", SAVED, token=account.token).code == 1
    return account


def profile(wire: WireClient, account: Account, token: str) -> pb.Message:
    """Return profile_info as the owner of a token sees it."""
    return wire.get_user(account.id, token=token).pb_data.message(19)


def test_shown_by_default(wire: WireClient) -> None:
    """Unless the server or the account hides it, all saved data is shown (wire.md 3)."""
    account = account_with_data(wire)
    for token in ("x", wire.account().token, account.token):
        seen = profile(wire, account, token)
        assert (seen.text(2), seen.number(3), seen.number(4)) == ("湖畔的人", 2, 1_231_231_230)
        assert (seen.text(5), seen.text(6)) == ("杭州市", "西湖区")
        assert seen.text(7)
        assert len(seen.text(1)) == len("2033-05-18 11:33:20")


def test_hidden_from_others(hiding: WireClient) -> None:
    """Hidden data is in no response to others, in any format (security D4)."""
    account = account_with_data(hiding)
    for token in ("x", hiding.account().token):
        seen = profile(hiding, account, token)
        assert seen.kinds() == {2: pb.LENGTH, 3: pb.VARINT}
        body = hiding.get_user(account.id, token=token).body.decode("latin-1")
        assert "西湖区".encode().decode("latin-1") not in body
        headers = {"content-type": "application/json"}
        reply = hiding.request(
            "POST", "/v1/user/get-user", {"id": account.id}, token=token, headers=headers
        )
        assert "西湖" not in reply.text
        assert "1231231230" not in reply.text
        assert hiding.get_user(account.id, token=token).pb_data.text(20) == ""


def test_an_account_always_sees_its_own_data(hiding: WireClient) -> None:
    """An account reads all its own data (wire.md 4 get-user-data)."""
    account = account_with_data(hiding)
    data = hiding.post("user/get-user-data", token=account.token).data
    assert data is not None
    own = data["data"]
    assert isinstance(own, dict)
    assert {key: own[key] for key in SAVED} == SAVED
    seen = profile(hiding, account, account.token)
    assert (seen.number(4), seen.text(5), seen.text(6)) == (1_231_231_230, "杭州市", "西湖区")


def test_codes_of_places_stay_private(wire: WireClient) -> None:
    """get-user has no locationCode (wire.md 3)."""
    account = account_with_data(wire)
    assert b"330106" not in wire.get_user(account.id).body


SAVE_DATA, GET = "user/save-user-data", "user/get-user-data"
DONE = b'{"code":1,"msg":"success"}'
TYPES: dict[str, type] = {
    "id": int, "userId": str, "lastLoginTime": int, "update_time": int, "introduction": str,
    "gender": int, "birthday": int, "province": str, "city": str, "district": str,
    "locationCode": str,
}  # fmt: skip
WHOLE_RECORD: dict[str, object] = {
    "introduction": "111\n湖畔", "gender": 3, "birthday": 1_231_231_230, "province": "北京市",
    "city": "北京城区", "district": "东城区", "locationCode": "110101",
}  # fmt: skip
FRESH: dict[str, object] = {
    "introduction": "", "gender": 0, "birthday": 0, "province": "", "city": "", "district": "",
    "locationCode": "",
}  # fmt: skip
TEXTS = ("introduction", "province", "city", "district", "locationCode")
NO_TEXT: list[object] = [5, 1.5, True, [], ["a"], {}]
NO_NUMBER: list[object] = ["1", "", 1.0, 1.5, True, [], [1], {}]
BAD: dict[str, list[object]] = {
    "introduction": ["湖" * 501, "a\x00b", "\u202e", "a" * 9000],
    "gender": [-1, 4, 2**31, 2**53, 2**63, 10**30],
    "birthday": [-2_208_988_801, -(2**53), 2**53 - 1, 2**53, 2**63, 10**30],
    "province": ["湖" * 33, "a\nb", "a" * 300],
    "city": ["湖" * 33, "a\tb", "\u200b"],
    "district": ["湖" * 33, "\u2066a\u2069"],
    "locationCode": ["1", "1101012", "11010a", "１１０１０１", "110101 ", "a" * 100],
}
BAD_VALUES = [(field, value) for field, values in BAD.items() for value in values]
WRONG_TYPES = [
    (field, value) for field in BAD for value in (NO_TEXT if field in TEXTS else NO_NUMBER)
]


def own_record(wire: WireClient, token: str) -> dict[str, object]:
    """Return the data of get-user-data, with keys and types checked."""
    answer = wire.post(GET, b"", token=token)
    assert answer.code == 1
    assert answer.data is not None
    assert set(answer.data) == {"data"}
    data = answer.data["data"]
    assert isinstance(data, dict)
    assert {key: type(value) for key, value in data.items()} == TYPES
    return data


def parts_of(data: dict[str, object]) -> dict[str, object]:
    """Return only the fields that can be saved."""
    return {key: data[key] for key in WHOLE_RECORD}


def test_a_fresh_account_has_all_keys(wire: WireClient) -> None:
    """All eleven exist, none null: id as a number, userId as a text, two times (wire.md 4)."""
    account = wire.account()
    data = own_record(wire, account.token)
    assert parts_of(data) == FRESH
    assert (data["id"], data["userId"]) == (int(account.id), account.id)


def test_times_follow_sign_in_and_save(own_wire: WireClient) -> None:
    """The times are those of the last sign-in on any device, and of the last save."""
    own_wire.set_clock(set=NOW)
    phone = own_wire.fresh_phone()
    token = own_wire.account(phone=phone, deviceId="a").token
    own_wire.set_clock(set=NOW + 1000)
    own_wire.signed_in(phone, deviceId="b")
    own_wire.set_clock(set=NOW + 2000)
    assert own_wire.post(SAVE_DATA, {"gender": 1}, token=token).code == 1
    own_wire.set_clock(set=NOW + 3000)
    data = own_record(own_wire, token)
    assert isinstance(data["lastLoginTime"], int)
    assert isinstance(data["update_time"], int)
    assert 0 <= data["lastLoginTime"] - (NOW + 1000) < 60
    assert 0 <= data["update_time"] - (NOW + 2000) < 60


def test_what_is_saved_comes_back(wire: WireClient) -> None:
    """The saved values are returned unchanged."""
    token = wire.account().token
    body = json.dumps(WHOLE_RECORD, ensure_ascii=False).encode()
    assert wire.post(SAVE_DATA, body, token=token).body == DONE
    assert parts_of(own_record(wire, token)) == WHOLE_RECORD


@pytest.mark.parametrize(
    "part", [{"introduction": "新"}, {"gender": 0, "birthday": 0}, {"city": "", "x": 1}, {}]
)
def test_keys_that_are_absent_stay(wire: WireClient, part: dict[str, object]) -> None:
    """Some clients send two of the seven (wire.md 4)."""
    token = wire.account().token
    wire.post(SAVE_DATA, WHOLE_RECORD, token=token)
    assert wire.post(SAVE_DATA, part, token=token).body == DONE
    saved = {key: value for key, value in part.items() if key in WHOLE_RECORD}
    assert parts_of(own_record(wire, token)) == WHOLE_RECORD | saved


@pytest.mark.slow
@pytest.mark.one_engine
def test_a_bad_value_is_named(wire: WireClient, subtests: pytest.Subtests) -> None:
    """A bad value is 1100 with the wire name, and nothing of the request is saved."""
    for field, value in BAD_VALUES + WRONG_TYPES:
        with subtests.test(field=field, value=value):
            token = wire.account().token
            body = {**WHOLE_RECORD, field: value}
            assert refused_field(wire.post(SAVE_DATA, body, token=token)) == field
            assert parts_of(own_record(wire, token)) == FRESH


def test_others_see_it(wire: WireClient) -> None:
    """profile_info of get-user has it, field by field (wire.md 3)."""
    account = wire.account()
    wire.own_info(account.token)
    wire.post(SAVE_DATA, WHOLE_RECORD, token=account.token)
    info = wire.get_user(account.id).pb_data.message(19)
    assert info.kinds() == {1: 2, 2: 2, 3: 0, 4: 0, 5: 2, 6: 2, 7: 2}
    assert len(info.text(1)) == len("2025-08-09 00:04:00")
    assert (info.text(2), info.number(3), info.number(4)) == ("111\n湖畔", 3, 1_231_231_230)
    assert (info.text(5), info.text(6)) == ("北京城区", "东城区")
    assert info.text(7) == "北京市 北京城区 东城区"


def test_a_fresh_account_has_a_profile_too(wire: WireClient) -> None:
    """It only has the time of the last activity."""
    info = wire.get_user(wire.account().id).pb_data.message(19)
    assert set(info.kinds()) == {1}


@pytest.fixture
def hiding_server() -> Iterator[WireClient]:
    """Yield a server that shows little of accounts without a choice."""
    names = ("BIRTHDAY", "ADDRESS", "LAST_ACTIVE", "COUNTRY")
    settings = {f"HUPAN_SHOW_{name}": "false" for name in names}
    with Server("sandbox", environment=settings) as server, WireClient(server) as client:
        yield client


@pytest.mark.slow
@pytest.mark.one_engine
def test_the_server_may_hide_it(hiding_server: WireClient) -> None:
    """Introduction and gender stay visible; the owner sees all (security D4)."""
    account = hiding_server.account()
    hiding_server.post(SAVE_DATA, WHOLE_RECORD, token=account.token)
    for token in ("x", hiding_server.account().token):
        data = hiding_server.get_user(account.id, token=token).pb_data
        assert data.message(19).kinds() == {2: 2, 3: 0}
        assert not data.has(20)
    own = hiding_server.get_user(account.id, token=account.token).pb_data.message(19)
    assert set(own.kinds()) == set(range(1, 8))
