"""A code's permissions are decided when it is issued (security C8, D1, wire.md 7).

A code is requested while its target is bound, free, about to be released or released; with no
token, the caller's token or another account's; then used for its target or another one, by its
owner or another account. A cell that `WORKS` does not list must refuse and change nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pytest

from tests.support.answers import Account, Answer, assert_refused
from tests.support.channels import CONTACT_CHANNELS, EMAIL, PHONE, ContactChannel, forget, other
from tests.support.client import WireClient
from tests.support.stores import EngineName

Channel: TypeAlias = Literal["sms", "email"]
TOKENS = ("none", "own", "other")
STATES = ("bound", "free", "released before use", "released before issue")
USES = ("same", "other target", "other user")
PASSWORD = "the lake at seven"


@dataclass(frozen=True)
class CodeEndpoint:
    """An endpoint that consumes codes.

    Attributes:
        needs: whether its caller needs a bound contact.
    """

    path: str
    channel: Channel
    field: str
    needs: bool = True

    def body(self, target: str, code: str) -> dict[str, object]:
        """Return the request with a code for a target."""
        return {self.field: target, "captcha": code, "password": PASSWORD}


CODE_ENDPOINTS = {
    "login": CodeEndpoint("user/verification-login", "sms", "mobile"),
    "bind phone": CodeEndpoint("user/bing-phone", "sms", "phone", needs=False),
    "change phone": CodeEndpoint("user/change-phone-check", "sms", "phone"),
    "cancel by phone": CodeEndpoint("user/cancel-user", "sms", "phone"),
    "bind email": CodeEndpoint("user/bing-email", "email", "email", needs=False),
    "change email": CodeEndpoint("user/change-email-check", "email", "email"),
    "cancel by email": CodeEndpoint("user/cancel-user", "email", "email"),
    "reset": CodeEndpoint("user/forget-password", "email", "email"),
}

# Endpoint, kind of request, state, use: the account for which the code acted.
WORKS = {
    ("login", "plain", "bound", "same"): "me",
    ("login", "plain", "bound", "other user"): "me",
    ("login", "plain", "free", "same"): "new",
    ("login", "plain", "free", "other user"): "new",
    ("login", "plain", "released before issue", "same"): "new",
    ("login", "plain", "released before issue", "other user"): "new",
    ("bind phone", "plain", "free", "same"): "me",
    ("bind phone", "plain", "free", "other user"): "stranger",
    ("bind phone", "plain", "released before issue", "other user"): "stranger",
    ("change phone", "plain", "bound", "same"): "me",
    ("change phone", "plain", "free", "same"): "me",
    ("change phone", "plain", "free", "other user"): "stranger",
    ("change phone", "plain", "released before issue", "same"): "me",
    ("change phone", "plain", "released before issue", "other user"): "stranger",
    ("cancel by phone", "plain", "bound", "same"): "me",
    ("bind email", "plain", "free", "same"): "me",
    ("bind email", "plain", "free", "other user"): "stranger",
    ("bind email", "plain", "released before issue", "other user"): "stranger",
    ("change email", "plain", "bound", "same"): "me",
    ("change email", "plain", "free", "same"): "me",
    ("change email", "plain", "free", "other user"): "stranger",
    ("change email", "plain", "released before issue", "same"): "me",
    ("change email", "plain", "released before issue", "other user"): "stranger",
    ("cancel by email", "plain", "bound", "same"): "me",
    ("reset", "plain", "bound", "same"): "me",
    ("reset", "plain", "bound", "other user"): "me",
    ("reset", "reset", "bound", "same"): "me",
    ("reset", "reset", "bound", "other user"): "me",
}
REQUESTS = [
    (endpoint, asked)
    for endpoint in CODE_ENDPOINTS
    for asked in (("plain",) if CODE_ENDPOINTS[endpoint].channel == "sms" else ("plain", "reset"))
]
CELLS = [(*request, state, use) for request in REQUESTS for state in STATES for use in USES]


def fresh(wire: WireClient, channel: Channel) -> str:
    """Return a target that no account has used."""
    return wire.fresh_phone() if channel == "sms" else wire.fresh_email()


def account(wire: WireClient, channel: Channel, target: str) -> Account:
    """Create an account with a target, or without any."""
    name = "phone" if channel == "sms" else "email"
    return wire.account(**({name: target} if target else {}))


def ask(wire: WireClient, channel: Channel, target: str, asked: str, token: str | None) -> str:
    """Request a code and return it; "000000" if none is sent (security D1)."""
    before = {letter.id for letter in wire.list_outbox(channel, target)}
    name = "mobile" if channel == "sms" else "email"
    path = "get-verification-code" if channel == "sms" else "get-email-verification-code"
    extra = {"typ": "forget_password"} if asked == "reset" else {}
    body = {name: target, **wire.solved(), **extra}
    assert wire.post(f"verification/{path}", body, token=token).code == 1
    sent = [letter for letter in wire.list_outbox(channel, target) if letter.id not in before]
    return sent[-1].code if sent else "000000"


def release(wire: WireClient, channel: Channel, me: Account) -> str:
    """Move an account to another target, so that its old one is free; return the new one."""
    path, field = {
        "sms": ("user/change-phone-check", "phone"),
        "email": ("user/change-email-check", "email"),
    }[channel]
    moved_to = fresh(wire, channel)
    code = ask(wire, channel, moved_to, "plain", None)
    assert wire.post(path, {field: moved_to, "captcha": code}, token=me.token).code == 1
    return moved_to


def bound(wire: WireClient, channel: Channel, who: Account) -> str:
    """Return the bound contact of an account."""
    return wire.own_info(who.token).pb_data.text(6 if channel == "sms" else 7)


@dataclass(frozen=True)
class CellResult:
    """The result of a cell."""

    answer: Answer
    target: str
    me: Account
    stranger: Account


def play(wire: WireClient, cell: tuple[str, str, str, str], token: str) -> CellResult:
    """Play a cell with one kind of token at the request."""
    name, asked, state, use = cell
    endpoint, channel = CODE_ENDPOINTS[name], CODE_ENDPOINTS[name].channel
    target = fresh(wire, channel)
    mine = {"free": fresh(wire, channel) if endpoint.needs else ""}.get(state, target)
    me = account(wire, channel, mine)
    stranger = account(wire, channel, fresh(wire, channel) if endpoint.needs else "")
    sent = {"none": None, "own": me.token, "other": stranger.token}[token]
    if state == "released before issue":
        release(wire, channel, me)
    code = ask(wire, channel, target, asked, sent)
    if state == "released before use":
        release(wire, channel, me)
    named = target
    if use == "other target":
        named = bound(wire, channel, stranger) if name == "reset" else fresh(wire, channel)
    caller = stranger if use == "other user" else me
    answer = wire.post(endpoint.path, endpoint.body(named, code), token=caller.token)
    return CellResult(answer, target, me, stranger)


def assert_worked(wire: WireClient, name: str, whose: str, played: CellResult) -> None:
    """Check that the code acted only for the right account."""
    channel = CODE_ENDPOINTS[name].channel
    who = played.stranger if whose == "stranger" else played.me
    if name == "login":
        user_id = wire.own_info(played.answer.text("token")).pb_data.text(1)
        assert (user_id == played.me.id) is (whose == "me")
        assert user_id != played.stranger.id
    elif name == "reset":
        token = wire.email_login(played.target, PASSWORD).text("token")
        assert wire.own_info(token).pb_data.text(1) == played.me.id
    elif name.startswith("cancel"):
        assert wire.own_info(played.me.token).code == -101
        assert wire.own_info(played.stranger.token).code == 1
    else:
        assert bound(wire, channel, who) == played.target


@pytest.mark.slow
@pytest.mark.parametrize("request_for", REQUESTS, ids=", ".join)
def test_cell(
    wire: WireClient, engine: EngineName, request_for: tuple[str, str], subtests: pytest.Subtests
) -> None:
    """Each cell gives the table's result, with every kind of token at the request (C8)."""
    # The token is read before the store: on the second engine each cell is played once.
    tokens = TOKENS if engine == "sqlite" else TOKENS[-1:]
    for cell in (cell for cell in CELLS if cell[:2] == request_for):
        for token in tokens:
            with subtests.test(cell=cell, token=token):
                check_cell(wire, cell, token)


