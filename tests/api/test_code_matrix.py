"""What a code may do, cell by cell (security C8, D1).

A code is asked for while its target is bound, free, about to be released or released; with no
token, the caller's own or somebody else's; then used for its target, for another one, or by
somebody else. A cell that `WORKS` does not list must refuse and change nothing.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import pytest

from tests.wire.answers import Answer, assert_refused
from tests.wire.client import WireClient
from tests.wire.records import Account

pytestmark = pytest.mark.slow

Channel: TypeAlias = Literal["sms", "email"]
TOKENS = ("none", "own", "other")
STATES = ("bound", "free", "released before use", "released before issue")
USES = ("same", "other target", "other user")
PASSWORD = "the lake at seven"


@dataclass(frozen=True)
class Door:
    """An endpoint that consumes codes.

    Attributes:
        needs: whether its caller has something bound already.
    """

    path: str
    channel: Channel
    field: str
    needs: bool = True

    def body(self, target: str, code: str) -> dict[str, object]:
        """The request with a code for a target."""
        return {self.field: target, "captcha": code, "password": PASSWORD}


DOORS = {
    "login": Door("user/verification-login", "sms", "mobile"),
    "bind phone": Door("user/bing-phone", "sms", "phone", needs=False),
    "change phone": Door("user/change-phone-check", "sms", "phone"),
    "cancel by phone": Door("user/cancel-user", "sms", "phone"),
    "bind email": Door("user/bing-email", "email", "email", needs=False),
    "change email": Door("user/change-email-check", "email", "email"),
    "cancel by email": Door("user/cancel-user", "email", "email"),
    "reset": Door("user/forget-password", "email", "email"),
}

# Door, how the code was asked for, state, use: whose account the code acted for.
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
CELLS = [
    (door, asked, state, use)
    for door in DOORS
    for asked in (("plain",) if DOORS[door].channel == "sms" else ("plain", "reset"))
    for state in STATES
    for use in USES
]


def fresh(wire: WireClient, channel: Channel) -> str:
    """Return a target that nobody has used."""
    return wire.fresh_phone() if channel == "sms" else wire.fresh_email()


def account(wire: WireClient, channel: Channel, target: str) -> Account:
    """Make an account that has a target, or nothing at all."""
    name = "phone" if channel == "sms" else "email"
    return wire.account(**({name: target} if target else {}))


def ask(wire: WireClient, channel: Channel, target: str, asked: str, token: str | None) -> str:
    """Ask for a code and return it; "000000" when none is sent (security D1)."""
    before = {letter.id for letter in wire.list_outbox(channel, target)}
    name = "mobile" if channel == "sms" else "email"
    path = "get-verification-code" if channel == "sms" else "get-email-verification-code"
    extra = {"typ": "forget_password"} if asked == "reset" else {}
    body = {name: target, **wire.solved(), **extra}
    assert wire.post(f"verification/{path}", body, token=token).code == 1
    sent = [letter for letter in wire.list_outbox(channel, target) if letter.id not in before]
    return sent[-1].code if sent else "000000"


def release(wire: WireClient, channel: Channel, me: Account) -> str:
    """Move an account to another target, so that its old one is free; return the other one."""
    path, field = {
        "sms": ("user/change-phone-check", "phone"),
        "email": ("user/change-email-check", "email"),
    }[channel]
    moved_to = fresh(wire, channel)
    code = ask(wire, channel, moved_to, "plain", None)
    assert wire.post(path, {field: moved_to, "captcha": code}, token=me.token).code == 1
    return moved_to


def bound(wire: WireClient, channel: Channel, who: Account) -> str:
    """Return what an account has bound."""
    return wire.own_info(who.token).pb_data.text(6 if channel == "sms" else 7)


@dataclass(frozen=True)
class Played:
    """A cell that was played."""

    answer: Answer
    target: str
    me: Account
    stranger: Account


def play(wire: WireClient, cell: tuple[str, str, str, str], token: str) -> Played:
    """Play a cell with one kind of token at issue."""
    name, asked, state, use = cell
    door, channel = DOORS[name], DOORS[name].channel
    target = fresh(wire, channel)
    mine = {"free": fresh(wire, channel) if door.needs else ""}.get(state, target)
    me = account(wire, channel, mine)
    stranger = account(wire, channel, fresh(wire, channel) if door.needs else "")
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
    answer = wire.post(door.path, door.body(named, code), token=caller.token)
    return Played(answer, target, me, stranger)


def assert_worked(wire: WireClient, name: str, whose: str, played: Played) -> None:
    """The code acted for the account that it should, and for no other."""
    channel = DOORS[name].channel
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


@pytest.mark.parametrize("cell", CELLS, ids=", ".join)
def test_cell(wire: WireClient, cell: tuple[str, str, str, str]) -> None:
    """Each cell of the matrix does what the table says, whatever token came at issue (C8)."""
    channel = DOORS[cell[0]].channel
    for token in TOKENS:
        played = play(wire, cell, token)
        if cell in WORKS:
            assert played.answer.code == 1, (token, played.answer.msg)
            assert_worked(wire, cell[0], WORKS[cell], played)
        else:
            assert_refused(played.answer)
            assert bound(wire, channel, played.stranger) != played.target
            assert wire.email_login(played.target, PASSWORD).code != 1


def test_the_table_names_cells_alone() -> None:
    """A line of the table that is no cell would be tested by nobody."""
    assert set(WORKS) <= set(CELLS)
