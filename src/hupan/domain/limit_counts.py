"""How far somebody has come in the limits that the store counts (security C5, C11)."""

from hupan.clock import Clock
from hupan.domain.bindings import all_bound
from hupan.domain.refusals import InvalidField
from hupan.domain.roster import Roster
from hupan.domain.targets import Target, Targets, unmarked
from hupan.domain.tries import FREE_ATTEMPTS, everything_of
from hupan.store.engine import Engine
from hupan.store.tallies import Tally, list_all


class LimitCounts:
    """Looks at the counts of the store; a server may run beside it."""

    def __init__(self, engine: Engine, clock: Clock, targets: Targets, roster: Roster) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._roster = roster

    async def counted(self, who: str) -> list[tuple[Target, Tally]]:
        """What is counted of a number, an address, or all that is bound to an account.

        Raises:
            InvalidField: it is nothing of these.
            UnknownUser: no account has this id.
        """
        now = self._clock.now()
        return [
            (target, tally)
            for target in await self._named(who.strip())
            for start in everything_of(target.channel, target.key)
            for tally in await list_all(self._engine, start)
            if tally.ends_at > now and not tally.name.startswith(FREE_ATTEMPTS)
        ]

    async def _named(self, who: str) -> list[Target]:
        """An id has ten digits at most, a number more."""
        try:
            return [self._targets.named(who, "target")]
        except InvalidField:
            if not unmarked(who).isdigit():
                raise
        return all_bound(await self._roster.find(who))
