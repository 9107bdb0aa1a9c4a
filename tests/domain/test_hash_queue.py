"""The queue of password hashes is bounded, and fair among accounts and addresses (X3, P5).

The story: one account signed in rightly on 32 connections. No limit counted it, for nothing was
wrong, and the owner of another account was told 48 times of 57 that the server was busy.
"""

import asyncio
import random
from collections import Counter

import pytest

from hupan.domain.hashing import MAX_ADMITTED_PER_KEY, HashClient, HashQueue
from hupan.errors import Busy

pytestmark = pytest.mark.one_engine

AT_ONCE, WAITING = 4, 14
VICTIM = HashClient("victim", "198.51.100.7/32", "198.51.100.0/24")
CROWDS = {
    "one account from one address": lambda at: HashClient("one", "host", "network"),  # noqa: ARG005
    "one account from many addresses": lambda at: HashClient("one", f"host {at}", f"network {at}"),
    "many accounts from one address": lambda at: HashClient(f"of {at}", "host", "network"),
    "many accounts from one /48": lambda at: HashClient(f"of {at}", f"host {at}", "network"),
    "one account from the victim's address": lambda at: HashClient(  # noqa: ARG005
        "one", VICTIM.host, VICTIM.network
    ),
}


async def hold(queue: HashQueue, client: HashClient, order: list[HashClient]) -> None:
    """Hold one turn for a moment."""
    async with queue.slot(client):
        order.append(client)
        await asyncio.sleep(0)


@pytest.mark.parametrize("crowd", CROWDS)
def test_a_single_request_goes_before_a_crowd(crowd: str) -> None:
    """Whoever fills the queue, another's request is let in among the next few (security X3)."""

    async def scenario() -> tuple[list[HashClient], list[object]]:
        queue, order = HashQueue(AT_ONCE, WAITING, 60.0), list[HashClient]()
        tasks = [asyncio.ensure_future(hold(queue, CROWDS[crowd](at), order)) for at in range(100)]
        await asyncio.sleep(0)
        await hold(queue, VICTIM, order)
        return order, await asyncio.gather(*tasks, return_exceptions=True)

    order, outcomes = asyncio.run(scenario())
    assert order.index(VICTIM) <= 2 * AT_ONCE
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert refused
    assert all(isinstance(outcome, Busy) for outcome in refused)


def test_at_most_two_of_an_account_and_of_an_address_are_let_in() -> None:
    """However many come, and in whatever order; and the whole is bounded (security X3, P5)."""
    under_way: Counter[str] = Counter()
    highest: Counter[str] = Counter()
    queue_lengths = []

    async def one(queue: HashQueue, client: HashClient) -> None:
        async with queue.slot(client):
            for key in (client.target, client.host, ""):
                under_way[key] += 1
                highest[key] = max(highest[key], under_way[key])
            queue_lengths.append(len(queue))
            await asyncio.sleep(0)
            for key in (client.target, client.host, ""):
                under_way[key] -= 1

    async def scenario() -> None:
        queue, rng = HashQueue(AT_ONCE, WAITING, 60.0), random.Random(7)  # noqa: S311 - no secret
        for _ in range(50):
            clients = [
                HashClient(f"target {rng.randrange(6)}", f"host {rng.randrange(6)}")
                for _ in range(40)
            ]
            await asyncio.gather(*(one(queue, c) for c in clients), return_exceptions=True)
        assert len(queue) == 0

    asyncio.run(scenario())
    assert highest.pop("") == AT_ONCE
    assert max(highest.values()) == MAX_ADMITTED_PER_KEY
    assert max(queue_lengths) <= AT_ONCE + WAITING


def test_a_client_that_goes_away_gives_its_turn_back() -> None:
    """While it waits, at the moment it is let in, and while it is hashed: none is lost (P5)."""

    async def scenario() -> None:
        for steps in range(6):
            queue, order = HashQueue(1, WAITING, 60.0), list[HashClient]()
            tasks = [
                asyncio.ensure_future(hold(queue, HashClient(f"of {at}"), order)) for at in range(3)
            ]
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert len(queue) == 0, steps
            await asyncio.wait_for(hold(queue, VICTIM, order), 10)

    asyncio.run(scenario())


def test_who_waits_too_long_is_refused() -> None:
    """Busy, and the queue forgets it (security P5)."""

    async def scenario() -> None:
        queue = HashQueue(1, WAITING, 0.01)
        async with queue.slot(VICTIM):
            with pytest.raises(Busy):
                await hold(queue, VICTIM, [])
            assert len(queue) == 1
        assert len(queue) == 0

    asyncio.run(scenario())
