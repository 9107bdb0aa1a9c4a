"""A new edition of the list shows at once or not at all (docs/decisions/0007)."""

import asyncio
from pathlib import Path

import pytest

from hupan.domain.discovery import Discovery, DiscoveryImporter, build_group_index
from hupan.model import Group, SupersededBuild
from hupan.store.database import Database
from tests.domain.listed import group
from tests.stores import make_engine

FIRST, SECOND = group(1, name="湖"), group(2, name="畔")
TABLES = ("listed_groups", "group_ranks", "group_texts", "group_postings")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store that lists one group."""
    path = tmp_path / "hupan.db"

    async def fill() -> None:
        engine = make_engine(path)
        await DiscoveryImporter(engine).import_groups([FIRST])
        await engine.close()

    asyncio.run(fill())
    return path


async def shown(engine: Database) -> list[Group]:
    """All groups."""
    return await Discovery(engine).groups("", "", page=1, size=100)


async def editions(engine: Database) -> set[int]:
    """The editions that have rows."""
    rows = [await engine.fetch_all(f"SELECT DISTINCT edition FROM {table}") for table in TABLES]  # noqa: S608 - our own names
    return {row[0] for some in rows for row in some}


def unwatched(_done: int, _count: int) -> None:
    """Nobody watches."""


def test_a_draft_is_not_seen(database: Path) -> None:
    """Until it is finished the list stays, for this process and for others; then it is new."""

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
    """An import whose file breaks off."""
    async with build_group_index(engine) as draft:
        await draft.add([SECOND])
        raise ValueError("reading failed")


def test_a_draft_that_fails_leaves_nothing(database: Path) -> None:
    """After an error the list is as before, and no row of the draft remains."""

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
    """The next import deletes it, and is not disturbed by it."""

    async def scenario() -> None:
        engine = make_engine(database)
        killed = build_group_index(engine)
        draft = await killed.__aenter__()
        await draft.add([group(7)])
        assert len(await editions(engine)) == 2
        await DiscoveryImporter(engine).import_groups([SECOND])
        assert await shown(engine) == [FIRST, SECOND]
        assert len(await editions(engine)) == 1
        with pytest.raises(SupersededBuild):
            await draft.add([group(8)])
        with pytest.raises(SupersededBuild):
            await draft.finish(unwatched)
        assert await shown(engine) == [FIRST, SECOND]
        await engine.close()

    asyncio.run(scenario())


def test_the_same_again_changes_nothing(database: Path) -> None:
    """Putting the same groups twice gives the same list (idempotent on ids)."""

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
    """While a list is made, another process's changes go through (security R14 b)."""

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
