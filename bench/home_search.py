"""Home searches among many accounts and groups, through the domain, as a request would.

    python -m bench.home_search [ACCOUNTS] [GROUPS] [FOLDER]

Makes a store with a million accounts and groups unless told otherwise, in FOLDER or in one that is
gone afterwards, and asks each question a thousand times. A folder that holds a store already is
not filled again.
"""

import asyncio
import pathlib
import random
import statistics
import sys
import tempfile
import time

from bench.discovery import groups
from bench.filling import fill as fill_accounts
from hupan.clock import SystemClock
from hupan.domain.discovery import Discovery, DiscoveryImporter
from hupan.domain.search import HomeSearch
from hupan.store.sqlite import SqliteDatabase

ROUNDS = 1000
CHARACTERS = [chr(0x4E00 + 5 * n) for n in range(3_500)]


def questions(accounts: int) -> dict[str, list[str]]:
    """Words by kind."""
    chance = random.Random(11)  # noqa: S311 - a bench that repeats itself
    ids = [str(1_000_001 + chance.randrange(accounts)) for _ in range(ROUNDS)]
    pairs = ["".join(chance.choices(CHARACTERS[:60], k=2)) for _ in range(ROUNDS)]
    return {
        "an id": ids,
        "the beginning of every nickname": ["用户"] * ROUNDS,
        "a whole nickname": [f"用户{number}" for number in ids],
        "two characters": pairs,
        "three characters": [pair + chance.choice(CHARACTERS[:60]) for pair in pairs],
        "nothing": ["鸬鹚鸬鹚鸬鹚"] * ROUNDS,
    }


async def ask(file: pathlib.Path, accounts: int) -> None:
    """Ask all questions and print the times in milliseconds."""
    engine = SqliteDatabase(file)
    search = HomeSearch(engine, SystemClock(), Discovery(engine), shows_by_default=True)
    every: list[float] = []
    for kind, words in questions(accounts).items():
        times = []
        for word in words:
            start = time.perf_counter()
            await search.search(word)
            times.append((time.perf_counter() - start) * 1000)
        every += times
        print(f"{kind:34} p50 {statistics.median(times):7.3f}  p99 {quantile(times):7.3f} ms")
    print(f"{'all':34} p50 {statistics.median(every):7.3f}  p99 {quantile(every):7.3f} ms")
    await engine.close()


async def fill_groups(file: pathlib.Path, count: int) -> None:
    """Import groups with made-up words."""
    engine = SqliteDatabase(file)
    await DiscoveryImporter(engine).import_groups([*groups(count)])
    await engine.close()


def quantile(times: list[float]) -> float:
    """The time that 99 of 100 stay below."""
    return sorted(times)[int(len(times) * 0.99)]


def main(accounts: int, count: int, folder: pathlib.Path) -> None:
    """Make the store, unless it is there, and ask."""
    file = folder / "hupan.db"
    if not file.exists():
        fill_accounts(folder, accounts)
        asyncio.run(fill_groups(file, count))
    asyncio.run(ask(file, accounts))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        given = [*sys.argv[1:4], *("1000000", "1000000", made)[len(sys.argv) - 1 :]]
        main(int(given[0]), int(given[1]), pathlib.Path(given[2]))