def check_cell(wire: WireClient, cell: tuple[str, str, str, str], token: str) -> None:
    """Play a cell and compare the result with the table."""
    played = play(wire, cell, token)
    if cell in WORKS:
        assert played.answer.code == 1, played.answer.msg
        assert_worked(wire, cell[0], WORKS[cell], played)
    else:
        assert_refused(played.answer)
        assert bound(wire, CODE_ENDPOINTS[cell[0]].channel, played.stranger) != played.target
        assert wire.email_login(played.target, PASSWORD).code != 1


@pytest.mark.slow
def test_the_table_names_cells_alone() -> None:
    """Every row of the table names an existing cell: another one would not be tested."""
    assert set(WORKS) <= set(CELLS)


OLD_PASSWORD, NEW = "long enough 湖 1", "another one 畔 2"
Use = Callable[[WireClient, str, str, str], Answer]

FOREIGN_USES: dict[str, Use] = {
    "verification-login": lambda wire, _, target, code: wire.sign_in(target, code),
    "forget-password": lambda wire, _, target, code: forget(wire, target, code, NEW),
    "bing-phone": PHONE.bind,
    "bing-email": EMAIL.bind,
    "change-phone-check": PHONE.change,
    "change-email-check": EMAIL.change,
    "cancel-user by phone": PHONE.cancel,
    "cancel-user by email": EMAIL.cancel,
}
# What a code of an account's own target may do with that account's token.
OWN = {
    "sms": {"verification-login", "change-phone-check", "cancel-user by phone"},
    "email": {"forget-password", "change-email-check", "cancel-user by email"},
}
# What a code of a free target may do with the token of an account that has both bound.
NEW_ONES = {"sms": {"verification-login", "change-phone-check"}, "email": {"change-email-check"}}
TARGETLESS = {"sms": "verification-login", "email": "forget-password"}
ways = pytest.mark.parametrize("way", CONTACT_CHANNELS, ids=["phone", "email"])


