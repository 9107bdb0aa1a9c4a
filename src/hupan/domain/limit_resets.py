"""Forgetting what was counted of somebody, by an operator's hand, beside servers that run.

What lies in the store is forgotten at once. What processes count in memory each of them forgets by
itself when it next looks: that an operator wants it is a row of the store.
"""

import asyncio
import re
from ipaddress import ip_network

from hupan.clock import Clock
from hupan.domain.bindings import all_bound
from hupan.domain.destinations import number_block
from hupan.domain.floods import Floods
from hupan.domain.origins import WIDEST_PREFIX, Network, origins_in
from hupan.domain.refusals import InvalidField, UnknownUser
from hupan.domain.targets import Target, Targets, unmarked
from hupan.domain.tries import block_sends, everything_of
from hupan.model import AccountId
from hupan.store.accounts import find_account
from hupan.store.engine import Engine, Transaction
from hupan.store.limit_resets import list_resets, purge_resets, put_reset
from hupan.store.tallies import forget_all

KEPT_SECONDS = 3600
"""How long a process has to look; one looks each minute."""
_ID = re.compile("[1-9][0-9]{0,9}")
_AT_ONCE = 1000


class LimitResets:
    """Asks for it."""

    def __init__(self, engine: Engine, clock: Clock, targets: Targets) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets

    async def reset(self, who: str) -> int:
        """Forgets what is counted of somebody; gives how many counts the store held.

        Args:
            who: a phone number, an e-mail address, an account's id with all that is bound to it, or
                an IP address or network as wide as `WIDEST_PREFIX` or less.

        Raises:
            UnknownUser: no account has this id.
            InvalidField: it is nothing of these.
        """
        if network := _network(who):
            return await self._ask(f"network:{network}", [])
        who_id = unmarked(who)
        if not _ID.fullmatch(who_id):
            return await self._ask("", [self._targets.named(who, "who")])
        account = await find_account(self._engine, AccountId(int(who_id)))
        if account is None:
            raise UnknownUser
        return await self._ask(f"account:{account.id}", all_bound(account))

    async def _ask(self, subject: str, targets: list[Target]) -> int:
        now = int(self._clock.now())
        starts = [start for target in targets for start in _counted(target)]

        async def change(tx: Transaction) -> int:
            if subject:
                await put_reset(tx, subject, now)
            return sum([await forget_all(tx, start) for start in starts])

        return await self._engine.change(change)


class Forgetting:
    """Does it in one process."""

    def __init__(self, engine: Engine, clock: Clock, floods: Floods) -> None:
        self._engine = engine
        self._clock = clock
        self._floods = floods
        self._done: dict[str, int] = {}

    async def look(self) -> None:
        """Forgets what operators asked for since the last look."""
        now = int(self._clock.now())
        asked = dict(await list_resets(self._engine, now - KEPT_SECONDS))
        for subject, asked_at in asked.items():
            if self._done.get(subject) != asked_at:
                await self._forget(subject, now)
        self._done = asked
        if asked:
            await self._engine.change(lambda tx: purge_resets(tx, now - KEPT_SECONDS))

    async def _forget(self, subject: str, now: int) -> None:
        kind, _, name = subject.partition(":")
        if kind == "account":
            self._floods.forget_account(AccountId(int(name)), now)
            return
        for place, origin in enumerate(origins_in(ip_network(name))):
            self._floods.forget_origin(origin, now)
            if place % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # others have their turn (R27)


def _counted(target: Target) -> tuple[str, ...]:
    told = everything_of(target.channel, target.key)
    return (*told, block_sends(number_block(target))) if target.channel == "sms" else told


def _network(text: str) -> Network | None:
    """The network that a text names; None for what is none.

    Raises:
        InvalidField: it is too wide.
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if network.prefixlen < WIDEST_PREFIX[network.version]:
        raise InvalidField("who")
    return network
