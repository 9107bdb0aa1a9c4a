"""The caller's own account (wire.md 3 own info, 4 user/info)."""

import pytest

from tests.support import pb
from tests.support.client import WireClient

NOW = 2_000_000_000
DAY_SECONDS = 86_400
# Field number -> wire type, from wire.md 3; the response must have no other field.
FIELDS = {1: 2, 2: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 1, 9: 0, 10: 0, 11: 0, 12: 2}


def test_seeded_account_is_returned_whole(wire: WireClient) -> None:
    """Every field of the account has its number (wire.md 3)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, nickname="测试用户", coins=123, vipDays=30)
    answer = wire.own_info(account.token)
    assert (answer.form, answer.code, answer.msg) == ("protobuf", 1, "success")
    data = answer.pb_data
    assert data.kinds().items() <= FIELDS.items()
    assert (data.text(1), data.text(2)) == (account.id, "测试用户")
    assert (data.text(6), data.text(7)) == (phone, email)
    assert data.double(8) == 123.0
    assert (data.number(9), data.number(11)) == (1, 1)


def test_golden_bytes(wire: WireClient) -> None:
    """The predictable part is exactly these bytes, in the order of the field numbers."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, nickname="湖畔", coins=123)
    answer = wire.own_info(account.token)
    status = b"\x08" + pb.varint(answer.request_id) + bytes.fromhex("1001 1a07 73756363657373")
    start = b"\x0a" + pb.varint(len(status)) + status + b"\x12"
    assert answer.body.startswith(start)
    named = b"\x0a" + bytes([len(account.id)]) + account.id.encode()
    assert named + bytes.fromhex("1206 e6b996e79594") in answer.body
    bound = b"\x32\x0b" + phone.encode() + b"\x3a" + bytes([len(email)]) + email.encode()
    assert bound + bytes.fromhex("41 0000000000c05e40") in answer.body


def test_fresh_account(wire: WireClient) -> None:
    """A fresh account has no e-mail and no VIP, and an account without a phone no phone."""
    data = wire.own_info(wire.signed_in(wire.fresh_phone())).pb_data
    assert data.kinds().items() <= FIELDS.items()
    assert data.text(7) == ""
    assert (data.number(9), data.number(10), data.number(11)) == (0, 0, 0)
    assert data.double(8) >= 0
    bare = wire.own_info(wire.account(email=wire.fresh_email()).token).pb_data
    assert bare.text(6) == ""


@pytest.mark.parametrize("coins", [0, 0.01, 0.1, 12.34, 55.01, 57, 1_000_000.99])
def test_coins_are_a_double(wire: WireClient, coins: float) -> None:
    """Coins are a double with at most two decimals (wire.md 3, 5)."""
    assert wire.own_info(wire.account(coins=coins).token).pb_data.double(8) == coins


def test_vip_ends(own_wire: WireClient) -> None:
    """is_vip, vip_status and vip_expired_time follow the clock (wire.md 3)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account(vipDays=1).token
    active = own_wire.own_info(token).pb_data
    assert (active.number(9), active.number(11)) == (1, 1)
    assert abs(active.number(10) - (NOW + DAY_SECONDS)) < 60
    own_wire.set_clock(set=NOW + 2 * DAY_SECONDS)
    ended = own_wire.own_info(token).pb_data
    assert (ended.number(9), ended.number(11)) == (0, 2)


def test_integers_stay_small(wire: WireClient) -> None:
    """Every 64-bit integer stays below 2^53 (wire.md 1.10)."""
    data = wire.own_info(wire.account(vipDays=36_500).token).pb_data
    assert all(value < 2**53 for _, _, value in data.fields if isinstance(value, int))


def test_each_token_sees_its_own(wire: WireClient) -> None:
    """A token only returns its own account (security J8)."""
    accounts = [wire.account(phone=wire.fresh_phone()) for _ in range(5)]
    told = [wire.own_info(account.token).pb_data.text(1) for account in accounts]
    assert told == [account.id for account in accounts]
