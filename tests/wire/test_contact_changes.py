"""Changing a phone or an e-mail: step-up, notices, release (security D2, A1, A2, A4).

Binding and changing phone numbers and addresses (wire.md 4, security D2, A1-A3, A6).
"""

from dataclasses import dataclass

import pytest

from tests.support.answers import Account, Answer, assert_refused, refused_field
from tests.support.channels import CONTACT_CHANNELS, EMAIL, PHONE, ContactChannel, forget, notice_to
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, reply_to

MINUTE = 60
NOW = 2_000_000_000
ways = pytest.mark.parametrize("way", CONTACT_CHANNELS, ids=["phone", "email"])


def aged(wire: WireClient, way: ContactChannel, seconds: int = 16 * MINUTE) -> tuple[Account, str]:
    """Return an account with a session of the given age, and its bound target."""
    old = way.fresh(wire)
    wire.set_clock(set=NOW)
    account = wire.account(**{way.field: old})
    wire.set_clock(set=NOW + seconds)
    return account, old


@ways
def test_fresh_session_changes(wire: WireClient, way: ContactChannel) -> None:
    """A session younger than 15 minutes changes with the new target's code (security D2)."""
    account = wire.account(**{way.field: way.fresh(wire)})
    target = way.fresh(wire)
    body = {way.field: target, "captcha": way.code(wire, target)}
    assert reply_to(wire, way.change_path, body, token=account.token) == SUCCESS
    assert way.bound(wire, account.token) == target


@ways
@pytest.mark.parametrize(("minutes", "fits"), [(14, True), (16, False)])
def test_age_of_a_session(
    own_wire: WireClient, way: ContactChannel, minutes: int, *, fits: bool
) -> None:
    """After 15 minutes the code of the new target alone is not enough (security D2, A1)."""
    account, old = aged(own_wire, way, minutes * MINUTE)
    target = way.fresh(own_wire)
    answer = way.change(own_wire, account.token, target, way.code(own_wire, target))
    assert (answer.code == 1) is fits
    assert way.bound(own_wire, account.token) == (target if fits else old)
    if not fits:
        assert_refused(answer)


@ways
@pytest.mark.parametrize(("minutes", "fits"), [(9, True), (11, False)])
def test_confirming_the_old_one(
    own_wire: WireClient, way: ContactChannel, minutes: int, *, fits: bool
) -> None:
    """The same call with the bound target first allows the change for 10 minutes (security D2)."""
    account, old = aged(own_wire, way)
    confirm = way.change(own_wire, account.token, old, way.code(own_wire, old))
    assert (confirm.code, confirm.data) == (1, None)
    assert way.bound(own_wire, account.token) == old
    own_wire.set_clock(advance=minutes * MINUTE)
    target = way.fresh(own_wire)
    answer = way.change(own_wire, account.token, target, way.code(own_wire, target))
    assert (answer.code == 1) is fits
    assert way.bound(own_wire, account.token) == (target if fits else old)


@ways
def test_confirming_takes_the_old_ones_code(own_wire: WireClient, way: ContactChannel) -> None:
    """A wrong code, or that of a foreign target, confirms nothing (security C8, D2)."""
    account, old = aged(own_wire, way)
    assert_refused(
        way.change(own_wire, account.token, old, own_wire.wrong_code(way.code(own_wire, old)))
    )
    stranger = way.fresh(own_wire)
    own_wire.account(**{way.field: stranger})
    code = way.code(own_wire, stranger)
    assert_refused(way.change(own_wire, account.token, stranger, code))
    target = way.fresh(own_wire)
    assert_refused(way.change(own_wire, account.token, target, way.code(own_wire, target)))
    assert way.bound(own_wire, account.token) == old


