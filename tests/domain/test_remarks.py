"""Remarks of accounts about each other (wire.md 4, save-user-remarks)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.domain import profiles as remarks
from hupan.domain.profiles import Remarks
from hupan.errors import InvalidField, RemarksFull, TooManyRemarks, UnknownUser
from hupan.model import AccountId, Remark
from hupan.store.profiles import find_remark
from tests.support.world import World, open_world

OTHERS = '[{"key":"他是","value":"我的朋友"},{"key":"职业","value":"打工人"}]'
WHOLE = Remark("老王", "138 0013 8000", OTHERS)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a world with an empty store."""
    with open_world(tmp_path / "hupan.db") as world:
        yield world


async def noted(world: World, account: AccountId, friend: AccountId) -> Remark | None:
    """Return the stored remarks."""
    return await find_remark(world.engine, account, friend)


def listed(*pairs: tuple[str, str]) -> str:
    """Return the JSON text of a list of keys and values."""
    return json.dumps([{"key": key, "value": value} for key, value in pairs], ensure_ascii=False)


async def test_a_remark_is_one_accounts_own(world: World) -> None:
    """It is about one other account, and the next one replaces it."""
    service = Remarks(world.engine)
    one, two, three = [(await world.account()).id for _ in range(3)]
    await service.save(one, str(two), Remark("first"))
    await service.save(one, str(two), WHOLE)
    assert await noted(world, one, two) == WHOLE
    assert await noted(world, two, one) is None
    assert await noted(world, one, three) is None


async def test_a_remark_that_says_nothing_is_forgotten(world: World) -> None:
    """Blanks and empty lists delete the remark."""
    service = Remarks(world.engine)
    one, two = [(await world.account()).id for _ in range(2)]
    await service.save(one, str(two), WHOLE)
    await service.save(one, str(two), Remark(" ", "", listed(("", " "))))
    assert await noted(world, one, two) is None


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
async def test_others_are_normalised(world: World, text: str, kept: str) -> None:
    """Only key and value are kept, without blanks; "" if nothing is left."""
    one, two = [(await world.account()).id for _ in range(2)]
    await Remarks(world.engine).save(one, str(two), Remark("n", "", text))
    assert await noted(world, one, two) == Remark("n", "", kept)


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
async def test_what_cannot_be_is_named_and_nothing_kept(
    world: World, remark: Remark, field: str
) -> None:
    """The stored remark stays."""
    service = Remarks(world.engine)
    one, two = [(await world.account()).id for _ in range(2)]
    await service.save(one, str(two), WHOLE)
    with pytest.raises(InvalidField) as refusal:
        await service.save(one, str(two), remark)
    assert refusal.value.field == field
    assert await noted(world, one, two) == WHOLE


@pytest.mark.parametrize("friend", ["", "0", "-1", "a", "01000001", "9" * 15, "9" * 40, "１"])
async def test_an_unknown_user_cannot_be_noted(world: World, friend: str) -> None:
    """An id of any form without an account is an unknown user."""
    one = (await world.account()).id
    with pytest.raises(UnknownUser):
        await Remarks(world.engine).save(one, friend, WHOLE)


async def test_the_own_account_cannot_be_noted(world: World) -> None:
    """A remark about the own account is refused."""
    one = (await world.account()).id
    with pytest.raises(InvalidField, match="friendId"):
        await Remarks(world.engine).save(one, str(one), WHOLE)


async def test_remarks_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is refused; existing ones can still be changed or deleted."""
    monkeypatch.setattr(remarks, "MAX_REMARKS", 2)

    service = Remarks(world.engine)
    one, *friends = [(await world.account()).id for _ in range(4)]
    for friend in friends[:2]:
        await service.save(one, str(friend), WHOLE)
    with pytest.raises(TooManyRemarks):
        await service.save(one, str(friends[2]), WHOLE)
    await service.save(one, str(friends[0]), Remark("changed"))
    assert await noted(world, one, friends[0]) == Remark("changed")
    await service.save(one, str(friends[0]), Remark())
    await service.save(one, str(friends[2]), WHOLE)
    assert await noted(world, one, friends[2]) == WHOLE


async def test_remarks_are_bounded_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer ones beyond the total are refused; shorter or empty ones free space (X5)."""
    monkeypatch.setattr(remarks, "MAX_TOTAL_REMARK_CHARACTERS", 100)

    service = Remarks(world.engine)
    one, *friends = [(await world.account()).id for _ in range(6)]
    for friend in friends[:3]:
        await service.save(one, str(friend), Remark("湖" * 30))
    with pytest.raises(RemarksFull):
        await service.save(one, str(friends[3]), Remark("湖" * 11))
    assert await noted(world, one, friends[3]) is None
    await service.save(one, str(friends[3]), Remark("湖" * 10))
    with pytest.raises(RemarksFull):
        await service.save(one, str(friends[0]), Remark("湖" * 31))
    assert await noted(world, one, friends[0]) == Remark("湖" * 30)
    await service.save(one, str(friends[0]), Remark("湖" * 30))
    await service.save(one, str(friends[0]), Remark())
    await service.save(one, str(friends[0]), Remark())
    await service.save(one, str(friends[4]), Remark("湖" * 30))
    with pytest.raises(RemarksFull):
        await service.save(one, str(friends[0]), Remark("湖"))
    assert await sizes(world) == {(one, 100, 100)}
    await service.save(friends[0], str(one), Remark("湖" * 30))  # belongs to another account


async def test_a_refused_remark_counts_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused one is neither stored nor counted in the characters (X5)."""
    monkeypatch.setattr(remarks, "MAX_REMARKS", 1)

    service = Remarks(world.engine)
    one, *friends = [(await world.account()).id for _ in range(3)]
    await service.save(one, str(friends[0]), Remark("湖" * 30))
    for _ in range(3):
        with pytest.raises(TooManyRemarks):
            await service.save(one, str(friends[1]), Remark("湖" * 20))
    assert await sizes(world) == {(one, 30, 30)}


async def test_remarks_from_before_there_was_a_bound_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may become shorter, even if they are still too long; nothing is lost (X5)."""
    service = Remarks(world.engine)
    one, *friends = [(await world.account()).id for _ in range(4)]
    for friend in friends[:2]:
        await service.save(one, str(friend), Remark("湖" * 30))
    monkeypatch.setattr(remarks, "MAX_TOTAL_REMARK_CHARACTERS", 20)
    with pytest.raises(RemarksFull):
        await service.save(one, str(friends[2]), Remark("湖"))
    await service.save(one, str(friends[0]), Remark("湖" * 29))
    await service.save(one, str(friends[1]), Remark("海" * 30))
    assert await noted(world, one, friends[0]) == Remark("湖" * 29)
    assert await noted(world, one, friends[1]) == Remark("海" * 30)


async def sizes(world: World) -> set[tuple[int, int, int]]:
    """Return accounts with remarks, their counted sizes, and the real ones."""
    rows = await world.engine.fetch_all(
        "SELECT a.id, a.remark_size, sum(length(r.name) + length(r.phone) + length(r.others))"
        " FROM accounts a JOIN remarks r ON r.account_id = a.id GROUP BY a.id, a.remark_size"
    )
    return {(int(row[0]), int(row[1]), int(row[2])) for row in rows}
