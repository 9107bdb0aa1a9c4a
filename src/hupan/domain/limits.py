"""Forgetting what was counted of somebody, by an operator's hand, beside servers that run.

What lies in the store is forgotten at once. What processes count in memory each of them forgets by
itself when it next looks: that an operator wants it is a row of the store.
"""

import asyncio
import re
from ipaddress import ip_network

from hupan.addresses import (
    WIDEST_PREFIX_BITS,
    ContactAddress,
    ContactParser,
    IpNetwork,
    clean_pasted_id,
    iter_origins,
    number_prefix,
)
from hupan.clock import Clock
from hupan.domain.accounts import AccountDirectory
from hupan.domain.contacts import bound_contacts
from hupan.errors import InvalidField, UnknownUser
from hupan.model import AccountId
from hupan.ratelimit.memory import MemoryLimits
from hupan.ratelimit.stored import UNLIMITED_PREFIX, all_keys, number_prefix_key
from hupan.store.accounts import find_account
from hupan.store.database import Database, Transaction
from hupan.store.rate_counters import (
    RateCounter,
    delete_counters,
    list_counters,
    list_limit_resets,
    purge_limit_resets,
    put_limit_reset,
)

RESET_RETENTION_SECONDS = 3600
"""How long a process has to look; one looks each minute."""
_RESET_ACCOUNT_ID = re.compile("[1-9][0-9]{0,9}")
_ORIGINS_PER_SLICE = 1000


class LimitResets:
    """Asks for it."""

    def __init__(self, database: Database, clock: Clock, contact_parser: ContactParser) -> None:
        self._database = database
        self._clock = clock
        self._contact_parser = contact_parser

    async def reset(self, who: str) -> int:
        """Forgets what is counted of somebody; gives how many counts the store held.

        Args:
            who: a phone number, an e-mail address, an account's id with all that is bound to it, or
                an IP address or network as wide as `WIDEST_PREFIX` or less.

        Raises:
            UnknownUser: no account has this id.
            InvalidField: it is nothing of these.
        """
        if network := _parse_network(who):
            return await self._request(f"network:{network}", [])
        who_id = clean_pasted_id(who)
        if not _RESET_ACCOUNT_ID.fullmatch(who_id):
            return await self._request("", [self._contact_parser.parse_contact(who, "who")])
        account = await find_account(self._database, AccountId(int(who_id)))
        if account is None:
            raise UnknownUser
        return await self._request(f"account:{account.id}", bound_contacts(account))

    async def _request(self, subject: str, targets: list[ContactAddress]) -> int:
        now = int(self._clock.now())
        starts = [start for target in targets for start in _key_prefixes(target)]

        async def change(tx: Transaction) -> int:
            if subject:
                await put_limit_reset(tx, subject, now)
            return sum([await delete_counters(tx, start) for start in starts])

        return await self._database.run_transaction(change)


class MemoryLimitReset:
    """Does it in one process."""

    def __init__(self, database: Database, clock: Clock, memory_limits: MemoryLimits) -> None:
        self._database = database
        self._clock = clock
        self._memory_limits = memory_limits
        self._applied: dict[str, int] = {}

    async def apply_requested(self) -> None:
        """Forgets what operators asked for since the last look."""
        now = int(self._clock.now())
        requested = dict(await list_limit_resets(self._database, now - RESET_RETENTION_SECONDS))
        for subject, requested_at in requested.items():
            if self._applied.get(subject) != requested_at:
                await self._apply(subject, now)
        self._applied = requested
        if requested:
            await self._database.run_transaction(
                lambda tx: purge_limit_resets(tx, now - RESET_RETENTION_SECONDS)
            )

    async def _apply(self, subject: str, now: int) -> None:
        kind, _, name = subject.partition(":")
        if kind == "account":
            self._memory_limits.reset_account(AccountId(int(name)), now)
            return
        for index, origin in enumerate(iter_origins(ip_network(name))):
            self._memory_limits.reset_origin(origin, now)
            if index % _ORIGINS_PER_SLICE == _ORIGINS_PER_SLICE - 1:
                await asyncio.sleep(0)  # others have their turn (R27)


def _key_prefixes(target: ContactAddress) -> tuple[str, ...]:
    keys = all_keys(target.channel, target.key)
    return (*keys, number_prefix_key(number_prefix(target))) if target.channel == "sms" else keys


def _parse_network(text: str) -> IpNetwork | None:
    """The network that a text names; None for what is none.

    Raises:
        InvalidField: it is too wide.
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if network.prefixlen < WIDEST_PREFIX_BITS[network.version]:
        raise InvalidField("who")
    return network


class LimitCounters:
    """Looks at the counts of the store; a server may run beside it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        contact_parser: ContactParser,
        directory: AccountDirectory,
    ) -> None:
        self._database = database
        self._clock = clock
        self._contact_parser = contact_parser
        self._directory = directory

    async def list_counters(self, who: str) -> list[tuple[ContactAddress, RateCounter]]:
        """What is counted of a number, an address, or all that is bound to an account.

        Raises:
            InvalidField: it is nothing of these.
            UnknownUser: no account has this id.
        """
        now = self._clock.now()
        return [
            (target, tally)
            for target in await self._parse_contacts(who.strip())
            for start in all_keys(target.channel, target.key)
            for tally in await list_counters(self._database, start)
            if tally.ends_at > now and not tally.name.startswith(UNLIMITED_PREFIX)
        ]

    async def _parse_contacts(self, who: str) -> list[ContactAddress]:
        """An id has ten digits at most, a number more."""
        try:
            return [self._contact_parser.parse_contact(who, "target")]
        except InvalidField:
            if not clean_pasted_id(who).isdigit():
                raise
        return bound_contacts(await self._directory.get(who))
