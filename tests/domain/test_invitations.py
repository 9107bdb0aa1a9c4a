"""Invitation codes and who invited whom (decision 0008)."""

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
from tests.support.world import NOW, Standing, open_standing

DAY_SECONDS = 86_400
RULES = InvitationRules(
    target_day=3, target_total=30, inviter_reward_cents=250, invited_reward_cents=100
)


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    """Accounts whose invitations are rewarded."""
    with open_standing(tmp_path / "hupan.db", RULES) as standing:
        yield standing


async def refusal(standing: Standing, account: AccountId, code: str) -> type[AppError] | None:
    """How a change of the code ends."""
    try:
        await standing.invitations.change_code(account, code)
    except AppError as refused:
        return type(refused)
    return None


def test_a_code_changes_once(standing: Standing) -> None:
    """The first change holds, a second one is refused, the same one again changes nothing."""

    async def story() -> None:
        account = await standing.account()
        assert await refusal(standing, account.id, "MyCode9") is None
        assert (await standing.is_retryable(account.id)).invitation_code == "MYCODE9"
        assert await refusal(standing, account.id, "mycode9") is None
        assert await refusal(standing, account.id, "OTHER1") is InvitationCodeChanged
        assert (await standing.is_retryable(account.id)).invitation_code == "MYCODE9"

    asyncio.run(story())


def test_the_code_one_has_is_no_change(standing: Standing) -> None:
    """Asking for the first code leaves the one change unused."""

    async def story() -> None:
        account = await standing.account()
        assert await refusal(standing, account.id, account.invitation_code.lower()) is None
        assert await refusal(standing, account.id, "CHOSEN") is None
        assert await refusal(standing, account.id, account.invitation_code) is InvitationCodeChanged

    asyncio.run(story())


def test_a_code_has_one_owner(standing: Standing) -> None:
    """Another's code is taken, its former one too; a refused wish does not use the change up."""

    async def story() -> None:
        first, second = await standing.account(), await standing.account()
        assert await refusal(standing, first.id, "LAKE") is None
        for taken in ("LAKE", "lake", first.invitation_code):
            assert await refusal(standing, second.id, taken) is InvitationCodeTaken
        assert (await standing.is_retryable(second.id)).invitation_code == second.invitation_code
        assert await refusal(standing, second.id, "SHORE") is None

    asyncio.run(story())


def test_fifty_ask_for_one_code(standing: Standing) -> None:
    """Whoever comes first has it, and nobody else (security A3)."""

    async def story() -> None:
        accounts = [await standing.account() for _ in range(50)]
        ends = await asyncio.gather(*(refusal(standing, one.id, "WANTED") for one in accounts))
        assert ends.count(None) == 1
        assert ends.count(InvitationCodeTaken) == 49
        codes = [(await standing.is_retryable(one.id)).invitation_code for one in accounts]
        assert len(set(codes)) == 50

    asyncio.run(story())


def test_fifty_wishes_of_one_account(standing: Standing) -> None:
    """One account gets one of them, and its other claims are undone."""

    async def story() -> None:
        account = await standing.account()
        wishes = [f"WISH{number:02}" for number in range(50)]
        ends = await asyncio.gather(*(refusal(standing, account.id, one) for one in wishes))
        assert ends.count(None) == 1
        assert ends.count(InvitationCodeChanged) == 49
        kept = (await standing.is_retryable(account.id)).invitation_code
        rows = await standing.engine.fetch_all(
            "SELECT value FROM identities WHERE account_id = 1000001"
        )
        assert {row[0] for row in rows} == {account.invitation_code, kept}

    asyncio.run(story())


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
def test_what_is_no_code(standing: Standing, code: str) -> None:
    """A code is 4 to 16 ASCII letters and digits."""

    async def story() -> None:
        account = await standing.account()
        with pytest.raises(InvalidField) as refused:
            await standing.invitations.change_code(account.id, code)
        assert refused.value.field == "code"

    asyncio.run(story())


