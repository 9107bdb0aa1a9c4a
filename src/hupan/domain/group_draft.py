"""A new edition of the list of groups, made beside the one that is shown (docs/decisions/0007).

Everything is written in small changes with a pause as long as the change took, so a server in
another process gets its turn at the store (security R14). What is shown changes in the last of
them, at once; a draft that ends before leaves nothing behind that anybody sees.
"""

import asyncio
from array import array
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import TypeAlias, TypeVar

from hupan.model import Group
from hupan.store.bitmaps import PLACES, pack
from hupan.store.editions import (
    check_draft,
    copy_groups,
    forget_some,
    list_headcounts,
    open_draft,
    publish,
    put_groups,
    put_postings,
    put_ranks,
    put_texts,
    shown_edition,
)
from hupan.store.engine import Engine, Result, Transaction
from hupan.store.grams import FEATURED, category_gram, grams_of, searched_text
from hupan.store.groups import MOST_AT_ONCE, list_by_rank

ROWS_OF_A_CHANGE = 2_000
MOST_PAUSE_SECONDS = 0.1
HIGHEST_HEADCOUNT = 2**53
IDS = 10**9
"""Group ids lie below (wire.md 5)."""

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many groups are done, and of how many."""
Part = TypeVar("Part")


class Draft:
    """One edition in the making; opened by `drafting`."""

    def __init__(self, engine: Engine, edition: int, source: int) -> None:
        self._engine = engine
        self._edition = edition
        self._source = source

    async def add(self, groups: Sequence[Group]) -> None:
        """Adds groups, of which none may come twice."""
        for some in _chunks(iter(groups), ROWS_OF_A_CHANGE):
            await self._change(partial(put_groups, edition=self._edition, groups=some))

    async def finish(self, on_progress: Progress) -> int:
        """Keeps all other groups as they are, indexes, and shows the edition; gives its size."""
        await self._keep_others()
        ordered = await self._ordered()
        await self._rank(ordered)
        await self._index(len(ordered), on_progress)
        await self._change(partial(publish, edition=self._edition))
        return len(ordered)

    async def _keep_others(self) -> None:
        after = 0
        while some := await list_headcounts(self._engine, self._source, after, ROWS_OF_A_CHANGE):
            last = some[-1][0]
            await self._change(
                partial(
                    copy_groups, source=self._source, edition=self._edition, after=after, last=last
                )
            )
            after = last

    async def _ordered(self) -> "array[int]":
        """All ids by headcount, equal ones by id."""
        keys: list[int] = []
        after = 0
        while some := await list_headcounts(self._engine, self._edition, after, ROWS_OF_A_CHANGE):
            # One number sorts in a third of the time and memory of a pair.
            keys += [(HIGHEST_HEADCOUNT - headcount) * IDS + group for group, headcount in some]
            after = some[-1][0]
            await asyncio.sleep(0)
        keys.sort()
        return array("q", (key % IDS for key in keys))

    async def _rank(self, ordered: "array[int]") -> None:
        for first in range(0, len(ordered), ROWS_OF_A_CHANGE):
            some = ordered[first : first + ROWS_OF_A_CHANGE]
            await self._change(partial(put_ranks, edition=self._edition, first=first, groups=some))

    async def _index(self, count: int, on_progress: Progress) -> None:
        for block in range(-(-count // PLACES)):
            first, past = block * PLACES, min(count, (block + 1) * PLACES)
            places: defaultdict[str, array[int]] = defaultdict(partial(array, "H"))
            for rank in range(first, past, ROWS_OF_A_CHANGE):
                end = min(past, rank + ROWS_OF_A_CHANGE)
                await self._keep_texts(places, rank, end, first)
                on_progress(end, count)
            postings = ((gram.encode(), pack(places[gram])) for gram in sorted(places))
            for some in _chunks(postings, ROWS_OF_A_CHANGE):
                await self._change(
                    partial(put_postings, edition=self._edition, block=block, postings=some)
                )

    async def _keep_texts(
        self, places: "defaultdict[str, array[int]]", rank: int, end: int, first: int
    ) -> None:
        """Keeps the texts of some groups and enters their grams."""
        texts: list[str] = []
        for one in range(rank, end, MOST_AT_ONCE):
            ranks = range(one, min(end, one + MOST_AT_ONCE))
            for group in await list_by_rank(self._engine, self._edition, ranks):
                text = searched_text(group.name, group.introduction)
                for gram in _grams(group, text):
                    places[gram].append(rank + len(texts) - first)
                texts.append(text)
            await asyncio.sleep(0)  # lets others run
        await self._change(partial(put_texts, edition=self._edition, first=rank, texts=texts))

    async def _change(self, work: Callable[[Transaction], Awaitable[None]]) -> None:
        async def checked(tx: Transaction) -> None:
            await check_draft(tx, self._edition)
            await work(tx)

        await _paced(self._engine, checked)


@asynccontextmanager
async def drafting(engine: Engine) -> AsyncIterator[Draft]:
    """A draft on top of what is shown; unless it is finished, nothing of it stays.

    Raises:
        Overtaken: somebody opened a later draft meanwhile.
    """
    edition = await engine.change(open_draft)
    source = await shown_edition(engine)
    try:
        await _forget(engine, source + 1, edition)  # what a killed import left
        yield Draft(engine, edition, source)
    finally:
        shown = await shown_edition(engine)
        await _forget(engine, 0, shown)
        await _forget(engine, shown + 1, edition + 1)


async def _forget(engine: Engine, first: int, past: int) -> None:
    """Deletes the editions of a range."""
    deleted = 1
    while deleted:
        deleted = await _paced(
            engine, partial(forget_some, first=first, past=past, most=ROWS_OF_A_CHANGE)
        )


async def _paced(engine: Engine, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
    """Makes a change, then leaves the store to others for as long as it took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    result = await engine.change(work)
    await asyncio.sleep(min(loop.time() - started, MOST_PAUSE_SECONDS))
    return result


def _grams(group: Group, text: str) -> set[str]:
    grams = set().union(*map(grams_of, text.split("\n")))
    if group.category:
        grams.add(category_gram(group.category))
    if group.is_featured:
        grams.add(FEATURED)
    return grams


def _chunks(parts: Iterator[Part], most: int) -> Iterator[list[Part]]:
    while some := list(islice(parts, most)):
        yield some
