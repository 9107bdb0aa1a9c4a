"""What accounts note about each other (wire.md 4, save-user-remarks)."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.domain import profiles as remarks
from hupan.domain.profiles import Remarks
from hupan.errors import InvalidField, RemarksFull, TooManyRemarks, UnknownUser
from hupan.model import AccountId, Remark
from hupan.store.profiles import find_remark
from tests.support.world import Standing, open_standing

OTHERS = '[{"key":"他是","value":"我的朋友"},{"key":"职业","value":"打工人"}]'
WHOLE = Remark("老王", "138 0013 8000", OTHERS)


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    """A store of its own."""
    with open_standing(tmp_path / "hupan.db") as standing:
        yield standing


async def noted(standing: Standing, account: AccountId, friend: AccountId) -> Remark | None:
    """What is kept."""
    return await find_remark(standing.engine, account, friend)


def listed(*pairs: tuple[str, str]) -> str:
    """The JSON text of a list of key and value."""
    return json.dumps([{"key": key, "value": value} for key, value in pairs], ensure_ascii=False)


def test_a_remark_is_one_accounts_own(standing: Standing) -> None:
    """It is about one other account, and the next one replaces it."""

    async def story() -> None:
        service = Remarks(standing.engine)
        one, two, three = [(await standing.account()).id for _ in range(3)]
        await service.save(one, str(two), Remark("first"))
        await service.save(one, str(two), WHOLE)
        assert await noted(standing, one, two) == WHOLE
        assert await noted(standing, two, one) is None
        assert await noted(standing, one, three) is None

    asyncio.run(story())


def test_a_remark_that_says_nothing_is_forgotten(standing: Standing) -> None:
    """Blanks and empty lists say nothing."""

    async def story() -> None:
        service = Remarks(standing.engine)
        one, two = [(await standing.account()).id for _ in range(2)]
        await service.save(one, str(two), WHOLE)
        await service.save(one, str(two), Remark(" ", "", listed(("", " "))))
        assert await noted(standing, one, two) is None

    asyncio.run(story())


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("  ", ""),
        ("[]", ""),
        (OTHERS, OTHERS),
        (listed(("a", "b")), '[{"key":"a","value":"b"}]'),
        ('[ {"value": "b", "key": "a", "id": 7, "more": [[{}]]} ]', '[{"key":"a","value":"b"}]'),
        (listed((" a ", "b\r\nc ")), '[{"key":"a","value":"b\\nc"}]'),
        (listed(("", ""), ("a", ""), ("", "b")), '[{"key":"a","value":""},{"key":"","value":"b"}]'),
        (listed(("<b>", '"\\')), '[{"key":"<b>","value":"\\"\\\\"}]'),
    ],
)
def test_others_are_written_anew(standing: Standing, text: str, kept: str) -> None:
    """Key and value alone, without blanks between; "" when nothing is left."""

    async def story() -> None:
        one, two = [(await standing.account()).id for _ in range(2)]
        await Remarks(standing.engine).save(one, str(two), Remark("n", "", text))
        assert await noted(standing, one, two) == Remark("n", "", kept)

    asyncio.run(story())


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("remark", "field"),
    [
        (Remark(name="湖" * 33), "name"),
        (Remark(name="a\u202eb"), "name"),
        (Remark(phone="1" * 65), "phone"),
        (Remark(phone="1\n2"), "phone"),
        *(
            (Remark(others=text), "others")
            for text in (
                "x",
                "null",
                "{}",
                '"[]"',
                "[1]",
                "[null]",
                "[{}]",
                '[{"key":"a"}]',
                '[{"value":"a"}]',
                '[{"key":1,"value":"a"}]',
                '[{"key":"a","value":null}]',
                '[{"key":"a","value":["b"]}]',
                '[{"key":"a","value":"b"}',
                '[{"key":"a","value":"b"}]]',
                '[{"key":"a","value":"\\u0000"}]',
                '[{"key":"a","value":"\\ud800"}]',
                '[{"key":"a","value":"\ud800"}]',
                '[{"key":"a","value":"b","x":' + "[" * 8000,
                '[{"key":"a","value":"b","x":' + '{"x":' * 1500,
                "[" * 8000,
                listed(("a\nb", "c")),
                listed(("a\u202eb", "c")),
                listed(("湖" * 33, "c")),
                listed(("a", "湖" * 201)),
                listed(*[("a", "b")] * 21),
            )
        ),
    ],
)
def test_what_cannot_be_is_named_and_nothing_kept(
    standing: Standing, remark: Remark, field: str
) -> None:
    """The remark that was there stays."""

    async def story() -> None:
        service = Remarks(standing.engine)
        one, two = [(await standing.account()).id for _ in range(2)]
        await service.save(one, str(two), WHOLE)
        with pytest.raises(InvalidField) as refusal:
            await service.save(one, str(two), remark)
        assert refusal.value.field == field
        assert await noted(standing, one, two) == WHOLE

    asyncio.run(story())


@pytest.mark.parametrize("friend", ["", "0", "-1", "a", "01000001", "9" * 15, "9" * 40, "１"])
def test_nobody_can_be_noted(standing: Standing, friend: str) -> None:
    """An id that nobody has is an unknown user, whatever it looks like."""

    async def story() -> None:
        one = (await standing.account()).id
        with pytest.raises(UnknownUser):
            await Remarks(standing.engine).save(one, friend, WHOLE)

    asyncio.run(story())


def test_nobody_notes_about_oneself(standing: Standing) -> None:
    """A friend is somebody else."""

    async def story() -> None:
        one = (await standing.account()).id
        with pytest.raises(InvalidField, match="friendId"):
            await Remarks(standing.engine).save(one, str(one), WHOLE)

    asyncio.run(story())


def test_remarks_are_bounded(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is refused; those that are there can still be changed, or make room."""
    monkeypatch.setattr(remarks, "MAX_REMARKS", 2)

    async def story() -> None:
        service = Remarks(standing.engine)
        one, *friends = [(await standing.account()).id for _ in range(4)]
        for friend in friends[:2]:
            await service.save(one, str(friend), WHOLE)
        with pytest.raises(TooManyRemarks):
            await service.save(one, str(friends[2]), WHOLE)
        await service.save(one, str(friends[0]), Remark("changed"))
        assert await noted(standing, one, friends[0]) == Remark("changed")
        await service.save(one, str(friends[0]), Remark())
        await service.save(one, str(friends[2]), WHOLE)
        assert await noted(standing, one, friends[2]) == WHOLE

    asyncio.run(story())