def test_an_invited_account_is_linked(standing: Standing) -> None:
    """The inviter is counted and both are paid, by entries of the journal (typ 9)."""

    async def story() -> None:
        inviter = await standing.account()
        guest = await standing.account(invited_by=inviter.invitation_code.lower())
        assert await find_inviter(standing.engine, guest.id) == inviter.id
        assert await find_inviter(standing.engine, inviter.id) is None
        for account, cents in ((inviter, 250), (guest, 100)):
            page = await standing.coins.list_page(account.id, size=10, page=1)
            assert [(e.typ, e.change_cents) for e in page.entries] == [(CoinType.INVITE, cents)]
        progress = await standing.invitations.progress(inviter.id)
        assert progress == InvitationProgress(1, 1, 3, 30)

    asyncio.run(story())


def test_progress_begins_anew_each_day(standing: Standing) -> None:
    """A day ends at midnight in the server's zone, the whole count never."""

    async def story() -> None:
        inviter = await standing.account()

        async def told(at: int, guests: int) -> tuple[int, int]:
            standing.clock.time = float(at)
            for _ in range(guests):
                await standing.account(invited_by=inviter.invitation_code)
            progress = await standing.invitations.progress(inviter.id)
            return progress.today, progress.total

        assert await told(NOW, 0) == (0, 0)
        assert await told(NOW, 2) == (2, 2)
        assert await told(NOW - 4 * 60 + DAY_SECONDS - 1, 1) == (3, 3)
        assert await told(NOW - 4 * 60 + DAY_SECONDS, 0) == (0, 3)
        assert await told(NOW + DAY_SECONDS, 1) == (1, 4)
        assert await told(NOW + 9 * DAY_SECONDS, 0) == (0, 4)

    asyncio.run(story())


def test_former_codes_still_invite(standing: Standing) -> None:
    """The code on paper leads to the same account as the chosen one."""

    async def story() -> None:
        inviter = await standing.account()
        await standing.invitations.change_code(inviter.id, "NEWCODE")
        for code in (inviter.invitation_code, "NEWCODE"):
            guest = await standing.account(invited_by=code)
            assert await find_inviter(standing.engine, guest.id) == inviter.id
        assert (await standing.invitations.progress(inviter.id)).total == 2

    asyncio.run(story())


def test_a_code_that_invites_nobody_makes_no_account(standing: Standing) -> None:
    """Unknown codes, no codes and codes of the banned refuse the whole change."""

    async def story() -> None:
        banned = await standing.account()
        await standing.bans.ban(banned.id, "刷屏")
        for code in ("NOBODYS", "!", banned.invitation_code):
            with pytest.raises(InvalidField) as refused:
                await standing.account(invited_by=code)
            assert refused.value.field == "invitedBy"
        assert await standing.engine.fetch_one("SELECT count(*) FROM accounts") == (1,)
        assert await standing.engine.fetch_one("SELECT count(*) FROM invitations") == (0,)

    asyncio.run(story())


def test_one_inviter_for_good(standing: Standing) -> None:
    """An account cannot be linked twice, and not to itself."""

    async def story() -> None:
        first, second = await standing.account(), await standing.account()
        guest = await standing.account(invited_by=first.invitation_code)
        for code in (second.invitation_code, first.invitation_code, guest.invitation_code):
            with pytest.raises(InvalidField):
                await standing.engine.run_transaction(
                    partial(standing.invitations.accept, account=guest.id, text=code, field="code")
                )
        assert await find_inviter(standing.engine, guest.id) == first.id
        assert (await standing.invitations.progress(first.id)).total == 1
        assert (await standing.invitations.progress(second.id)).total == 0

    asyncio.run(story())


def test_no_reward_by_default(tmp_path: Path) -> None:
    """Where no reward is set the journal stays empty."""

    async def story(standing: Standing) -> None:
        inviter = await standing.account()
        await standing.account(invited_by=inviter.invitation_code)
        assert await standing.engine.fetch_one("SELECT count(*) FROM coin_entries") == (0,)

    with open_standing(tmp_path / "plain.db") as standing:
        asyncio.run(story(standing))
