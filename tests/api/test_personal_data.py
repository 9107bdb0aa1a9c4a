"""What accounts tell of themselves over HTTP (wire.md 3 profile_info, 4 save-user-data)."""

import json
from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.wire.answers import refused_field
from tests.wire.client import WireClient

SAVE, GET = "user/save-user-data", "user/get-user-data"
DONE = b'{"code":1,"msg":"success"}'
NOW = 2_000_000_000
TYPES: dict[str, type] = {
    "id": int, "userId": str, "lastLoginTime": int, "update_time": int, "introduction": str,
    "gender": int, "birthday": int, "province": str, "city": str, "district": str,
    "locationCode": str,
}  # fmt: skip
WHOLE: dict[str, object] = {
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


def own_data(wire: WireClient, token: str) -> dict[str, object]:
    """What get-user-data tells, its keys and their types checked."""
    answer = wire.post(GET, b"", token=token)
    assert answer.code == 1
    assert answer.data is not None
    assert set(answer.data) == {"data"}
    data = answer.data["data"]
    assert isinstance(data, dict)
    assert {key: type(value) for key, value in data.items()} == TYPES
    return data


def parts_of(data: dict[str, object]) -> dict[str, object]:
    """Only what can be saved."""
    return {key: data[key] for key in WHOLE}


def test_a_fresh_account_has_all_keys(wire: WireClient) -> None:
    """All eleven, none null: a number as id, text as userId, two times (wire.md 4)."""
    account = wire.account()
    data = own_data(wire, account.token)
    assert parts_of(data) == FRESH
    assert (data["id"], data["userId"]) == (int(account.id), account.id)


def test_times_follow_sign_in_and_save(own_wire: WireClient) -> None:
    """The last sign-in on any device, and the last save."""
    own_wire.set_clock(set=NOW)
    phone = own_wire.fresh_phone()
    token = own_wire.account(phone=phone, deviceId="a").token
    own_wire.set_clock(set=NOW + 1000)
    own_wire.signed_in(phone, deviceId="b")
    own_wire.set_clock(set=NOW + 2000)
    assert own_wire.post(SAVE, {"gender": 1}, token=token).code == 1
    own_wire.set_clock(set=NOW + 3000)
    data = own_data(own_wire, token)
    assert isinstance(data["lastLoginTime"], int)
    assert isinstance(data["update_time"], int)
    assert 0 <= data["lastLoginTime"] - (NOW + 1000) < 60
    assert 0 <= data["update_time"] - (NOW + 2000) < 60


def test_what_is_saved_comes_back(wire: WireClient) -> None:
    """Bytes in, the same values out."""
    token = wire.account().token
    body = json.dumps(WHOLE, ensure_ascii=False).encode()
    assert wire.post(SAVE, body, token=token).body == DONE
    assert parts_of(own_data(wire, token)) == WHOLE


@pytest.mark.parametrize(
    "part", [{"introduction": "新"}, {"gender": 0, "birthday": 0}, {"city": "", "x": 1}, {}]
)
def test_absent_keys_stay(wire: WireClient, part: dict[str, object]) -> None:
    """Some clients send two of the seven (wire.md 4)."""
    token = wire.account().token
    wire.post(SAVE, WHOLE, token=token)
    assert wire.post(SAVE, part, token=token).body == DONE
    saved = {key: value for key, value in part.items() if key in WHOLE}
    assert parts_of(own_data(wire, token)) == WHOLE | saved


@pytest.mark.one_engine
@pytest.mark.parametrize(("field", "value"), BAD_VALUES + WRONG_TYPES)
def test_a_bad_value_is_named(wire: WireClient, field: str, value: object) -> None:
    """1100 with the wire name, and nothing of the request is kept."""
    token = wire.account().token
    body = {**WHOLE, field: value}
    assert refused_field(wire.post(SAVE, body, token=token)) == field
    assert parts_of(own_data(wire, token)) == FRESH


def test_others_see_it(wire: WireClient) -> None:
    """profile_info of get-user, field by field (wire.md 3)."""
    account = wire.account()
    wire.own_info(account.token)
    wire.post(SAVE, WHOLE, token=account.token)
    info = wire.get_user(account.id).pb_data.message(19)
    assert info.kinds() == {1: 2, 2: 2, 3: 0, 4: 0, 5: 2, 6: 2, 7: 2}
    assert len(info.text(1)) == len("2025-08-09 00:04:00")
    assert (info.text(2), info.number(3), info.number(4)) == ("111\n湖畔", 3, 1_231_231_230)
    assert (info.text(5), info.text(6)) == ("北京城区", "东城区")
    assert info.text(7) == "北京市 北京城区 东城区"


def test_a_fresh_account_has_a_profile_too(wire: WireClient) -> None:
    """Nothing in it but when it was last active."""
    info = wire.get_user(wire.account().id).pb_data.message(19)
    assert set(info.kinds()) == {1}


@pytest.fixture
def discreet() -> Iterator[WireClient]:
    """A server that shows little of accounts that made no choice."""
    names = ("BIRTHDAY", "ADDRESS", "LAST_ACTIVE", "COUNTRY")
    settings = {f"HUPAN_SHOW_{name}": "false" for name in names}
    with Server("sandbox", environment=settings) as server, WireClient(server) as client:
        yield client


@pytest.mark.one_engine
def test_the_server_may_hide_it(discreet: WireClient) -> None:
    """Introduction and gender stay; the owner goes on seeing all (security D4)."""
    account = discreet.account()
    discreet.post(SAVE, WHOLE, token=account.token)
    for token in ("x", discreet.account().token):
        data = discreet.get_user(account.id, token=token).pb_data
        assert data.message(19).kinds() == {2: 2, 3: 0}
        assert not data.has(20)
    own = discreet.get_user(account.id, token=account.token).pb_data.message(19)
    assert set(own.kinds()) == set(range(1, 8))
