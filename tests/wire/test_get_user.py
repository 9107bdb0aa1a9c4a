"""The public account (wire.md 3 get-user, 4 user/get-user, security D4)."""

import pytest

from tests.support import pb
from tests.support.answers import TOKEN_SHAPE
from tests.support.client import WireClient

NOW = 2_000_000_000
NOW_IN_SHANGHAI = "2033-05-18 11:33:20"
DAY_SECONDS = 86_400
UNKNOWN_ID = "999999999999999"
UNKNOWN_TAIL = bytes.fromhex("10 b222 1a12 e8afa5e794a8e688b7e4b88de5ad98e59ca8")
# Field number -> wire type, from wire.md 3; the response must have no other field.
FIELDS = {1: 2, 2: 2, 3: 0, 4: 2, 5: 0, 6: 2, 7: 2, 10: 0, 11: 0, 12: 0, 13: 0, 14: 0}
FIELDS |= {15: 0, 18: 2, 19: 2, 20: 2, 21: 2}
ANY_TOKENS = ["x", "0", "not a token", "01234567-89ab-4cde-8f01-23456789abcd", "令牌", "%00"]


def test_golden_request_and_answer(wire: WireClient) -> None:
    """A request of literal bytes returns the user (wire.md 3)."""
    account = wire.account(nickname="湖畔")
    request = b"\x12" + bytes([len(account.id)]) + account.id.encode()
    answer = wire.post("user/get-user", request, token="any")
    status = b"\x08" + pb.varint(answer.request_id) + bytes.fromhex("1001 1a07 73756363657373")
    assert answer.body.startswith(b"\x0a" + pb.varint(len(status)) + status + b"\x12")
    named = b"\x0a" + bytes([len(account.id)]) + account.id.encode()
    assert named + bytes.fromhex("1206 e6b996e79594") in answer.body


def test_unknown_id_is_4402(wire: WireClient) -> None:
    """An unknown id is 4402 without data, byte for byte (wire.md 1.6, 2)."""
    answer = wire.get_user(UNKNOWN_ID)
    assert (answer.code, answer.msg) == (4402, "该用户不存在")
    status = b"\x08" + pb.varint(answer.request_id) + UNKNOWN_TAIL
    assert answer.body == b"\x0a" + pb.varint(len(status)) + status


@pytest.mark.one_engine
@pytest.mark.parametrize("token", ANY_TOKENS)
def test_any_token_will_do(wire: WireClient, token: str) -> None:
    """Any token that is not empty is accepted (wire.md 4)."""
    account = wire.account(nickname="n")
    data = wire.get_user(account.id, token=token).pb_data
    assert (data.text(1), data.text(2)) == (account.id, "n")


@pytest.mark.one_engine
def test_bearer_will_do(wire: WireClient) -> None:
    """The fallback header accepts any token too (wire.md 1.2)."""
    account = wire.account()
    answer = wire.post(
        "user/get-user", pb.text(2, account.id), headers={"authorization": "Bearer x"}
    )
    assert answer.pb_data.text(1) == account.id


@pytest.mark.parametrize("fields", [{}, {"coins": 5, "vipDays": 3, "medals": ["一", "二"]}])
def test_fields(wire: WireClient, fields: dict[str, object]) -> None:
    """The response has only the contract's fields, each of its type (wire.md 3)."""
    account = wire.account(phone=wire.fresh_phone(), email=wire.fresh_email(), **fields)
    for token in ("x", account.token):
        data = wire.get_user(account.id, token=token).pb_data
        assert data.kinds().items() <= FIELDS.items()
        assert (data.number(10), data.text(21)) == (0, "")
        assert all(value < 2**53 for _, _, value in data.fields if isinstance(value, int))


