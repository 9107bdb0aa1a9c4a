"""A reset of the sandbox waits for other operations on the whole sandbox (K-7)."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hupan.clock import AdjustableClock, SystemClock
from hupan.sandbox.outbox import MessageCapture
from hupan.sandbox.routes import SandboxRoutes

pytestmark = pytest.mark.one_engine


def test_a_reset_waits_for_seeding_and_restoring() -> None:
    """Otherwise half of a snapshot would remain, with an unrelated clock and messages (K-7)."""
    done: list[str] = []

    async def delete_everything() -> None:
        done.append("deleted")

    async def deliver() -> None:
        done.append("delivered")

    async def run() -> None:
        lock = asyncio.Lock()
        seeder = SimpleNamespace(lock=lock, reset=lambda: done.append("seeder"))
        clock = AdjustableClock(SystemClock())
        routes = SandboxRoutes(
            MessageCapture(clock, "湖畔"),
            clock,
            cast("Any", None),
            cast("Any", seeder),
            deliver,
            delete_everything,
        )
        routes.on_reset.append(lambda: done.append("rest"))
        async with lock:
            reset = asyncio.create_task(routes.reset_all())
            for _ in range(5):
                await asyncio.sleep(0)
            assert done == []
        await reset

    asyncio.run(run())
    assert done == ["deleted", "seeder", "rest"]
