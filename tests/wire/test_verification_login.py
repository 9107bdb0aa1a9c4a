"""Signing in with an SMS code (wire.md 4 user/verification-login, 5)."""

import pytest

from tests.support.answers import TOKEN_SHAPE, assert_refused
from tests.support.client import WireClient

LOGIN = "user/verification-login"


def test_answer_is_exactly_a_token(wire: WireClient) -> None:
    """Success is exactly {code, data: {token}, msg} (wire.md 4)."""
    phone = wire.fresh_phone()
    body = {
        "mobile": phone,
        "captcha": wire.sms_code(phone),
        "deviceId": "awa",
        "platform": "windows",
    }
    reply = wire.request("POST", f"/v1/{LOGIN}", body).json()
    token = reply["data"]["token"]
    assert reply == {"code": 1, "data": {"token": token}, "msg": "success"}
    assert TOKEN_SHAPE.fullmatch(token)


def test_unknown_number_becomes_an_account(wire: WireClient) -> None:
    """A new number gets a new account, with the number and nothing else (wire.md 4)."""
    phone = wire.fresh_phone()
    data = wire.own_info(wire.signed_in(phone)).pb_data
    assert data.text(6) == phone
    assert data.text(7) == ""
    assert data.text(1).isdecimal()
    assert len(data.text(1)) >= 7


def test_known_number_keeps_its_account(wire: WireClient) -> None:
    """A later sign-in leads to the same account (wire.md 4)."""
    phone = wire.fresh_phone()
    first = wire.own_info(wire.signed_in(phone, deviceId="a")).pb_data.text(1)
    second = wire.own_info(wire.signed_in(phone, deviceId="b")).pb_data.text(1)
    assert first == second
    seeded = wire.account(phone=wire.fresh_phone())
    number = wire.own_info(seeded.token).pb_data.text(6)
    assert wire.own_info(wire.signed_in(number)).pb_data.text(1) == seeded.id


def test_ids_ascend(wire: WireClient) -> None:
    """A later account has a greater id (wire.md 5)."""
    ids = [int(wire.own_info(wire.signed_in(wire.fresh_phone())).pb_data.text(1)) for _ in range(4)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"deviceId": "awa"},
        {"platform": "windows"},
        {"deviceId": "", "platform": ""},
        {"deviceId": "设备 ✓ 1", "platform": "我的客户端"},
        {"deviceId": "d" * 128, "platform": "p" * 128},
        {"deviceId": "d" * 1024, "platform": "p" * 20_000},
        {"deviceId": None, "platform": None},
        {"nonsense": 1, "nested": {"a": [None, True, 1.5]}, "": ""},
        {"big": 10**30, "small": -(2**70)},
    ],
)
def test_device_and_platform_are_free(wire: WireClient, extra: dict[str, object]) -> None:
    """Both platform and deviceId are free text and may be missing (wire.md 4, security T8)."""
    assert wire.own_info(wire.signed_in(wire.fresh_phone(), **extra)).code == 1


@pytest.mark.one_engine
@pytest.mark.parametrize("asked", ["{}", "+86{}", "86{}"])
@pytest.mark.parametrize("used", ["{}", "+86{}", "86{}"])
def test_country_prefix_is_dropped(wire: WireClient, asked: str, used: str) -> None:
    """A leading +86 or 86 is the same number, in the request and in the sign-in (wire.md 5)."""
    phone = wire.fresh_phone()
    code = wire.sms_code(asked.format(phone), sent_to=phone)
    token = wire.sign_in(used.format(phone), code).text("token")
    assert wire.own_info(token).pb_data.text(6) == phone


def test_same_device_replaces_its_session(wire: WireClient) -> None:
    """A new sign-in of the same user and device ends the old session (wire.md 5, T3)."""
    phone = wire.fresh_phone()
    old, new = (wire.signed_in(phone, deviceId="one") for _ in range(2))
    assert old != new
    assert wire.own_info(old).code == -101
    assert wire.own_info(new).code == 1


def test_other_device_has_its_own_session(wire: WireClient) -> None:
    """Sessions of two devices coexist (wire.md 5)."""
    phone = wire.fresh_phone()
    tokens = [wire.signed_in(phone, deviceId=device) for device in ("one", "ONE", "two")]
    assert [wire.own_info(token).code for token in tokens] == [1, 1, 1]


@pytest.mark.parametrize("first", [{}, {"deviceId": ""}, {"deviceId": None}])
@pytest.mark.parametrize("second", [{}, {"deviceId": ""}, {"deviceId": None}])
def test_no_device_is_a_separate_device(
    wire: WireClient, first: dict[str, object], second: dict[str, object]
) -> None:
    """A sign-in with no deviceId, absent, null or "", ends no other session (wire.md 5, T3)."""
    phone = wire.fresh_phone()
    tokens = [wire.signed_in(phone, **extra) for extra in ({"deviceId": "d"}, first, second)]
    assert [wire.own_info(token).code for token in tokens] == [1, 1, 1]


def test_device_is_not_unique_across_users(wire: WireClient) -> None:
    """Two users may share a deviceId without affecting each other (wire.md 5)."""
    tokens = [wire.signed_in(wire.fresh_phone(), deviceId="constant") for _ in range(3)]
    assert [wire.own_info(token).code for token in tokens] == [1, 1, 1]
    assert len({wire.own_info(token).pb_data.text(1) for token in tokens}) == 3


@pytest.mark.one_engine
def test_client_cannot_choose_its_token(wire: WireClient) -> None:
    """A token sent in header or body never becomes the session's (security T3)."""
    phone, chosen = wire.fresh_phone(), "01234567-89ab-4cde-8f01-23456789abcd"
    body = {"mobile": phone, "captcha": wire.sms_code(phone), "token": chosen}
    token = wire.post(LOGIN, body, token=chosen).text("token")
    assert token != chosen
    assert wire.own_info(chosen).code == -101


@pytest.mark.one_engine
def test_body_sets_nothing_else(wire: WireClient) -> None:
    """Fields of an account in the body of a sign-in change nothing (security Z3)."""
    plain = wire.own_info(wire.signed_in(wire.fresh_phone())).pb_data
    greedy = wire.own_info(
        wire.signed_in(
            wire.fresh_phone(),
            coin=99999,
            coins=99999,
            isVip=1,
            is_vip=1,
            vipDays=30,
            vipExpiredTime=4_000_000_000,
            userId=plain.text(1),
            id=plain.text(1),
            role="admin",
            verified=True,
            banTime=0,
            email="greedy@example.com",
        )
    ).pb_data
    assert greedy.double(8) == plain.double(8)
    assert (greedy.number(9), greedy.number(10), greedy.number(11)) == (0, 0, 0)
    assert greedy.text(7) == ""
    assert greedy.text(1) != plain.text(1)


@pytest.mark.one_engine
def test_without_a_code_there_is_no_sign_in(wire: WireClient) -> None:
    """A number without a requested code cannot sign in (wire.md 4)."""
    known = wire.fresh_phone()
    wire.account(phone=known)
    for phone in (known, wire.fresh_phone()):
        for code in ("000000", "123456", ""):
            assert_refused(wire.sign_in(phone, code))
