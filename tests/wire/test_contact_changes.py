"""Changing a phone or an e-mail: step-up, notices, release (security D2, A1, A2, A4)."""

import pytest

from tests.wire.answers import assert_refused
from tests.wire.client import WireClient
from tests.wire.records import Account
from tests.wire.shapes import SUCCESS, reply_to
from tests.wire.ways import EMAIL, PHONE, WAYS, Way, forget, notice_to

MINUTE = 60
NOW = 2_000_000_000
ways = pytest.mark.parametrize("way", WAYS, ids=["phone", "email"])


def aged(wire: WireClient, way: Way, seconds: int = 16 * MINUTE) -> tuple[Account, str]:
    """Return an account whose session is so old, and what it has bound."""
    old = way.fresh(wire)
    wire.set_clock(set=NOW)
    account = wire.account(**{way.field: old})
    wire.set_clock(set=NOW + seconds)
    return account, old


@ways
def test_fresh_session_changes(wire: WireClient, way: Way) -> None:
    """A session younger than 15 minutes changes with the new target's code (security D2)."""
    account = wire.account(**{way.field: way.fresh(wire)})
    target = way.fresh(wire)
    body = {way.field: target, "captcha": way.code(wire, target)}
    assert reply_to(wire, way.change_path, body, token=account.token) == SUCCESS
    assert way.bound(wire, account.token) == target


@ways
@pytest.mark.parametrize(("minutes", "fits"), [(14, True), (16, False)])
def test_age_of_a_session(own_wire: WireClient, way: Way, minutes: int, *, fits: bool) -> None:
    """After 15 minutes the code of the new target alone changes nothing (security D2, A1)."""
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
    own_wire: WireClient, way: Way, minutes: int, *, fits: bool
) -> None:
    """The same call on the bound target first opens the change for 10 minutes (security D2)."""
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
def test_confirming_takes_the_old_ones_code(own_wire: WireClient, way: Way) -> None:
    """A wrong code, or that of a target not one's own, confirms nothing (security C8, D2)."""
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
def test_confirming_marks_one_session(own_wire: WireClient, way: Way) -> None:
    """The confirmation opens the change for its own session, not for another (security D2)."""
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
def test_other_sessions_end(wire: WireClient, way: Way) -> None:
    """A change ends the account's other sessions and keeps the caller's (security T6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, deviceId="one")
    other = wire.signed_in(phone, deviceId="two")
    target = way.fresh(wire)
    assert way.change(wire, account.token, target, way.code(wire, target)).code == 1
    assert [wire.own_info(token).code for token in (account.token, other)] == [1, -101]


@ways
def test_old_and_new_are_told(wire: WireClient, way: Way) -> None:
    """Both the old target and the new one hear of a change at once (security D2, A2)."""
    old, target = way.fresh(wire), way.fresh(wire)
    account = wire.account(**{way.field: old})
    assert way.change(wire, account.token, target, way.code(wire, target)).code == 1
    assert notice_to(wire, way, old).text
    assert notice_to(wire, way, target).text


@ways
def test_a_refused_change_tells_nobody(wire: WireClient, way: Way) -> None:
    """Nothing changed, so no notice leaves (security A2)."""
    old, target = way.fresh(wire), way.fresh(wire)
    account = wire.account(**{way.field: old})
    wrong = wire.wrong_code(way.code(wire, target))
    assert_refused(way.change(wire, account.token, target, wrong))
    # Messages leave in the order they were asked for, so the marker's tells that nothing waits.
    way.code(wire, way.fresh(wire))
    assert wire.list_outbox(way.channel, old) == []


def test_released_number_is_a_new_account(wire: WireClient) -> None:
    """A number that was given up opens a new account with nothing of the old (A4)."""
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
    """An address that was given up reaches the old account no more (security A4, C8)."""
    old, target = wire.fresh_email(), wire.fresh_email()
    account = wire.account(email=old, password="long enough 1")
    assert EMAIL.change(wire, account.token, target, EMAIL.code(wire, target)).code == 1
    assert_refused(forget(wire, old, EMAIL.code(wire, old), "another long 2"))
    assert_refused(wire.email_login(old, "long enough 1"))
    assert wire.email_login(target, "long enough 1").code == 1


@ways
def test_codes_die_with_the_release(wire: WireClient, way: Way) -> None:
    """When a target leaves an account its live codes die (security D1)."""
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
def test_released_target_is_free(wire: WireClient, way: Way) -> None:
    """Another may bind what was given up (security A4)."""
    old, target = way.fresh(wire), way.fresh(wire)
    account, late = wire.account(**{way.field: old}), wire.account()
    assert way.change(wire, account.token, target, way.code(wire, target)).code == 1
    assert way.bind(wire, late.token, old, way.code(wire, old)).code == 1
    assert way.bound(wire, late.token) == old