def test_nothing_private_is_shown(wire: WireClient) -> None:
    """A public response has no phone, e-mail or token of a user (security D4, J8)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, password="long enough 1")
    for token in ("x", account.token, wire.account().token):
        body = wire.get_user(account.id, token=token).body.decode("latin-1")
        assert phone not in body
        assert email not in body
        assert not TOKEN_SHAPE.search(body)


def test_stranger_sees_no_remarks(wire: WireClient) -> None:
    """Without a valid token remark_info is not filled (wire.md 4, security D4)."""
    data = wire.get_user(wire.account().id, token="x").pb_data
    assert data.message(18).fields == ()


def test_medals_are_sorted(wire: WireClient) -> None:
    """Medals are field 6 with id, name and sort, in the order of sort (wire.md 3)."""
    names = ["测试勋章", "Early bird", "湖畔"]
    medals = wire.get_user(wire.account(medals=names).id).pb_data.messages(6)
    assert {medal.text(2) for medal in medals} == set(names)
    assert len({medal.number(1) for medal in medals}) == len(names)
    assert all(medal.number(1) > 0 for medal in medals)
    assert all(medal.kinds().items() <= {1: 0, 2: 2, 5: 0}.items() for medal in medals)
    sorts = [medal.number(5) for medal in medals]
    assert sorts == sorted(sorts)
    assert wire.get_user(wire.account().id).pb_data.messages(6) == []


def test_register_time_is_shanghais(own_wire: WireClient) -> None:
    """register_time is the wall clock of Asia/Shanghai (wire.md 1.11)."""
    own_wire.set_clock(set=NOW)
    told = own_wire.get_user(own_wire.account().id).pb_data.text(7)
    assert told[:17] == NOW_IN_SHANGHAI[:17]
    assert 20 <= int(told[17:]) < 50


def test_vip_is_public_and_ends(own_wire: WireClient) -> None:
    """is_vip, vip_expired_time and vip_status follow the clock (wire.md 3)."""
    own_wire.set_clock(set=NOW)
    plain, vip = own_wire.account(), own_wire.account(vipDays=1)
    data = own_wire.get_user(plain.id).pb_data
    assert (data.number(13), data.number(14), data.number(15)) == (0, 0, 0)
    data = own_wire.get_user(vip.id).pb_data
    assert (data.number(13), data.number(15)) == (1, 1)
    assert abs(data.number(14) - (NOW + DAY_SECONDS)) < 60
    own_wire.set_clock(set=NOW + 2 * DAY_SECONDS)
    data = own_wire.get_user(vip.id).pb_data
    assert (data.number(13), data.number(15)) == (0, 2)


def test_online_days(own_wire: WireClient) -> None:
    """A day counts once a request has the account's token (wire.md 5)."""
    own_wire.set_clock(set=NOW)
    account = own_wire.account()

    def days_after(seconds: int) -> tuple[int, int]:
        own_wire.set_clock(set=NOW + seconds)
        assert own_wire.own_info(account.token).code == 1
        data = own_wire.get_user(account.id).pb_data
        return data.number(11), data.number(12)

    # 11:33 in Shanghai: the next day begins 12 h 26 min 40 s later.
    midnight = 44_800
    assert days_after(0) == (1, 1)
    assert days_after(midnight - 60) == (1, 1)
    assert days_after(midnight) == (2, 2)
    assert days_after(midnight + DAY_SECONDS) == (3, 3)
    assert days_after(midnight + 3 * DAY_SECONDS) == (4, 1)


def test_new_account_is_found_at_once(wire: WireClient) -> None:
    """An account created by a sign-in is found under its id (wire.md 4)."""
    token = wire.signed_in(wire.fresh_phone())
    user_id = wire.own_info(token).pb_data.text(1)
    assert wire.get_user(user_id).pb_data.text(1) == user_id


@pytest.mark.parametrize(
    "user_id", ["a", "-1", "0", "1", "1.0", "1e7", "9" * 19, "9" * 40, "x" * 500, "' or 1=1 --"]
)
def test_odd_ids_find_no_user(wire: WireClient, user_id: str) -> None:
    """A malformed user id is unknown or invalid, never a server error (wire.md 2)."""
    assert wire.get_user(user_id).code in {4402, 1100}


@pytest.mark.one_engine
@pytest.mark.parametrize("zero", ["\u0660", "\uff10"])
def test_foreign_digits_are_no_id(wire: WireClient, zero: str) -> None:
    """An id only has ASCII digits (security I7)."""
    account = wire.account()
    foreign = "".join(chr(ord(zero) + int(digit)) for digit in account.id)
    assert wire.get_user(foreign).code in {4402, 1100}
    assert wire.get_user(account.id + "\n").code in {4402, 1100}
    assert wire.get_user(account.id + "\x00").code in {4402, 1100}
