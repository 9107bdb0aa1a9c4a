"""What a code may do is decided when it is issued (security D1, C8, wire.md 7).

Each code is tried where it must do nothing, on an account that must not change.
"""

from collections.abc import Callable

import pytest

from tests.wire.answers import Answer, assert_refused
from tests.wire.client import WireClient
from tests.wire.ways import EMAIL, PHONE, WAYS, Way, forget, other

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

PASSWORD, NEW = "long enough 湖 1", "another one 畔 2"
Use = Callable[[WireClient, str, str, str], Answer]

USES: dict[str, Use] = {
    "verification-login": lambda wire, _, target, code: wire.sign_in(target, code),
    "forget-password": lambda wire, _, target, code: forget(wire, target, code, NEW),
    "bing-phone": PHONE.bind,
    "bing-email": EMAIL.bind,
    "change-phone-check": PHONE.change,
    "change-email-check": EMAIL.change,
    "cancel-user by phone": PHONE.cancel,
    "cancel-user by email": EMAIL.cancel,
}
# What a code of an account's own target may do with that account's own token.
OWN = {
    "sms": {"verification-login", "change-phone-check", "cancel-user by phone"},
    "email": {"forget-password", "change-email-check", "cancel-user by email"},
}
# What a code of a free target may do with the token of a member who has both bound.
NEW_ONES = {"sms": {"verification-login", "change-phone-check"}, "email": {"change-email-check"}}
TARGETLESS = {"sms": "verification-login", "email": "forget-password"}
ways = pytest.mark.parametrize("way", WAYS, ids=["phone", "email"])


class Member:
    """A member with both ways bound and a password, and whether he is as he was."""

    def __init__(self, wire: WireClient) -> None:
        self.wire = wire
        self.targets = {way.channel: way.fresh(wire) for way in WAYS}
        self.account = wire.account(
            phone=self.targets["sms"],
            email=self.targets["email"],
            password=PASSWORD,
            deviceId="door",
        )

    def is_unchanged(self) -> bool:
        """Whether session, targets and password are what they were."""
        bound = {way.channel: way.bound(self.wire, self.account.token) for way in WAYS}
        login = self.wire.email_login(self.targets["email"], PASSWORD, deviceId="check")
        return bound == self.targets and login.code == 1


@ways
@pytest.mark.parametrize("use", sorted(USES))
def test_own_code_serves_its_owner_alone(wire: WireClient, way: Way, use: str) -> None:
    """With a stranger's token the code of a bound target changes neither of the two (C8)."""
    owner, stranger = Member(wire), Member(wire)
    target = owner.targets[way.channel]
    code = way.code(wire, target)
    answer = USES[use](wire, stranger.account.token, target, code)
    if use == TARGETLESS[way.channel]:
        assert answer.code == 1
    else:
        assert_refused(answer)
        assert owner.is_unchanged()
    assert stranger.is_unchanged()


@ways
@pytest.mark.parametrize("use", sorted(USES))
def test_own_code_with_its_owners_token(wire: WireClient, way: Way, use: str) -> None:
    """The code of one's own target does what D1 lists, and nothing else (security D1)."""
    owner = Member(wire)
    target = owner.targets[way.channel]
    answer = USES[use](wire, owner.account.token, target, way.code(wire, target))
    if use in OWN[way.channel]:
        assert answer.code == 1, answer.msg
    else:
        assert_refused(answer)
        assert owner.is_unchanged()


@ways
@pytest.mark.parametrize("use", sorted(USES))
def test_new_code_with_a_token(wire: WireClient, way: Way, use: str) -> None:
    """The code of a free target registers, binds or changes to it, and nothing else (D1)."""
    member, target = Member(wire), way.fresh(wire)
    answer = USES[use](wire, member.account.token, target, way.code(wire, target))
    if use in NEW_ONES[way.channel]:
        assert answer.code == 1, answer.msg
    else:
        assert_refused(answer)
    if use != way.change_path.removeprefix("user/"):
        assert member.is_unchanged()


@ways
@pytest.mark.parametrize("use", sorted(USES))
def test_code_of_another_target(wire: WireClient, way: Way, use: str) -> None:
    """A code never serves for a target that it was not sent to (security C8)."""
    member, elsewhere = Member(wire), way.fresh(wire)
    code = way.code(wire, elsewhere)
    for named in WAYS:
        assert_refused(USES[use](wire, member.account.token, member.targets[named.channel], code))
    assert member.is_unchanged()


@ways
@pytest.mark.parametrize("use", sorted(USES))
def test_code_of_a_released_target(wire: WireClient, way: Way, use: str) -> None:
    """The code of a target that was given up meanwhile is dead everywhere (security D1, C8)."""
    owner, stranger = Member(wire), Member(wire)
    old, target = owner.targets[way.channel], way.fresh(wire)
    code = way.code(wire, old)
    owner.targets[way.channel] = target
    changed = way.change(wire, owner.account.token, target, way.code(wire, target))
    assert changed.code == 1, changed.msg
    for member in (owner, stranger):
        assert_refused(USES[use](wire, member.account.token, old, code))
        assert member.is_unchanged()


@ways
@pytest.mark.parametrize("kind", ["bound", "free"])
@pytest.mark.parametrize("sent", ["foreign", "stale", "stray"])
def test_token_at_issue_changes_nothing(wire: WireClient, way: Way, kind: str, sent: str) -> None:
    """A token sent along with the request for a code gives its holder nothing (C8, D1)."""
    holder, stale = Member(wire), wire.account().token
    assert wire.post("user/logout", token=stale).code == 1
    tokens = {"foreign": holder.account.token, "stray": "not-a-token", "stale": stale}
    target = way.fresh(wire)
    if kind == "bound":
        wire.account(**{way.field: target})
    key = "mobile" if way is PHONE else "email"
    path = "get-verification-code" if way is PHONE else "get-email-verification-code"
    body = {key: target, **wire.solved()}
    assert wire.post(f"verification/{path}", body, token=tokens[sent]).code == 1
    code = wire.next_letter(way.channel, target, set()).code
    assert_refused(way.cancel(wire, holder.account.token, target, code))
    if kind == "bound":
        assert_refused(way.change(wire, holder.account.token, target, code))
    assert_refused(other(way).change(wire, holder.account.token, target, code))
    assert holder.is_unchanged()
