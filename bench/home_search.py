"""Home searches among many accounts and groups, through the domain, as a request would.

    python -m bench.home_search [ACCOUNTS] [GROUPS] [FOLDER]

Makes a store with a million accounts and groups by default, in FOLDER or in a temporary folder,
and runs each query a thousand times. A folder that already has a store is not filled again.
"""

import asyncio
import pathlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence

from bench.discovery import groups
from bench.filling import fill as fill_accounts
from hupan.clock import SystemClock
from hupan.domain.discovery import Discovery, DiscoveryImporter
from hupan.domain.search import HomeSearch
from hupan.store.sqlite import SqliteDatabase

ROUNDS = 1000
CHARACTERS = [chr(0x4E00 + 5 * n) for n in range(3_500)]


def questions(accounts: int) -> dict[str, list[str]]:
    """Return the search words by kind."""
    chance = random.Random(11)  # noqa: S311 - a repeatable benchmark
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
    """Run all queries and print the times in milliseconds."""
    engine = SqliteDatabase(file)
    search = HomeSearch(engine, SystemClock(), Discovery(engine), shows_by_default=True)
    every: list[tuple[float, float]] = []
    for kind, words in questions(accounts).items():
        times = [await measure(search, word) for word in words]
        every += times
        tell(kind, times)
    tell("all", every)
    await engine.close()


async def measure(search: HomeSearch, word: str) -> tuple[float, float]:
    """Return the milliseconds of one search: wall time and CPU time."""
    start, used = time.perf_counter(), time.process_time()
    await search.search(word)
    return (time.perf_counter() - start) * 1000, (time.process_time() - used) * 1000


def tell(kind: str, times: list[tuple[float, float]]) -> None:
    """Print a line; CPU times exclude other work of the machine."""
    clock, processor = zip(*times, strict=True)
    print(
        f"{kind:34} p50 {statistics.median(clock):7.3f}  p99 {quantile(clock):7.3f} ms, "
        f"processor p99 {quantile(processor):7.3f} ms"
    )


async def fill_groups(file: pathlib.Path, count: int) -> None:
    """Import groups with made-up words."""
    engine = SqliteDatabase(file)
    await DiscoveryImporter(engine).import_groups([*groups(count)])
    await engine.close()


def quantile(times: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return sorted(times)[int(len(times) * 0.99)]


def main(accounts: int, count: int, folder: pathlib.Path) -> None:
    """Make the store if it does not exist, and run the queries."""
    file = folder / "hupan.db"
    if not file.exists():
        fill_accounts(folder, accounts)
        asyncio.run(fill_groups(file, count))
    asyncio.run(ask(file, accounts))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        given = [*sys.argv[1:4], *("1000000", "1000000", made)[len(sys.argv) - 1 :]]
        main(int(given[0]), int(given[1]), pathlib.Path(given[2]))