def test_remarks_are_bounded_together(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer ones than are kept in all are refused; shorter ones, and none, make room (X5)."""
    monkeypatch.setattr(remarks, "MAX_TOTAL_REMARK_CHARACTERS", 100)

    async def story() -> None:
        service = Remarks(standing.engine)
        one, *friends = [(await standing.account()).id for _ in range(6)]
        for friend in friends[:3]:
            await service.save(one, str(friend), Remark("湖" * 30))
        with pytest.raises(RemarksFull):
            await service.save(one, str(friends[3]), Remark("湖" * 11))
        assert await noted(standing, one, friends[3]) is None
        await service.save(one, str(friends[3]), Remark("湖" * 10))
        with pytest.raises(RemarksFull):
            await service.save(one, str(friends[0]), Remark("湖" * 31))
        assert await noted(standing, one, friends[0]) == Remark("湖" * 30)
        await service.save(one, str(friends[0]), Remark("湖" * 30))
        await service.save(one, str(friends[0]), Remark())
        await service.save(one, str(friends[0]), Remark())
        await service.save(one, str(friends[4]), Remark("湖" * 30))
        with pytest.raises(RemarksFull):
            await service.save(one, str(friends[0]), Remark("湖"))
        assert await sizes(standing) == {(one, 100, 100)}
        await service.save(friends[0], str(one), Remark("湖" * 30))  # another account's own

    asyncio.run(story())


def test_a_refused_remark_counts_nothing(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many is neither kept nor counted in the characters (X5)."""
    monkeypatch.setattr(remarks, "MAX_REMARKS", 1)

    async def story() -> None:
        service = Remarks(standing.engine)
        one, *friends = [(await standing.account()).id for _ in range(3)]
        await service.save(one, str(friends[0]), Remark("湖" * 30))
        for _ in range(3):
            with pytest.raises(TooManyRemarks):
                await service.save(one, str(friends[1]), Remark("湖" * 20))
        assert await sizes(standing) == {(one, 30, 30)}

    asyncio.run(story())


def test_remarks_from_before_there_was_a_bound_stay(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may become shorter, though they are still too long; nothing is lost (X5)."""

    async def story() -> None:
        service = Remarks(standing.engine)
        one, *friends = [(await standing.account()).id for _ in range(4)]
        for friend in friends[:2]:
            await service.save(one, str(friend), Remark("湖" * 30))
        monkeypatch.setattr(remarks, "MAX_TOTAL_REMARK_CHARACTERS", 20)
        with pytest.raises(RemarksFull):
            await service.save(one, str(friends[2]), Remark("湖"))
        await service.save(one, str(friends[0]), Remark("湖" * 29))
        await service.save(one, str(friends[1]), Remark("海" * 30))
        assert await noted(standing, one, friends[0]) == Remark("湖" * 29)
        assert await noted(standing, one, friends[1]) == Remark("海" * 30)

    asyncio.run(story())


async def sizes(standing: Standing) -> set[tuple[int, int, int]]:
    """Accounts with remarks, what is counted of them, and what is there."""
    rows = await standing.engine.fetch_all(
        "SELECT a.id, a.remark_size, sum(length(r.name) + length(r.phone) + length(r.others))"
        " FROM accounts a JOIN remarks r ON r.account_id = a.id GROUP BY a.id, a.remark_size"
    )
    return {(int(row[0]), int(row[1]), int(row[2])) for row in rows}
