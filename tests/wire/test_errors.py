"""Every refusal has its own code and its message in both languages (wire.md 2).

Chinese is the default, English on request (wire.md 2).
"""

import re
from collections.abc import Callable, Mapping

import pytest

from tests.support import pb
from tests.support.answers import Answer, read_answer, refused_field
from tests.support.channels import CONTACT_CHANNELS, EMAIL, FORGET, PHONE, ContactChannel
from tests.support.client import WireClient

pytestmark = pytest.mark.one_engine

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = {"accept-language": "en"}
CHANGE_CODE = "user/invite/change-user-invite-code"
NOW = 2_000_000_000
Headers = Mapping[str, str]
Refusal = Callable[[WireClient, Headers], Answer]


def already_bound(wire: WireClient, headers: Headers, way: ContactChannel = PHONE) -> Answer:
    """Bind a second contact."""
    token, target = wire.account(**{way.field: way.fresh(wire)}).token, way.fresh(wire)
    body = {way.field: target, "captcha": way.code(wire, target)}
    return wire.post(way.bind_path, body, token=token, headers=headers)


def not_bound(wire: WireClient, headers: Headers, way: ContactChannel = PHONE) -> Answer:
    """Change a missing contact."""
    token, target = wire.account().token, way.fresh(wire)
    body = {way.field: target, "captcha": way.code(wire, target)}
    return wire.post(way.change_path, body, token=token, headers=headers)


def wrong_code(wire: WireClient, headers: Headers, way: ContactChannel = PHONE) -> Answer:
    """Bind with a wrong code."""
    token, target = wire.account().token, way.fresh(wire)
    body = {way.field: target, "captcha": wire.wrong_code(way.code(wire, target))}
    return wire.post(way.bind_path, body, token=token, headers=headers)


def weak_password(wire: WireClient, headers: Headers) -> Answer:
    """Set a common password."""
    email = wire.fresh_email()
    wire.account(email=email)
    body = {"email": email, "captcha": EMAIL.code(wire, email), "password": "password"}
    return wire.post(FORGET, body, headers=headers)


def without_vip(wire: WireClient, headers: Headers) -> Answer:
    """Call an endpoint for VIP without it."""
    token = wire.account().token
    return wire.post("user/module-ignore-info", {"deviceId": "d"}, token=token, headers=headers)


def taken_invitation(wire: WireClient, headers: Headers) -> Answer:
    """Request the invitation code of another account."""
    code = wire.own_info(wire.account().token).pb_data.text(12)
    return wire.post(CHANGE_CODE, {"code": code}, token=wire.account().token, headers=headers)


def second_invitation(wire: WireClient, headers: Headers) -> Answer:
    """Change the invitation code twice."""
    token = wire.account().token
    codes = [wire.own_info(wire.account().token).pb_data.text(12)[::-1] for _ in range(2)]
    assert wire.post(CHANGE_CODE, {"code": codes[0]}, token=token).code == 1
    return wire.post(CHANGE_CODE, {"code": codes[1]}, token=token, headers=headers)


def no_such_user(wire: WireClient, headers: Headers) -> Answer:
    """Request an unknown user."""
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
    """A refusal in another language has the same code (wire.md 2)."""
    chinese, english = refuse(wire, {}), refuse(wire, ENGLISH)
    assert chinese.code == english.code
    assert CHINESE.search(chinese.msg)
    assert not CHINESE.search(english.msg)


@pytest.mark.parametrize("way", CONTACT_CHANNELS, ids=["phone", "email"])
@pytest.mark.parametrize("refuse", [already_bound, not_bound, wrong_code])
def test_both_ways_are_refused(
    wire: WireClient,
    way: ContactChannel,
    refuse: Callable[[WireClient, Headers, ContactChannel], Answer],
) -> None:
    """Phone and e-mail have the same rules (wire.md 4)."""
    assert refuse(wire, {}, way).code > 1


def test_step_up_has_its_own_code(own_wire: WireClient) -> None:
    """A change that needs the old number confirmed first has its own code (D2)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account(phone=own_wire.fresh_phone()).token
    own_wire.set_clock(set=NOW + 3600)
    target = own_wire.fresh_phone()
    answer = PHONE.change(own_wire, token, target, PHONE.code(own_wire, target))
    assert answer.code > 1
    assert answer.code not in {1100, wrong_code(own_wire, {}).code, not_bound(own_wire, {}).code}


ENGLISH_TAGS = ["en", "en-US", "en-GB,en;q=0.9", "en-US,en;q=0.9,zh-CN;q=0.5"]
CHINESE_TAGS = [None, "", "zh-CN", "zh", "zh-CN,zh;q=0.9,en;q=0.5", "*", "not a language !"]


def spoken(tag: str | None) -> dict[str, str]:
    """Return the Accept-Language header, or none."""
    return {} if tag is None else {"accept-language": tag}


@pytest.mark.parametrize("tag", CHINESE_TAGS)
def test_chinese_is_the_default(wire: WireClient, tag: str | None) -> None:
    """Without a preference for English the messages are the contract's (wire.md 2)."""
    headers = spoken(tag)
    assert wire.own_info(None, headers=headers).msg == "未登录"
    unknown = wire.post("user/get-user", pb.text(2, "9" * 15), token="a", headers=headers)
    assert (unknown.code, unknown.msg) == (4402, "该用户不存在")
    missing = wire.post("user/email-login", {"password": "x"}, headers=headers)
    assert refused_field(missing) == "email"


@pytest.mark.parametrize("tag", ENGLISH_TAGS)
def test_english_when_asked(wire: WireClient, tag: str) -> None:
    """With Accept-Language: en every message is English, in both formats (wire.md 2)."""
    headers = spoken(tag)
    answers = {
        -101: wire.own_info(None, headers=headers),
        4402: wire.post("user/get-user", pb.text(2, "9" * 15), token="a", headers=headers),
        1100: wire.post("user/email-login", {"password": "x"}, headers=headers),
    }
    for code, answer in answers.items():
        assert answer.code == code
        assert not CHINESE.search(answer.msg), answer.msg
    assert "email" in answers[1100].msg
    invalid = wire.own_info("not-a-token", headers=headers)
    assert invalid.form == "protobuf"
    assert invalid.msg == answers[-101].msg


def test_each_refusal_has_both_languages(wire: WireClient) -> None:
    """A refusal in another language has the same code (wire.md 2)."""
    requests: list[tuple[str, dict[str, object]]] = [
        ("user/verification-login", {"mobile": wire.fresh_phone(), "captcha": "000000"}),
        ("user/email-login", {"email": wire.fresh_email(), "password": "wrong password"}),
        (
            "verification/get-verification-code",
            {"mobile": wire.fresh_phone(), "code": "0", "id": "0"},
        ),
    ]
    codes = set()
    for path, body in requests:
        chinese = wire.post(path, body)
        english = wire.post(path, body, headers=spoken("en"))
        assert chinese.code == english.code
        assert CHINESE.search(chinese.msg)
        assert not CHINESE.search(english.msg)
        codes.add(chinese.code)
    assert len(codes) == len(requests)


@pytest.mark.parametrize("tag", ["zh-CN", "en"])
def test_success_is_success(wire: WireClient, tag: str) -> None:
    """The message of a success is `success` (wire.md 2)."""
    reply = wire.request("POST", "/v1/user/captcha", headers=spoken(tag))
    assert read_answer(reply.status_code, reply.headers, reply.content).msg == "success"
    assert wire.own_info(wire.account().token, headers=spoken(tag)).msg == "success"
