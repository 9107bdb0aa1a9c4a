"""Searches in a long list of groups: first and last pages, common and rare keywords.

    python -m bench.discovery [GROUPS] [zipf|random] [FOLDER]

Creates a store with a million groups by default, in FOLDER or in a temporary folder. The texts are
words with a Zipf distribution, or random characters, where the pairs of a long keyword rarely occur
together. Each query runs a hundred times, through the domain. A folder that already has a store is
not filled again. During the import, a second connection makes small durable changes, as a server
does, and reports how long they wait.
"""

import asyncio
import itertools
import pathlib
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator

from hupan.domain.discovery import Discovery, build_group_index
from hupan.model import Group, GroupId
from hupan.store.database import Database, Transaction
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import SqliteDatabase

FIRST_ID = 100_000_000
WORDS = 30_000
CHARACTERS = 3_500
ROUNDS = 100
SIZE = 30
CATEGORIES = ("粉丝群", "地区", "IT/互联网", "玩机", "游戏", "资讯订阅", "")
RARE, LONE = "鹡鸰", "饕餮"
FEW = "湖畔月春夏秋冬东南西北中"
PHRASE = "欢迎来到我们的大家庭"


def groups(count: int) -> Iterator[Group]:
    """Yield groups with names and introductions of made-up words; few words are frequent."""
    chance = random.Random(7)  # noqa: S311 - a repeatable benchmark
    characters = [chr(0x4E00 + 5 * n) for n in range(CHARACTERS)]
    weights = [1 / (n + 20) for n in range(CHARACTERS)]
    letters = iter(chance.choices(characters, weights, k=WORDS * 2))
    words = ["".join(pair) for pair in zip(letters, letters, strict=True)]
    zipf = list(itertools.accumulate(1 / (n + 5) for n in range(WORDS)))
    ids = chance.sample(range(FIRST_ID, 10 * FIRST_ID), count)
    for place, group in enumerate(ids):
        name = "".join(chance.choices(words, cum_weights=zipf, k=3)) + chance.choice(
            ("交流群", "群", "")
        )
        said = "".join(chance.choices(words, cum_weights=zipf, k=chance.randint(4, 16)))
        said += PHRASE if chance.random() < 0.2 else ""  # noqa: PLR2004 - a fifth of them
        said += RARE if place % 50_000 == 0 else ""
        said += LONE if place == count // 2 else ""
        headcount = min(500_000, int(2 / (1 - chance.random())))
        category = chance.choice(CATEGORIES)
        featured = int(chance.random() < 0.01)  # noqa: PLR2004 - a hundredth of them
        yield Group(GroupId(group), 0, name, said, "", headcount, 1_700_000_000, category, featured)


def random_groups(count: int) -> Iterator[Group]:
    """Yield groups with random texts of few characters: many candidates, few matches."""
    chance = random.Random(7)  # noqa: S311 - a repeatable benchmark
    for group in range(FIRST_ID, FIRST_ID + count):
        name, said = ("".join(chance.choices(FEW, k=chance.randint(2, most))) for most in (12, 60))
        headcount = int(2 / (1 - chance.random()))
        category = chance.choice(CATEGORIES)
        yield Group(GroupId(group), 0, name, said, "", headcount, 1_700_000_000, category, 0)


KINDS = {"zipf": groups, "random": random_groups}


async def fill(database: pathlib.Path, coming: Iterator[Group]) -> None:
    """Import the groups during other writes; print the duration of both."""
    engine, neighbour = SqliteDatabase(database), SqliteDatabase(database)
    waits: list[float] = []
    writing = asyncio.create_task(_write_beside(neighbour, waits))
    started = time.monotonic()
    async with build_group_index(engine) as draft:
        while some := list(itertools.islice(coming, 2_000)):
            await draft.add(some)
        print(f"staged after {time.monotonic() - started:.0f} s")
        await draft.finish(lambda _done, _all: None)
        print(f"shown after {time.monotonic() - started:.0f} s")
    print(f"done after {time.monotonic() - started:.0f} s", end=", ")
    writing.cancel()
    await neighbour.close()
    await engine.close()
    waits.sort()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    print(
        f"a durable change beside it: p50 {waits[len(waits) // 2]:.1f} ms, "
        f"p99 {waits[len(waits) * 99 // 100]:.1f} ms, most {waits[-1]:.1f} ms of {len(waits)}"
    )


