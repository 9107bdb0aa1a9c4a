"""The group search returns what a scan of every group would return (wire.md 4).

A new version of the list becomes visible at once or not at all (docs/decisions/0007).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.domain.discovery import (
    DEFAULT_CATEGORIES,
    Discovery,
    DiscoveryImporter,
    build_group_index,
)
from hupan.errors import InvalidField
from hupan.model import Group, Overtaken
from hupan.store.database import Database
from tests.support.groups import group, plainly
from tests.support.stores import make_engine

pytestmark = pytest.mark.slow

Scenario = Callable[[Discovery, DiscoveryImporter], Awaitable[None]]
SMALL_BLOCK = 64


def run(folder: Path, scenario: Scenario) -> None:
    """Run a scenario on an empty store."""

    async def play() -> None:
        engine = make_engine(folder / "hupan.db")
        try:
            await scenario(Discovery(engine), DiscoveryImporter(engine))
        finally:
            await engine.close()

    asyncio.run(play())


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use blocks of 64 ranks, so that some hundred groups fill several."""
    monkeypatch.setattr("hupan.store.discovery.POSITIONS_PER_BLOCK", SMALL_BLOCK)
    monkeypatch.setattr("hupan.domain.discovery.POSITIONS_PER_BLOCK", SMALL_BLOCK)


def crowd(count: int) -> list[Group]:
    """Return groups of few characters, so that many keywords match and many do not."""
    chance = random.Random(3)  # noqa: S311 - the same groups each time
    return [
        group(
            number,
            name="".join(chance.choices("湖畔春a1", k=chance.randint(1, 5))),
            introduction="".join(chance.choices("湖畔春秋a1", k=chance.randint(0, 8))),
            headcount=chance.choice([0, 1, 1, 2, 50, 10**12]),
            category=chance.choice(["", "地区", "游戏"]),
            is_featured=chance.choice([0, 0, 1]),
        )
        for number in range(count)
    ]


KEYWORDS = (
    *("", "湖", "a", "湖畔", "畔湖", "a1", "湖畔春", "湖湖湖", "春a1", "湖畔湖畔", "秋秋秋秋"),
    *("湖畔春秋a1", "100000007", "10000000", "1000000071", "999999999"),
)


