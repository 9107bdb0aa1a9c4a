"""A first binding without proof grants nothing else (security D2, A1).

The attack: a thief with an old token binds their own address, which needs no proof, sets a password
through it, signs in with that, and so has a session that is young enough to change the number.
"""

import pytest

from tests.support.answers import Account, Answer
from tests.support.channels import (
    CONTACT_CHANNELS,
    EMAIL,
    PHONE,
    ContactChannel,
    forget,
    notice_to,
    other,
)
from tests.support.client import WireClient

NOW = 2_000_000_000
STALE_SECONDS = 16 * 60
DAY_SECONDS = 86_400
PASSWORD = "the reeds at nine"
OLDER_PROOF_NEEDED = (1411, "请用较早绑定的手机号或邮箱完成验证")
ways = pytest.mark.parametrize("way", CONTACT_CHANNELS, ids=["phone", "email"])


def bind(wire: WireClient, way: ContactChannel, token: str) -> str:
    """Bind a first target by a token; return the target."""
    target = way.fresh(wire)
    answer = way.bind(wire, token, target, way.code(wire, target))
    assert answer.code == 1, answer.msg
    return target


def robbed(wire: WireClient, way: ContactChannel) -> tuple[Account, str, str]:
    """Return an account with a target, its stale token, and the target that a thief bound."""
    old = way.fresh(wire)
    wire.set_clock(set=NOW)
    account = wire.account(**{way.field: old}, deviceId="mine")
    wire.set_clock(advance=STALE_SECONDS)
    return account, old, bind(wire, other(way), account.token)


def fresh_session(wire: WireClient, way: ContactChannel, target: str) -> str:
    """Sign in with a target alone, as any reader of its messages can."""
    if way is PHONE:
        return wire.signed_in(target, deviceId="theirs")
    assert forget(wire, target, EMAIL.code(wire, target), PASSWORD).code == 1
    return wire.email_login(target, PASSWORD, deviceId="theirs").text("token")


def changed(wire: WireClient, way: ContactChannel, token: str) -> Answer:
    """Try to change to a new target."""
    target = way.fresh(wire)
    return way.change(wire, token, target, way.code(wire, target))


@pytest.mark.slow
@ways
def test_a_stolen_token_takes_no_account_over(own_wire: WireClient, way: ContactChannel) -> None:
    """A fresh session is no proof for the older target; a code to it is (security D2)."""
    _, old, theirs = robbed(own_wire, way)
    thief = fresh_session(own_wire, other(way), theirs)
    answer = changed(own_wire, way, thief)
    assert (answer.code, answer.msg) == OLDER_PROOF_NEEDED
    assert other(way).change(own_wire, thief, theirs, other(way).code(own_wire, theirs)).code == 1
    assert changed(own_wire, way, thief).code == OLDER_PROOF_NEEDED[0]
    assert way.bound(own_wire, thief) == old
    owner = fresh_session(own_wire, way, old)
    assert changed(own_wire, way, owner).code == OLDER_PROOF_NEEDED[0]
    assert way.change(own_wire, owner, old, way.code(own_wire, old)).code == 1
    assert changed(own_wire, way, owner).code == 1


@ways
def test_what_the_thief_puts_in_its_place_proves_nothing(
    own_wire: WireClient, way: ContactChannel
) -> None:
    """The doubt is about the channel: another target of the thief's keeps it."""
    _, _, theirs = robbed(own_wire, way)
    thief = fresh_session(own_wire, other(way), theirs)
    assert changed(own_wire, other(way), thief).code == 1
    assert changed(own_wire, way, thief).code == OLDER_PROOF_NEEDED[0]


@ways
def test_it_cancels_nothing(own_wire: WireClient, way: ContactChannel) -> None:
    """Its code is refused unused; that of the older target cancels (security A1)."""
    account, old, theirs = robbed(own_wire, way)
    code = other(way).code(own_wire, theirs)
    for _ in range(6):
        answer = other(way).cancel(own_wire, account.token, theirs, code)
        assert (answer.code, answer.msg) == OLDER_PROOF_NEEDED
    assert other(way).change(own_wire, account.token, theirs, code).code == 1
    assert way.cancel(own_wire, account.token, old, way.code(own_wire, old)).code == 1


@ways
def test_strangers_learn_nothing_of_it(own_wire: WireClient, way: ContactChannel) -> None:
    """With another account's token the target is treated as any other (security E1)."""
    _, _, theirs = robbed(own_wire, way)
    stranger = own_wire.account()
    answer = other(way).cancel(own_wire, stranger.token, theirs, "000001")
    assert (
        answer.body
        == other(way).cancel(own_wire, stranger.token, other(way).fresh(own_wire), "000001").body
    )


def test_the_older_channel_is_notified_of_the_password(own_wire: WireClient) -> None:
    """The number gets notices of the bound address and of the new password (security P6)."""
    _, phone, theirs = robbed(own_wire, PHONE)
    assert "已绑定新邮箱" in notice_to(own_wire, PHONE, phone).text
    fresh_session(own_wire, EMAIL, theirs)
    texts = [letter.text for letter in own_wire.list_outbox("sms", phone)]
    assert any("密码已" in text for text in texts), texts


@ways
@pytest.mark.parametrize(("days", "serves"), [(7, True), (6.9, False)])
def test_the_doubt_ends_with_the_undo(
    own_wire: WireClient, way: ContactChannel, days: float, *, serves: bool
) -> None:
    """After the days in which an operator could undo it, it is as good as any other."""
    _, _, theirs = robbed(own_wire, way)
    own_wire.set_clock(set=NOW + STALE_SECONDS + int(days * DAY_SECONDS) + 60)
    token = fresh_session(own_wire, other(way), theirs)
    assert (changed(own_wire, way, token).code == 1) is serves
    code = other(way).code(own_wire, theirs)
    assert (other(way).cancel(own_wire, token, theirs, code).code == 1) is serves


@ways
@pytest.mark.parametrize("proof", ["fresh", "marked", "alone"])
def test_a_proven_binding_is_in_no_doubt(
    own_wire: WireClient, way: ContactChannel, proof: str
) -> None:
    """Bound in a fresh or a confirmed session, or as the first contact, it works at once."""
    own_wire.set_clock(set=NOW)
    old = way.fresh(own_wire)
    account = own_wire.account(**({} if proof == "alone" else {way.field: old}))
    if proof != "fresh":
        own_wire.set_clock(advance=STALE_SECONDS)
    if proof == "marked":
        assert way.change(own_wire, account.token, old, way.code(own_wire, old)).code == 1
    theirs = bind(own_wire, other(way), account.token)
    if proof == "alone":
        bind(own_wire, way, account.token)
    code = other(way).code(own_wire, theirs)
    assert other(way).cancel(own_wire, account.token, theirs, code).code == 1


@ways
def test_the_owner_puts_it_right(own_wire: WireClient, way: ContactChannel) -> None:
    """The owner's fresh session may change an unproven target."""
    _, old, theirs = robbed(own_wire, way)
    owner = fresh_session(own_wire, way, old)
    assert changed(own_wire, other(way), owner).code == 1
    assert other(way).bound(own_wire, owner) != theirs
