"""Puts groups and bots into discovery."""

from collections.abc import Sequence

from hupan.domain.group_draft import Progress, drafting
from hupan.model import Bot, Group
from hupan.store.bots import count_bots, put_bot
from hupan.store.engine import Engine, Transaction


def _unwatched(_done: int, _count: int) -> None:
    """Nobody watches a short import."""


class Listings:
    """Keeps what is listed; rows with an id that is known already are replaced."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def put_groups(self, groups: Sequence[Group], on_progress: Progress = _unwatched) -> int:
        """Adds groups, each once, and shows them together; gives how many there are now.

        Raises:
            Overtaken: somebody else began to put groups meanwhile.
        """
        async with drafting(self._engine) as draft:
            await draft.add(groups)
            return await draft.finish(on_progress)

    async def put_bots(self, bots: Sequence[Bot]) -> int:
        """Adds bots in one change; gives how many there are now."""

        async def change(tx: Transaction) -> int:
            for bot in bots:
                await put_bot(tx, bot)
            return await count_bots(tx)

        return await self._engine.change(change)