@pytest.mark.usefixtures("_small_blocks")
def test_every_page_of_every_search(tmp_path: Path) -> None:
    """Each category and keyword returns the matches page by page, by headcount, then id."""
    groups = crowd(300)

    async def scenario(discovery: Discovery, listings: DiscoveryImporter) -> None:
        await listings.import_groups(groups)
        for category in ("", "精选", "地区", "nowhere"):
            for keyword in KEYWORDS:
                expected = plainly(groups, category, keyword)
                for size in (1, 7, 100):
                    found: list[Group] = []
                    for page in range(1, len(expected) // size + 2):
                        found += await discovery.groups(category, keyword, page=page, size=size)
                    assert found == expected, (category, keyword, size)

    run(tmp_path, scenario)


async def pages_of(discovery: Discovery, keyword: str, size: int, count: int) -> list[list[Group]]:
    """Return the first pages of a keyword; each must exist."""
    return [
        await discovery.groups("", keyword, page=page, size=size) for page in range(1, count + 1)
    ]


def test_pages_of_a_long_keyword_have_no_holes(tmp_path: Path) -> None:
    """Every page but the last is full, even if most candidates do not match (decision 0007)."""
    chance = random.Random(5)  # noqa: S311 - the same groups each time
    groups = [
        group(number, name="".join(chance.choices("湖畔月春秋", k=14)), headcount=number % 97)
        for number in range(4000)
    ]

    async def scenario(discovery: Discovery, listings: DiscoveryImporter) -> None:
        await listings.import_groups(groups)
        for keyword in ("湖畔月", "畔月春秋"):
            expected = plainly(groups, "", keyword)
            assert len(expected) > 30
            for size in (7, 10, 30):
                full, rest = divmod(len(expected), size)
                pages = await pages_of(discovery, keyword, size, full + 2)
                assert [len(page) for page in pages] == [*[size] * full, rest, 0]
                assert [one for page in pages for one in page] == expected

    run(tmp_path, scenario)


@pytest.mark.usefixtures("_small_blocks")
def test_the_list_of_a_long_keyword_ends_at_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the bound no match is missing and every page is full; after it there are none."""
    groups = [
        group(number, name="湖畔春" if number % 3 else "湖畔和畔春", headcount=1000 - number)
        for number in range(300)
    ]

    async def scenario(discovery: Discovery, listings: DiscoveryImporter) -> None:
        await listings.import_groups(groups)
        for bound in (1, 10, 64, 100, 250, 299):
            monkeypatch.setattr("hupan.store.discovery.MAX_TEXTS_PER_SEARCH", bound)
            expected = plainly(groups[:bound], "", "湖畔春")
            for size in (1, 7, 20):
                pages = await pages_of(discovery, "湖畔春", size, len(expected) // size + 3)
                assert [one for page in pages for one in page] == expected, (bound, size)
                assert all(len(page) == size for page in pages[: len(expected) // size])

    run(tmp_path, scenario)


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize("bound", [1, 70, 200])
def test_an_id_is_found_behind_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int
) -> None:
    """The group comes last, once, and only in its own category."""
    monkeypatch.setattr("hupan.store.discovery.MAX_TEXTS_PER_SEARCH", bound)
    named = [group(number, name="100000299", headcount=9) for number in range(200)]
    mine = group(299, headcount=1, category="游戏")

    async def scenario(discovery: Discovery, listings: DiscoveryImporter) -> None:
        await listings.import_groups([*named, mine])
        pages = await pages_of(discovery, "100000299", 30, 9)
        assert [one for page in pages for one in page] == [*named[:bound], mine]
        for category, found in (("游戏", [mine]), ("地区", [])):
            assert await discovery.groups(category, "100000299", page=1, size=9) == found

    run(tmp_path, scenario)


@pytest.mark.postgres_soak
def test_a_block_and_more(tmp_path: Path) -> None:
    """The list continues after the first 65,536 ranks."""
    count = 65_536 + 40
    groups = [group(number, name="湖", headcount=count - number) for number in range(count)]

    async def scenario(discovery: Discovery, listings: DiscoveryImporter) -> None:
        assert await listings.import_groups(groups) == count
        for keyword in ("", "湖"):
            page = await discovery.groups("", keyword, page=656, size=100)
            assert page == groups[65_500:65_600]
        assert await discovery.groups("", "湖", page=657, size=100) == []
        last = str(groups[-1].id)
        assert await discovery.groups("", last, page=1, size=1) == groups[-1:]

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("Hupan Club", "HUPAN"),
        ("ＨＵＰＡＮ", "hupan"),
        ("湖畔", " 湖畔　"),
        ("湖畔\n小屋", "湖畔 小屋"),
        ("Straße", "STRASSE"),
        ("㍿湖", "株式会社湖"),
        ("é", "e\u0301"),
        ("👩\u200d👧家", "👩\u200d👧"),
        ("𠮷野家", "𠮷野"),
        ("100%", "0%"),
        ("a_b", "_"),
        ("c\\d", "\\"),
        ('"*"', '"*'),
    ],
)
def test_forms_and_case_do_not_count(tmp_path: Path, name: str, keyword: str) -> None:
    """Compatible forms, case and kinds of blanks are equal; no character is special (I8)."""
    mine, other = group(1, introduction=name), group(2, introduction="别的")

    async def scenario(discovery: Discovery, listings: DiscoveryImporter) -> None:
        await listings.import_groups([mine, other])
        assert await discovery.groups("", keyword, page=1, size=9) == [mine]

    run(tmp_path, scenario)


@pytest.mark.one_engine
@pytest.mark.parametrize("keyword", ["\0", "a\0f", "\0f", "湖\x07畔", "\ud800", "湖" * 33])
def test_what_no_text_holds_is_refused(tmp_path: Path, keyword: str) -> None:
    """Control characters never occur in a text; a keyword has at most 32 characters."""

    async def scenario(discovery: Discovery, _listings: DiscoveryImporter) -> None:
        with pytest.raises(InvalidField):
            await discovery.groups("", keyword, page=1, size=1)

    run(tmp_path, scenario)


def test_a_keyword_does_not_reach_across_fields(tmp_path: Path) -> None:
    """The end of a name and the start of an introduction do not form a match."""

    async def scenario(discovery: Discovery, listings: DiscoveryImporter) -> None:
        await listings.import_groups([group(1, name="湖", introduction="畔")])
        assert await discovery.groups("", "湖畔", page=1, size=1) == []

    run(tmp_path, scenario)


def test_categories_are_the_references_until_set(tmp_path: Path) -> None:
    """The configured categories replace all defaults; an empty list restores the defaults."""

    async def scenario(discovery: Discovery, _listings: DiscoveryImporter) -> None:
        assert await discovery.categories() == list(DEFAULT_CATEGORIES)
        await discovery.set_categories(["游戏", "精选"])
        assert await discovery.categories() == ["游戏", "精选"]
        for wrong in (["a", "a"], [""], [" "], ["x" * 17], ["\u202e"], [str(n) for n in range(51)]):
            with pytest.raises(InvalidField):
                await discovery.set_categories(wrong)
        assert await discovery.categories() == ["游戏", "精选"]
        await discovery.set_categories([])
        assert await discovery.categories() == list(DEFAULT_CATEGORIES)

    run(tmp_path, scenario)


FIRST, SECOND = group(1, name="湖"), group(2, name="畔")
TABLES = ("listed_groups", "group_ranks", "group_texts", "group_postings")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a store that lists one group."""
    path = tmp_path / "hupan.db"

    async def fill() -> None:
        engine = make_engine(path)
        await DiscoveryImporter(engine).import_groups([FIRST])
        await engine.close()

    asyncio.run(fill())
    return path


async def shown(engine: Database) -> list[Group]:
    """Return all groups."""
    return await Discovery(engine).groups("", "", page=1, size=100)


async def editions(engine: Database) -> set[int]:
    """Return the versions that have rows."""
    rows = [await engine.fetch_all(f"SELECT DISTINCT edition FROM {table}") for table in TABLES]  # noqa: S608 - our own names
    return {row[0] for some in rows for row in some}


def unwatched(_done: int, _count: int) -> None:
    """Ignore progress."""


def test_a_draft_is_not_seen(database: Path) -> None:
    """All processes see the old list until the import is finished, then the new one."""

    async def scenario() -> None:
        engine, server = make_engine(database), make_engine(database)
        async with build_group_index(engine) as draft:
            await draft.add([SECOND, group(1, name="新")])
            assert await shown(server) == [FIRST]
            await draft.finish(unwatched)
            assert await shown(server) == [group(1, name="新"), SECOND]
        assert len(await editions(engine)) == 1
        for keyword, found in (("湖", []), ("新", [group(1, name="新")]), ("畔", [SECOND])):
            assert await Discovery(server).groups("", keyword, page=1, size=9) == found
        await engine.close()
        await server.close()

    asyncio.run(scenario())


async def failing(engine: Database) -> None:
    """Add a group to a draft, then fail as a broken file does."""
    async with build_group_index(engine) as draft:
        await draft.add([SECOND])
        raise ValueError("reading failed")


def test_a_draft_that_fails_leaves_nothing(database: Path) -> None:
    """After an error the list is unchanged, and no row of the draft remains."""

    async def scenario() -> None:
        engine = make_engine(database)
        before = await editions(engine)
        with pytest.raises(ValueError, match="reading failed"):
            await failing(engine)
        assert await shown(engine) == [FIRST]
        assert await editions(engine) == before
        await engine.close()

    asyncio.run(scenario())


def test_what_a_killed_import_left_is_forgotten(database: Path) -> None:
    """The next import deletes the leftovers, and works normally."""

    async def scenario() -> None:
        engine = make_engine(database)
        killed = build_group_index(engine)
        draft = await killed.__aenter__()
        await draft.add([group(7)])
        assert len(await editions(engine)) == 2
        await DiscoveryImporter(engine).import_groups([SECOND])
        assert await shown(engine) == [FIRST, SECOND]
        assert len(await editions(engine)) == 1
        with pytest.raises(Overtaken):
            await draft.add([group(8)])
        with pytest.raises(Overtaken):
            await draft.finish(unwatched)
        assert await shown(engine) == [FIRST, SECOND]
        await engine.close()

    asyncio.run(scenario())


def test_the_same_again_changes_nothing(database: Path) -> None:
    """Importing the same groups twice results in the same list (idempotent on ids)."""

    async def scenario() -> None:
        engine = make_engine(database)
        groups = [group(number, headcount=number % 7) for number in range(50)]
        assert await DiscoveryImporter(engine).import_groups(groups) == 50
        first = await shown(engine)
        assert await DiscoveryImporter(engine).import_groups(groups) == 50
        assert await shown(engine) == first
        await engine.close()

    asyncio.run(scenario())


def test_others_keep_their_turn(database: Path) -> None:
    """During an import, writes of other processes go through (security R14 b)."""

    async def scenario() -> None:
        engine, server = make_engine(database), make_engine(database)
        groups = [group(number, introduction=f"第{number}个群") for number in range(5000)]
        making = asyncio.create_task(DiscoveryImporter(engine).import_groups(groups))
        changes = 0
        while not making.done():
            await server.run_transaction(
                lambda tx: tx.execute(
                    "UPDATE counters SET value = value + 1 WHERE name = 'process'"
                )
            )
            changes += 1
        assert await making == 5000
        assert changes > 3
        await engine.close()
        await server.close()

    asyncio.run(scenario())