@ways
def test_confirming_marks_one_session(own_wire: WireClient, way: ContactChannel) -> None:
    """The confirmation only applies to its own session (security D2)."""
    phone, email = own_wire.fresh_phone(), own_wire.fresh_email()
    own_wire.set_clock(set=NOW)
    account = own_wire.account(phone=phone, email=email, deviceId="one")
    thief = own_wire.signed_in(phone, deviceId="two")
    own_wire.set_clock(set=NOW + 16 * MINUTE)
    old = phone if way is PHONE else email
    assert way.change(own_wire, account.token, old, way.code(own_wire, old)).code == 1
    target = way.fresh(own_wire)
    assert_refused(way.change(own_wire, thief, target, way.code(own_wire, target)))
    assert way.bound(own_wire, account.token) == old


@ways
def test_other_sessions_end(wire: WireClient, way: ContactChannel) -> None:
    """A change ends the account's other sessions and keeps the caller's (security T6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, deviceId="one")
    other = wire.signed_in(phone, deviceId="two")
    target = way.fresh(wire)
    assert way.change(wire, account.token, target, way.code(wire, target)).code == 1
    assert [wire.own_info(token).code for token in (account.token, other)] == [1, -101]


@ways
def test_old_and_new_are_notified(wire: WireClient, way: ContactChannel) -> None:
    """Both the old target and the new one are notified of a change (security D2, A2)."""
    old, target = way.fresh(wire), way.fresh(wire)
    account = wire.account(**{way.field: old})
    assert way.change(wire, account.token, target, way.code(wire, target)).code == 1
    assert notice_to(wire, way, old).text
    assert notice_to(wire, way, target).text


@ways
def test_a_refused_change_is_not_notified(wire: WireClient, way: ContactChannel) -> None:
    """A refused change changes nothing and sends no notice (security A2)."""
    old, target = way.fresh(wire), way.fresh(wire)
    account = wire.account(**{way.field: old})
    wrong = wire.wrong_code(way.code(wire, target))
    assert_refused(way.change(wire, account.token, target, wrong))
    # Messages are sent in the order of their requests: the marker shows that none is queued.
    way.code(wire, way.fresh(wire))
    assert wire.list_outbox(way.channel, old) == []


def test_released_number_is_a_new_account(wire: WireClient) -> None:
    """A released number creates a new account with nothing of the old one (A4)."""
    old, target, friend = wire.fresh_phone(), wire.fresh_phone(), wire.account()
    account = wire.account(phone=old, email=wire.fresh_email(), nickname="旧名", coins=5, vipDays=3)
    remark = {"friendId": friend.id, "name": "r", "phone": "", "others": ""}
    assert wire.post("user/save-user-remarks", remark, token=account.token).code == 1
    assert PHONE.change(wire, account.token, target, PHONE.code(wire, target)).code == 1
    fresh = wire.sign_in(old, PHONE.code(wire, old)).text("token")
    data = wire.own_info(fresh).pb_data
    assert int(data.text(1)) > int(account.id)
    assert (data.text(6), data.text(7), data.number(9)) == (old, "", 0)
    assert data.text(2) != "旧名"
    assert data.double(8) != 5
    assert wire.get_user(friend.id, token=fresh).pb_data.message(18).fields == ()
    assert wire.own_info(account.token).pb_data.text(6) == target
    kept = wire.sign_in(target, PHONE.code(wire, target), deviceId="new").text("token")
    assert wire.own_info(kept).pb_data.text(1) == account.id


def test_released_address_resets_nothing(wire: WireClient) -> None:
    """A released address no longer reaches the old account (security A4, C8)."""
    old, target = wire.fresh_email(), wire.fresh_email()
    account = wire.account(email=old, password="long enough 1")
    assert EMAIL.change(wire, account.token, target, EMAIL.code(wire, target)).code == 1
    assert_refused(forget(wire, old, EMAIL.code(wire, old), "another long 2"))
    assert_refused(wire.email_login(old, "long enough 1"))
    assert wire.email_login(target, "long enough 1").code == 1


@ways
def test_codes_die_with_the_release(wire: WireClient, way: ContactChannel) -> None:
    """When a target leaves an account its live codes stop working (security D1)."""
    old, target = way.fresh(wire), way.fresh(wire)
    account = wire.account(**{way.field: old})
    code = way.code(wire, old)
    assert way.change(wire, account.token, target, way.code(wire, target)).code == 1
    if way is PHONE:
        assert_refused(wire.sign_in(old, code))
    else:
        assert_refused(forget(wire, old, code, "another long 2"))
    late = wire.account()
    assert_refused(way.bind(wire, late.token, old, code))


@ways
def test_released_target_is_free(wire: WireClient, way: ContactChannel) -> None:
    """Another account may bind a released target (security A4)."""
    old, target = way.fresh(wire), way.fresh(wire)
    account, late = wire.account(**{way.field: old}), wire.account()
    assert way.change(wire, account.token, target, way.code(wire, target)).code == 1
    assert way.bind(wire, late.token, old, way.code(wire, old)).code == 1
    assert way.bound(wire, late.token) == old


STALE_SECONDS = 16 * 60
WRONG_CODE = '{"code":1202,"msg":"验证码错误或已失效"}'


@dataclass(frozen=True)
class Kind:
    """One of the two kinds of contact, as a client uses it."""

    name: str
    channel: str
    bind: str
    change: str
    number: int

    def fresh(self, wire: WireClient) -> str:
        """Return a target that no account has used."""
        return wire.fresh_phone() if self.channel == "sms" else wire.fresh_email()

    def code(self, wire: WireClient, target: str) -> str:
        """Request a code and return it."""
        if self.channel == "sms":
            return wire.sms_code(target)
        before = {letter.id for letter in wire.list_outbox("email", target)}
        assert wire.ask_email(target).code == 1
        return wire.next_message("email", target, before).code

    def post(self, wire: WireClient, path: str, who: Account, target: str, code: str) -> Answer:
        """Call one of the two endpoints."""
        return wire.post(path, {self.name: target, "captcha": code}, token=who.token)

    def of(self, wire: WireClient, who: Account) -> str:
        """Return the bound contact of an account."""
        return wire.own_info(who.token).pb_data.text(self.number)


PHONE_KIND = Kind("phone", "sms", "user/bing-phone", "user/change-phone-check", 6)
EMAIL_KIND = Kind("email", "email", "user/bing-email", "user/change-email-check", 7)
BOTH = pytest.mark.parametrize("kind", [PHONE_KIND, EMAIL_KIND], ids=["phone", "email"])


def texts(wire: WireClient, channel: str, to: str) -> list[str]:
    """Return the messages to a target without a code, oldest first."""
    return [letter.text for letter in reversed(wire.list_outbox(channel, to)) if not letter.code]


@BOTH
def test_binding(wire: WireClient, kind: Kind) -> None:
    """A code of a free target binds it; the response is success without data."""
    who, target = wire.account(), kind.fresh(wire)
    body = {kind.name: target, "captcha": kind.code(wire, target)}
    reply = wire.request("POST", f"/v1/{kind.bind}", body, token=who.token)
    assert reply.content == b'{"code":1,"msg":"success"}'
    assert kind.of(wire, who) == target


def test_a_bound_number_signs_in(wire: WireClient) -> None:
    """A bound number signs in to its account."""
    who, phone = wire.account(), wire.fresh_phone()
    assert PHONE_KIND.post(wire, PHONE_KIND.bind, who, phone, wire.sms_code(phone)).code == 1
    token = wire.signed_in(phone, deviceId="other")
    assert wire.own_info(token).pb_data.text(1) == who.id


@BOTH
def test_binding_twice(wire: WireClient, kind: Kind) -> None:
    """A second binding is refused with a hint to change it, and the code is not used up."""
    first, second = kind.fresh(wire), kind.fresh(wire)
    who = wire.account(**{kind.name: first})
    code = kind.code(wire, second)
    told = {"phone": (1403, "已绑定手机号，如需更换请使用更换手机号")}.get(
        kind.name, (1404, "已绑定邮箱，如需更换请使用更换邮箱")
    )
    answer = kind.post(wire, kind.bind, who, second, code)
    assert (answer.code, answer.msg) == told
    assert kind.post(wire, kind.change, who, second, code).code == 1


@BOTH
def test_changing_nothing(wire: WireClient, kind: Kind) -> None:
    """A change without a binding is refused, and the code is not used up."""
    who, target = wire.account(), kind.fresh(wire)
    code = kind.code(wire, target)
    told = {"phone": (1405, "尚未绑定手机号")}.get(kind.name, (1406, "尚未绑定邮箱"))
    answer = kind.post(wire, kind.change, who, target, code)
    assert (answer.code, answer.msg) == told
    assert kind.post(wire, kind.bind, who, target, code).code == 1


@BOTH
def test_a_target_of_another_account(wire: WireClient, kind: Kind) -> None:
    """Only after a right code the response says that a target is taken (security E3)."""
    target = kind.fresh(wire)
    owner, who = wire.account(**{kind.name: target}), wire.account()
    code = kind.code(wire, target)
    body = {kind.name: target, "captcha": wire.wrong_code(code)}
    wrong = wire.request("POST", f"/v1/{kind.bind}", body, token=who.token)
    assert wrong.text == WRONG_CODE
    told = {"phone": (1401, "该手机号已被使用")}.get(kind.name, (1402, "该邮箱已被使用"))
    answer = kind.post(wire, kind.bind, who, target, code)
    assert (answer.code, answer.msg) == told
    assert (kind.of(wire, owner), kind.of(wire, who)) == (target, "")


@BOTH
def test_known_and_unknown_look_alike(wire: WireClient, kind: Kind) -> None:
    """With a wrong code, a taken target and a free one get the same bytes (security E1)."""
    taken, free = kind.fresh(wire), kind.fresh(wire)
    wire.account(**{kind.name: taken})
    who, mover = wire.account(), wire.account(**{kind.name: kind.fresh(wire)})
    for path, caller in ((kind.bind, who), (kind.change, mover)):
        for target in (taken, free):
            body = {kind.name: target, "captcha": "000001"}
            reply = wire.request("POST", f"/v1/{path}", body, token=caller.token)
            assert reply.text == WRONG_CODE


@BOTH
def test_five_wrong_codes_kill_the_right_one(wire: WireClient, kind: Kind) -> None:
    """Binding and signing in share one limit of guesses (security C3, C5)."""
    who, target = wire.account(), kind.fresh(wire)
    code = kind.code(wire, target)
    for _ in range(5):
        assert kind.post(wire, kind.bind, who, target, wire.wrong_code(code)).code == 1202
    assert kind.post(wire, kind.bind, who, target, code).code == 1202
    assert kind.of(wire, who) == ""


@BOTH
def test_a_fresh_session_changes_at_once(wire: WireClient, kind: Kind) -> None:
    """In the first 15 minutes after a sign-in no other proof is needed (security D2)."""
    old, new = kind.fresh(wire), kind.fresh(wire)
    who = wire.account(**{kind.name: old})
    assert kind.post(wire, kind.change, who, new, kind.code(wire, new)).code == 1
    assert kind.of(wire, who) == new


@BOTH
def test_a_stale_session_proves_the_old_target_first(own_wire: WireClient, kind: Kind) -> None:
    """After 16 minutes a change needs a proof of the old target (A1, D2)."""
    old, new = kind.fresh(own_wire), kind.fresh(own_wire)
    who = own_wire.account(**{kind.name: old})
    own_wire.set_clock(advance=STALE_SECONDS)
    code = kind.code(own_wire, new)
    refused = kind.post(own_wire, kind.change, who, new, code)
    assert (refused.code, refused.msg) == (
        1407,
        "请先用当前绑定的手机号或邮箱完成验证，或重新登录后再试",
    )
    proof = kind.code(own_wire, old)
    assert kind.post(own_wire, kind.change, who, old, own_wire.wrong_code(proof)).code == 1202
    assert kind.post(own_wire, kind.change, who, new, code).code == 1407
    assert kind.post(own_wire, kind.change, who, old, proof).code == 1
    assert kind.of(own_wire, who) == old
    assert kind.post(own_wire, kind.change, who, new, code).code == 1
    assert kind.of(own_wire, who) == new


@BOTH
@pytest.mark.parametrize(("age_seconds", "passes"), [(599, True), (600, False)])
def test_a_proof_counts_for_ten_minutes(
    own_wire: WireClient, kind: Kind, age_seconds: int, *, passes: bool
) -> None:
    """A proof is valid after 599 s, and not after 600 s (security D2)."""
    own_wire.set_clock(set=2_000_000_000)
    old, new = kind.fresh(own_wire), kind.fresh(own_wire)
    who = own_wire.account(**{kind.name: old})
    own_wire.set_clock(set=2_000_001_000)
    assert kind.post(own_wire, kind.change, who, old, kind.code(own_wire, old)).code == 1
    own_wire.set_clock(set=2_000_001_000 + age_seconds)
    answer = kind.post(own_wire, kind.change, who, new, kind.code(own_wire, new))
    assert answer.code == (1 if passes else 1407)


@BOTH
def test_a_proof_serves_one_change(own_wire: WireClient, kind: Kind) -> None:
    """After a change the proved target is no longer bound, so the next one needs a new proof."""
    old, new, third = (kind.fresh(own_wire) for _ in range(3))
    who = own_wire.account(**{kind.name: old})
    own_wire.set_clock(advance=STALE_SECONDS)
    assert kind.post(own_wire, kind.change, who, old, kind.code(own_wire, old)).code == 1
    assert kind.post(own_wire, kind.change, who, new, kind.code(own_wire, new)).code == 1
    assert kind.post(own_wire, kind.change, who, third, kind.code(own_wire, third)).code == 1407


def test_a_proof_is_of_one_session_and_one_channel(own_wire: WireClient) -> None:
    """It applies neither to another session of the account nor to the other contact."""
    phone, email, new = own_wire.fresh_phone(), own_wire.fresh_email(), own_wire.fresh_phone()
    who = own_wire.account(phone=phone, email=email, deviceId="one")
    other = Account(who.id, own_wire.signed_in(phone, deviceId="two"))
    own_wire.set_clock(advance=STALE_SECONDS)
    assert (
        PHONE_KIND.post(own_wire, PHONE_KIND.change, who, phone, own_wire.sms_code(phone)).code == 1
    )
    code, address = own_wire.sms_code(new), own_wire.fresh_email()
    assert PHONE_KIND.post(own_wire, PHONE_KIND.change, other, new, code).code == 1407
    email_code = EMAIL_KIND.code(own_wire, address)
    assert EMAIL_KIND.post(own_wire, EMAIL_KIND.change, who, address, email_code).code == 1407
    assert PHONE_KIND.post(own_wire, PHONE_KIND.change, who, new, code).code == 1


@BOTH
def test_a_change_ends_other_sessions(wire: WireClient, kind: Kind) -> None:
    """The caller's session stays; the account's others end (security T6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    who = wire.account(phone=phone, email=email, deviceId="one")
    other = wire.signed_in(phone, deviceId="two")
    new = kind.fresh(wire)
    assert kind.post(wire, kind.change, who, new, kind.code(wire, new)).code == 1
    assert wire.own_info(who.token).code == 1
    assert wire.own_info(other).code == -101


@BOTH
def test_every_contact_is_notified_of_a_change(wire: WireClient, kind: Kind) -> None:
    """The old target, the new one and the other contact each get one notice (security A2)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    who, new = wire.account(phone=phone, email=email), kind.fresh(wire)
    assert kind.post(wire, kind.change, who, new, kind.code(wire, new)).code == 1
    changed = {"phone": "您账号绑定的手机号已更换。"}.get(kind.name, "您账号绑定的邮箱已更换。")
    added = {"phone": "您的账号已绑定新手机号。"}.get(kind.name, "您的账号已绑定新邮箱。")
    for channel, to in (("sms", phone), ("email", email)):
        (told,) = texts(wire, channel, to)
        assert changed in told
    (told,) = texts(wire, kind.channel, new)
    assert added in told
    assert phone not in told
    assert email not in told


def test_every_contact_is_notified_of_a_binding(wire: WireClient) -> None:
    """The bound number and the added address each get a notice of the binding."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    who = wire.account(phone=phone)
    assert (
        EMAIL_KIND.post(wire, EMAIL_KIND.bind, who, email, EMAIL_KIND.code(wire, email)).code == 1
    )
    for channel, to in (("sms", phone), ("email", email)):
        (told,) = texts(wire, channel, to)
        assert "您的账号已绑定新邮箱。" in told


@BOTH
def test_a_refused_change_sends_no_notice(wire: WireClient, kind: Kind) -> None:
    """Notices are only sent with a committed change."""
    old, new = kind.fresh(wire), kind.fresh(wire)
    who = wire.account(**{kind.name: old})
    assert_refused(kind.post(wire, kind.change, who, new, "000001"))
    assert texts(wire, kind.channel, old) == []
    assert texts(wire, kind.channel, new) == []


def test_a_released_number_starts_from_nothing(wire: WireClient) -> None:
    """A number that left an account creates a new one, with another id (security A4)."""
    old, new = wire.fresh_phone(), wire.fresh_phone()
    who = wire.account(phone=old, nickname="旧主人", coins=5)
    assert PHONE_KIND.post(wire, PHONE_KIND.change, who, new, wire.sms_code(new)).code == 1
    data = wire.own_info(wire.signed_in(old)).pb_data
    assert data.text(1) != who.id
    assert data.text(2) != "旧主人"
    assert not data.has(8)


def test_an_address_has_no_case(wire: WireClient) -> None:
    """The case of a bound address does not matter (wire.md 5)."""
    email = wire.fresh_email()
    who = wire.account(email=email)
    code = EMAIL_KIND.code(wire, email)
    assert EMAIL_KIND.post(wire, EMAIL_KIND.change, who, email.upper(), code).code == 1
    assert EMAIL_KIND.of(wire, who) == email
    taker = wire.account()
    again = EMAIL_KIND.code(wire, email)
    assert EMAIL_KIND.post(wire, EMAIL_KIND.bind, taker, email.upper(), again).code == 1402


def test_a_country_code_is_dropped(wire: WireClient) -> None:
    """A number is bound in its normal form (wire.md 5)."""
    who, phone = wire.account(), wire.fresh_phone()
    code = wire.sms_code(f"+86{phone}", sent_to=phone)
    assert PHONE_KIND.post(wire, PHONE_KIND.bind, who, f"86{phone}", code).code == 1
    assert PHONE_KIND.of(wire, who) == phone


@pytest.mark.one_engine
@BOTH
@pytest.mark.parametrize("value", [None, 5, "", "no target", "x" * 400, ["a"]])
@pytest.mark.parametrize("step", ["bind", "change"])
def test_bad_targets(wire: WireClient, kind: Kind, step: str, value: object) -> None:
    """A malformed target is 1100 with the field's name, with or without a binding."""
    path = kind.bind if step == "bind" else kind.change
    who = wire.account(**({} if step == "bind" else {kind.name: kind.fresh(wire)}))
    answer = wire.post(path, {kind.name: value, "captcha": "123456"}, token=who.token)
    assert refused_field(answer) == kind.name


@pytest.mark.one_engine
@BOTH
@pytest.mark.parametrize("value", [None, 123456, ["1"], "1" * 65])
def test_bad_codes(wire: WireClient, kind: Kind, value: object) -> None:
    """A code that is no text, or too long, is 1100 with the field's name."""
    who = wire.account()
    answer = wire.post(kind.bind, {kind.name: kind.fresh(wire), "captcha": value}, token=who.token)
    assert refused_field(answer) == "captcha"