class Member:
    """A member with both contacts and a password, and a check for changes."""

    def __init__(self, wire: WireClient) -> None:
        self.wire = wire
        self.targets = {way.channel: way.fresh(wire) for way in CONTACT_CHANNELS}
        self.account = wire.account(
            phone=self.targets["sms"],
            email=self.targets["email"],
            password=OLD_PASSWORD,
            deviceId="door",
        )

    def is_unchanged(self) -> bool:
        """Return whether session, targets and password are unchanged."""
        bound = {way.channel: way.bound(self.wire, self.account.token) for way in CONTACT_CHANNELS}
        login = self.wire.email_login(self.targets["email"], OLD_PASSWORD, deviceId="check")
        return bound == self.targets and login.code == 1


@pytest.mark.slow
@pytest.mark.one_engine
@ways
def test_own_code_serves_its_owner_alone(
    wire: WireClient, way: ContactChannel, subtests: pytest.Subtests
) -> None:
    """With a stranger's token the code of a bound target changes neither account (C8)."""
    for use in sorted(FOREIGN_USES):
        with subtests.test(use=use):
            owner, stranger = Member(wire), Member(wire)
            target = owner.targets[way.channel]
            code = way.code(wire, target)
            answer = FOREIGN_USES[use](wire, stranger.account.token, target, code)
            if use == TARGETLESS[way.channel]:
                assert answer.code == 1
            else:
                assert_refused(answer)
                assert owner.is_unchanged()
            assert stranger.is_unchanged()


@pytest.mark.slow
@pytest.mark.one_engine
@ways
def test_own_code_with_its_owners_token(
    wire: WireClient, way: ContactChannel, subtests: pytest.Subtests
) -> None:
    """The code of one's own target does exactly what D1 lists (security D1)."""
    for use in sorted(FOREIGN_USES):
        with subtests.test(use=use):
            owner = Member(wire)
            target = owner.targets[way.channel]
            answer = FOREIGN_USES[use](wire, owner.account.token, target, way.code(wire, target))
            if use in OWN[way.channel]:
                assert answer.code == 1, answer.msg
            else:
                assert_refused(answer)
                assert owner.is_unchanged()


@pytest.mark.slow
@pytest.mark.one_engine
@ways
def test_new_code_with_a_token(
    wire: WireClient, way: ContactChannel, subtests: pytest.Subtests
) -> None:
    """The code of a free target only registers, binds or changes to it (D1)."""
    for use in sorted(FOREIGN_USES):
        with subtests.test(use=use):
            member, target = Member(wire), way.fresh(wire)
            answer = FOREIGN_USES[use](wire, member.account.token, target, way.code(wire, target))
            if use in NEW_ONES[way.channel]:
                assert answer.code == 1, answer.msg
            else:
                assert_refused(answer)
            if use != way.change_path.removeprefix("user/"):
                assert member.is_unchanged()


@pytest.mark.slow
@pytest.mark.one_engine
@ways
def test_code_of_another_target(
    wire: WireClient, way: ContactChannel, subtests: pytest.Subtests
) -> None:
    """A code never works for another target (security C8)."""
    for use in sorted(FOREIGN_USES):
        with subtests.test(use=use):
            member, elsewhere = Member(wire), way.fresh(wire)
            code = way.code(wire, elsewhere)
            for named in CONTACT_CHANNELS:
                assert_refused(
                    FOREIGN_USES[use](
                        wire, member.account.token, member.targets[named.channel], code
                    )
                )
            assert member.is_unchanged()


@pytest.mark.slow
@pytest.mark.one_engine
@ways
def test_code_of_a_released_target(
    wire: WireClient, way: ContactChannel, subtests: pytest.Subtests
) -> None:
    """The code of a target released meanwhile works nowhere (security D1, C8)."""
    for use in sorted(FOREIGN_USES):
        with subtests.test(use=use):
            owner, stranger = Member(wire), Member(wire)
            old, target = owner.targets[way.channel], way.fresh(wire)
            code = way.code(wire, old)
            owner.targets[way.channel] = target
            changed = way.change(wire, owner.account.token, target, way.code(wire, target))
            assert changed.code == 1, changed.msg
            for member in (owner, stranger):
                assert_refused(FOREIGN_USES[use](wire, member.account.token, old, code))
                assert member.is_unchanged()


@pytest.mark.slow
@pytest.mark.one_engine
@ways
@pytest.mark.parametrize("kind", ["bound", "free"])
def test_token_at_issue_changes_nothing(
    wire: WireClient, way: ContactChannel, kind: str, subtests: pytest.Subtests
) -> None:
    """A token sent with the request for a code gives its owner nothing (C8, D1)."""
    for sent in ["foreign", "stale", "stray"]:
        with subtests.test(sent=sent):
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
            code = wire.next_message(way.channel, target, set()).code
            assert_refused(way.cancel(wire, holder.account.token, target, code))
            if kind == "bound":
                assert_refused(way.change(wire, holder.account.token, target, code))
            assert_refused(other(way).change(wire, holder.account.token, target, code))
            assert holder.is_unchanged()
