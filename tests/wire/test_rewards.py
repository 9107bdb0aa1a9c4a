"""Coins for a first name, a first avatar and an invitation (wire.md 4 typ 4 and 9, J3)."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.support import pb
from tests.support.answers import Account, Answer
from tests.support.client import WireClient
from tests.support.json_shapes import amount, data_of, parts, reply_to
from tests.support.parallel import at_once
from tests.support.servers import Server
from tests.support.stores import EngineName

NICKNAME, AVATAR = "user/edit-nickname", "user/edit-avatar"
RECORD, PROGRESS = "user/gold-coin-increase-decrease-record", "user/invite/invite-progress"
CHANGE_CODE = "user/invite/change-user-invite-code"
SETTINGS = {
    "HUPAN_FIRST_NICKNAME_COINS": "3",
    "HUPAN_FIRST_AVATAR_COINS": "2",
    "HUPAN_INVITER_REWARD_COINS": "7",
    "HUPAN_INVITED_REWARD_COINS": "5",
    "HUPAN_INVITE_PROGRESS": "account",
    "HUPAN_INVITATION_TARGET_DAY": "4",
    "HUPAN_INVITATION_TARGET_TOTAL": "40",
}
PLACES = ("currentNumberDay", "currentNumberTotal", "targetNumberDay", "targetNumberTotal")
FIRST_CHANGE, INVITATION = 4, 9
NOW = 2_000_000_000
DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def rewarding(engine: EngineName) -> Iterator[WireClient]:
    """Yield a sandbox with rewards."""
    del engine  # the other engine has a separate server
    with Server("sandbox", environment=SETTINGS) as server, WireClient(server) as wire:
        yield wire


def entries(wire: WireClient, account: Account) -> list[tuple[object, Decimal]]:
    """Return (typ, change) of each entry, oldest first."""
    body: dict[str, object] = {"size": 100, "page": 1}
    data = data_of(reply_to(wire, RECORD, body, token=account.token), "goldCoinRecord", "total")
    found = [
        (entry["typ"], amount(entry["changeAmount"])) for entry in parts(data, "goldCoinRecord")
    ]
    return found[::-1]


def rename(wire: WireClient, account: Account, name: str) -> Answer:
    """Change a nickname."""
    return wire.post(NICKNAME, pb.text(3, name), token=account.token)


def change_avatar(wire: WireClient, account: Account, name: str) -> Answer:
    """Change an avatar."""
    url = f"https://example.com/{name}.png"
    return wire.post(AVATAR, pb.text(2, url), token=account.token)


def test_first_changes_are_paid_once(rewarding: WireClient) -> None:
    """The first name and the first avatar each get coins, later ones do not (wire.md 4)."""
    account = rewarding.account()
    for name in ("一", "二", "三"):
        assert rename(rewarding, account, name).code == 1
        assert change_avatar(rewarding, account, name).code == 1
    assert entries(rewarding, account) == [(FIRST_CHANGE, Decimal(3)), (FIRST_CHANGE, Decimal(2))]
    assert rewarding.own_info(account.token).pb_data.double(8) == 5.0


def test_first_changes_at_once_are_paid_once(rewarding: WireClient) -> None:
    """Twenty concurrent changes are one first change (security R09, J3)."""
    account = rewarding.account()
    answers = at_once(lambda at: rename(rewarding, account, f"name {at}"), range(20))
    assert {answer.code for answer in answers} == {1}
    assert entries(rewarding, account) == [(FIRST_CHANGE, Decimal(3))]
    assert rewarding.own_info(account.token).pb_data.double(8) == 3.0


def test_a_refused_change_is_not_paid(rewarding: WireClient) -> None:
    """A refused change is no first change (wire.md 2)."""
    account = rewarding.account()
    assert rename(rewarding, account, "\u202e").code == 1100
    assert entries(rewarding, account) == []
    assert rename(rewarding, account, "n").code == 1
    assert entries(rewarding, account) == [(FIRST_CHANGE, Decimal(3))]


def code_of(wire: WireClient, account: Account) -> str:
    """Return an account's invitation code."""
    return wire.own_info(account.token).pb_data.text(12)


def progress(wire: WireClient, account: Account) -> tuple[object, ...]:
    """Return the four numbers of invite-progress."""
    data = data_of(reply_to(wire, PROGRESS, token=account.token), *PLACES)
    return tuple(data[key] for key in PLACES)


def test_an_invitation_pays_both(rewarding: WireClient) -> None:
    """The inviter and the invited account get coins with typ 9, and the count rises (wire.md 4)."""
    inviter = rewarding.account()
    assert progress(rewarding, inviter) == (0, 0, 4, 40)
    invited = rewarding.account(invitedBy=code_of(rewarding, inviter))
    assert entries(rewarding, inviter) == [(INVITATION, Decimal(7))]
    assert entries(rewarding, invited) == [(INVITATION, Decimal(5))]
    assert progress(rewarding, inviter) == (1, 1, 4, 40)
    assert progress(rewarding, invited) == (0, 0, 4, 40)


def test_a_changed_code_invites(rewarding: WireClient) -> None:
    """The chosen code leads to its account (wire.md 4 change-user-invite-code)."""
    inviter, chosen = rewarding.account(), code_of(rewarding, rewarding.account())[::-1]
    assert rewarding.post(CHANGE_CODE, {"code": chosen}, token=inviter.token).code == 1
    rewarding.account(invitedBy=chosen)
    assert progress(rewarding, inviter) == (1, 1, 4, 40)


def test_invitations_at_once_are_all_counted(rewarding: WireClient) -> None:
    """Twenty concurrent invitations are twenty, each paid once (security R09, J3)."""
    inviter = rewarding.account()
    code = code_of(rewarding, inviter)

    def invite(_: int) -> Answer:
        return rewarding.own_info(rewarding.account(invitedBy=code).token)

    answers = at_once(invite, range(20))
    assert {answer.pb_data.double(8) for answer in answers} == {5.0}
    assert progress(rewarding, inviter) == (20, 20, 4, 40)
    assert entries(rewarding, inviter) == [(INVITATION, Decimal(7))] * 20
    assert rewarding.own_info(inviter.token).pb_data.double(8) == 140.0


def test_a_day_ends_at_midnight(rewarding: WireClient) -> None:
    """The day's number restarts at midnight of the server's zone; the total continues (5)."""
    rewarding.set_clock(set=NOW)
    inviter = rewarding.account()
    rewarding.account(invitedBy=code_of(rewarding, inviter))
    assert progress(rewarding, inviter)[:2] == (1, 1)
    rewarding.set_clock(set=NOW + DAY_SECONDS)
    assert progress(rewarding, inviter)[:2] == (0, 1)
    rewarding.account(invitedBy=code_of(rewarding, inviter))
    assert progress(rewarding, inviter)[:2] == (1, 2)
