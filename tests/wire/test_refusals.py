"""Every refusal has a code of its own and its words in both languages (wire.md 2)."""

import re
from collections.abc import Callable, Mapping

import pytest

from tests.wire.answers import Answer
from tests.wire.client import WireClient
from tests.wire.ways import EMAIL, FORGET, PHONE, WAYS, Way

pytestmark = pytest.mark.one_engine

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = {"accept-language": "en"}
CHANGE_CODE = "user/invite/change-user-invite-code"
NOW = 2_000_000_000
Headers = Mapping[str, str]
Refusal = Callable[[WireClient, Headers], Answer]


def already_bound(wire: WireClient, headers: Headers, way: Way = PHONE) -> Answer:
    """Bind a second one."""
    token, target = wire.account(**{way.field: way.fresh(wire)}).token, way.fresh(wire)
    body = {way.field: target, "captcha": way.code(wire, target)}
    return wire.post(way.bind_path, body, token=token, headers=headers)


def not_bound(wire: WireClient, headers: Headers, way: Way = PHONE) -> Answer:
    """Change what is not there."""
    token, target = wire.account().token, way.fresh(wire)
    body = {way.field: target, "captcha": way.code(wire, target)}
    return wire.post(way.change_path, body, token=token, headers=headers)


def wrong_code(wire: WireClient, headers: Headers, way: Way = PHONE) -> Answer:
    """Bind with a wrong code."""
    token, target = wire.account().token, way.fresh(wire)
    body = {way.field: target, "captcha": wire.wrong_code(way.code(wire, target))}
    return wire.post(way.bind_path, body, token=token, headers=headers)


def weak_password(wire: WireClient, headers: Headers) -> Answer:
    """Set a password that everybody knows."""
    email = wire.fresh_email()
    wire.account(email=email)
    body = {"email": email, "captcha": EMAIL.code(wire, email), "password": "password"}
    return wire.post(FORGET, body, headers=headers)


def without_vip(wire: WireClient, headers: Headers) -> Answer:
    """Ask for what is for VIP alone."""
    token = wire.account().token
    return wire.post("user/module-ignore-info", {"deviceId": "d"}, token=token, headers=headers)


def taken_invitation(wire: WireClient, headers: Headers) -> Answer:
    """Ask for the invitation code of another."""
    code = wire.own_info(wire.account().token).pb_data.text(12)
    return wire.post(CHANGE_CODE, {"code": code}, token=wire.account().token, headers=headers)


def second_invitation(wire: WireClient, headers: Headers) -> Answer:
    """Change the invitation code twice."""
    token = wire.account().token
    codes = [wire.own_info(wire.account().token).pb_data.text(12)[::-1] for _ in range(2)]
    assert wire.post(CHANGE_CODE, {"code": codes[0]}, token=token).code == 1
    return wire.post(CHANGE_CODE, {"code": codes[1]}, token=token, headers=headers)


def no_such_user(wire: WireClient, headers: Headers) -> Answer:
    """Ask for nobody."""
    return wire.post("user/get-user", b"\x12\x0f" + b"9" * 15, token="x", headers=headers)


REFUSALS: list[Refusal] = [
    already_bound,
    not_bound,
    wrong_code,
    weak_password,
    without_vip,
    taken_invitation,
    second_invitation,
    no_such_user,
]


def test_each_has_its_own_code(wire: WireClient) -> None:
    """No two different refusals share a code, and none is the general one (wire.md 2)."""
    codes = [refuse(wire, {}).code for refuse in REFUSALS]
    assert len(set(codes)) == len(codes), codes
    assert not {1, 1100, -101} & set(codes)


@pytest.mark.parametrize("refuse", REFUSALS)
def test_each_speaks_both_languages(wire: WireClient, refuse: Refusal) -> None:
    """A refusal keeps its code and changes its words (wire.md 2)."""
    chinese, english = refuse(wire, {}), refuse(wire, ENGLISH)
    assert chinese.code == english.code
    assert CHINESE.search(chinese.msg)
    assert not CHINESE.search(english.msg)


@pytest.mark.parametrize("way", WAYS, ids=["phone", "email"])
@pytest.mark.parametrize("refuse", [already_bound, not_bound, wrong_code])
def test_both_ways_are_refused(
    wire: WireClient, way: Way, refuse: Callable[[WireClient, Headers, Way], Answer]
) -> None:
    """What holds for a phone holds for an e-mail (wire.md 4)."""
    assert refuse(wire, {}, way).code > 1


def test_step_up_has_its_own_code(own_wire: WireClient) -> None:
    """Who must confirm the old number first is told so, not that the code is wrong (D2)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account(phone=own_wire.fresh_phone()).token
    own_wire.set_clock(set=NOW + 3600)
    target = own_wire.fresh_phone()
    answer = PHONE.change(own_wire, token, target, PHONE.code(own_wire, target))
    assert answer.code > 1
    assert answer.code not in {1100, wrong_code(own_wire, {}).code, not_bound(own_wire, {}).code}
