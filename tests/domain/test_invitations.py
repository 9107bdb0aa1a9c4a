"""Invitation codes and invitations (decision 0008)."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hupan.domain.invitations import InvitationProgress
from hupan.errors import AppError, InvalidField, InvitationCodeChanged, InvitationCodeTaken
from hupan.model import AccountId, CoinType
from hupan.rules import InvitationRules
from hupan.store.invitations import find_inviter
from tests.support.world import NOW, World, open_world

DAY_SECONDS = 86_400
RULES = InvitationRules(
    target_day=3, target_total=30, inviter_reward_cents=250, invited_reward_cents=100
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield accounts with rewards for invitations."""
    with open_world(tmp_path / "hupan.db", invitations=RULES) as world:
        yield world


async def refusal(world: World, account: AccountId, code: str) -> type[AppError] | None:
    """Return the result of a change of the code."""
    try:
        await world.invitations.change_code(account, code)
    except AppError as refused:
        return type(refused)
    return None


async def test_a_code_changes_once(world: World) -> None:
    """The first change succeeds, a second one is refused, a repetition changes nothing."""
    account = await world.account()
    assert await refusal(world, account.id, "MyCode9") is None
    assert (await world.reload(account.id)).invitation_code == "MYCODE9"
    assert await refusal(world, account.id, "mycode9") is None
    assert await refusal(world, account.id, "OTHER1") is InvitationCodeChanged
    assert (await world.reload(account.id)).invitation_code == "MYCODE9"


async def test_the_code_one_has_is_no_change(world: World) -> None:
    """Requesting the current code does not use up the change."""
    account = await world.account()
    assert await refusal(world, account.id, account.invitation_code.lower()) is None
    assert await refusal(world, account.id, "CHOSEN") is None
    assert await refusal(world, account.id, account.invitation_code) is InvitationCodeChanged


async def test_a_code_has_one_owner(world: World) -> None:
    """A code in use, even a former one, is refused; the refusal does not use up the change."""
    first, second = await world.account(), await world.account()
    assert await refusal(world, first.id, "LAKE") is None
    for taken in ("LAKE", "lake", first.invitation_code):
        assert await refusal(world, second.id, taken) is InvitationCodeTaken
    assert (await world.reload(second.id)).invitation_code == second.invitation_code
    assert await refusal(world, second.id, "SHORE") is None


async def test_fifty_ask_for_one_code(world: World) -> None:
    """The first request gets the code, and no other (security A3)."""
    accounts = [await world.account() for _ in range(50)]
    ends = await asyncio.gather(*(refusal(world, one.id, "WANTED") for one in accounts))
    assert ends.count(None) == 1
    assert ends.count(InvitationCodeTaken) == 49
    codes = [(await world.reload(one.id)).invitation_code for one in accounts]
    assert len(set(codes)) == 50


async def test_fifty_requests_of_one_account(world: World) -> None:
    """The account gets one of them, and the claims of the others are undone."""
    account = await world.account()
    wishes = [f"WISH{number:02}" for number in range(50)]
    ends = await asyncio.gather(*(refusal(world, account.id, one) for one in wishes))
    assert ends.count(None) == 1
    assert ends.count(InvitationCodeChanged) == 49
    kept = (await world.reload(account.id)).invitation_code
    rows = await world.engine.fetch_all("SELECT value FROM identities WHERE account_id = 1000001")
    assert {row[0] for row in rows} == {account.invitation_code, kept}


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "code",
    [
        "",
        "ABC",
        "A" * 17,
        "AB CD",
        "AB-CD",
        "湖畔湖畔",
        "ＡＢＣＤ",
        "ıııı",
        "ſſſſ",
        "ßßßß",
        "ABCD\n",
    ],
)
async def test_what_is_no_code(world: World, code: str) -> None:
    """A code is 4 to 16 ASCII letters and digits."""
    account = await world.account()
    with pytest.raises(InvalidField) as refused:
        await world.invitations.change_code(account.id, code)
    assert refused.value.field == "code"


async def test_an_invited_account_is_linked(world: World) -> None:
    """The inviter's count rises and both are paid, by entries of the journal (typ 9)."""
    inviter = await world.account()
    guest = await world.account(invited_by=inviter.invitation_code.lower())
    assert await find_inviter(world.engine, guest.id) == inviter.id
    assert await find_inviter(world.engine, inviter.id) is None
    for account, cents in ((inviter, 250), (guest, 100)):
        page = await world.coins.list_page(account.id, size=10, page=1)
        assert [(e.typ, e.change_cents) for e in page.entries] == [(CoinType.INVITE, cents)]
    progress = await world.invitations.progress(inviter.id)
    assert progress == InvitationProgress(1, 1, 3, 30)


async def test_progress_restarts_each_day(world: World) -> None:
    """The count of a day restarts at midnight in the server's zone, the total never does."""
    inviter = await world.account()

    async def progress_at(at: int, guests: int) -> tuple[int, int]:
        world.clock.time = float(at)
        for _ in range(guests):
            await world.account(invited_by=inviter.invitation_code)
        progress = await world.invitations.progress(inviter.id)
        return progress.today, progress.total

    assert await progress_at(NOW, 0) == (0, 0)
    assert await progress_at(NOW, 2) == (2, 2)
    assert await progress_at(NOW - 4 * 60 + DAY_SECONDS - 1, 1) == (3, 3)
    assert await progress_at(NOW - 4 * 60 + DAY_SECONDS, 0) == (0, 3)
    assert await progress_at(NOW + DAY_SECONDS, 1) == (1, 4)
    assert await progress_at(NOW + 9 * DAY_SECONDS, 0) == (0, 4)


async def test_former_codes_still_invite(world: World) -> None:
    """The original code leads to the same account as the chosen one."""
    inviter = await world.account()
    await world.invitations.change_code(inviter.id, "NEWCODE")
    for code in (inviter.invitation_code, "NEWCODE"):
        guest = await world.account(invited_by=code)
        assert await find_inviter(world.engine, guest.id) == inviter.id
    assert (await world.invitations.progress(inviter.id)).total == 2


async def test_an_invalid_code_makes_no_account(world: World) -> None:
    """Unknown codes, malformed codes and codes of banned accounts refuse the whole change."""
    banned = await world.account()
    await world.bans.ban(banned.id, "刷屏")
    for code in ("NOBODYS", "!", banned.invitation_code):
        with pytest.raises(InvalidField) as refused:
            await world.account(invited_by=code)
        assert refused.value.field == "invitedBy"
    assert await world.engine.fetch_one("SELECT count(*) FROM accounts") == (1,)
    assert await world.engine.fetch_one("SELECT count(*) FROM invitations") == (0,)


async def test_one_inviter_for_good(world: World) -> None:
    """An account cannot be linked twice, and not to itself."""
    first, second = await world.account(), await world.account()
    guest = await world.account(invited_by=first.invitation_code)
    for code in (second.invitation_code, first.invitation_code, guest.invitation_code):
        with pytest.raises(InvalidField):
            await world.engine.run_transaction(
                partial(world.invitations.accept, account=guest.id, text=code, field="code")
            )
    assert await find_inviter(world.engine, guest.id) == first.id
    assert (await world.invitations.progress(first.id)).total == 1
    assert (await world.invitations.progress(second.id)).total == 0


async def test_no_reward_by_default(tmp_path: Path) -> None:
    """Without a configured reward the journal stays empty."""
    async with open_world(tmp_path / "plain.db") as world:
        inviter = await world.account()
        await world.account(invited_by=inviter.invitation_code)
        assert await world.engine.fetch_one("SELECT count(*) FROM coin_entries") == (0,)