async def _write_beside(engine: Database, waits: list[float]) -> None:
    async def change(tx: Transaction) -> None:
        await tx.execute("UPDATE counters SET value = value + 1 WHERE name = 'process'")

    while True:
        started = time.monotonic()
        await engine.run_transaction(change)
        waits.append((time.monotonic() - started) * 1e3)
        await asyncio.sleep(0.01)


async def last_page(discovery: Discovery, category: str, keyword: str) -> int:
    """Return the last page that has a group, by bisection."""
    low, high = 1, 10_000
    while low < high:
        middle = (low + high + 1) // 2
        found = await discovery.groups(category, keyword, page=middle, size=SIZE)
        low, high = (middle, high) if found else (low, middle - 1)
    return low


async def ask(discovery: Discovery, name: str, category: str, keyword: str, page: int) -> None:
    """Run a query repeatedly and print its duration."""
    took: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        found = await discovery.groups(category, keyword, page=page, size=SIZE)
        took.append((time.perf_counter() - started) * 1e3)
    worst = max(took)
    median = statistics.median(took)
    print(
        f"{name:34} page {page:6}: {len(found):3} groups, "
        f"median {median:6.2f} ms, worst {worst:6.2f} ms"
    )


async def measure(database: pathlib.Path) -> None:
    """Run every query for its first and its last page."""
    engine = SqliteDatabase(database)
    discovery = Discovery(engine)
    (common,) = [group.name[:2] for group in await discovery.groups("", "", page=1, size=1)]
    row = await engine.fetch_one(
        "SELECT id, introduction FROM listed_groups WHERE id > ?1 LIMIT 1", FIRST_ID + 90_000
    )
    group, text = row or (FIRST_ID, "")
    questions = [
        ("everything", "", ""),
        ("a category", "游戏", ""),
        ("featured", "精选", ""),
        ("1 character, common", "", "群"),
        ("2 characters, common", "", "交流"),
        ("2 characters, common, category", "游戏", "交流"),
        ("2 characters, of the first name", "", common),
        ("2 characters, rare", "", RARE),
        ("2 characters, one group", "", LONE),
        ("2 characters, nobody", "", "麤龘"),
        ("3 characters, common", "", "交流群"),
        ("3 characters, nobody", "", "群交流"),
        ("8 characters, common", "", PHRASE[:8]),
        ("8 characters, one group", "", str(text)[:8]),
        ("8 characters, featured", "精选", PHRASE[:8]),
        ("32 characters, apart in a fifth", "", (PHRASE * 4)[:32]),
        ("3 characters, mostly apart", "", "湖畔月"),
        ("4 characters, mostly apart", "", "湖畔月湖"),
        ("an exact id", "", str(group)),
    ]
    for name, category, keyword in questions:
        await ask(discovery, name, category, keyword, 1)
        await ask(discovery, name, category, keyword, await last_page(discovery, category, keyword))
    await engine.close()


def main() -> None:
    """Create a store if there is none, and run the queries."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as temporary:
        kind = sys.argv[2] if len(sys.argv) > 2 else "zipf"  # noqa: PLR2004 - the second argument
        folder = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else temporary)  # noqa: PLR2004 - the third
        folder.mkdir(parents=True, exist_ok=True)
        database = folder / "hupan.db"
        if not database.exists():
            migrate_file(database)
            asyncio.run(fill(database, KINDS[kind](count)))
            print(f"the store has {database.stat().st_size >> 20} MB")
        asyncio.run(measure(database))


if __name__ == "__main__":
    main()
