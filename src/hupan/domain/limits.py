"""Rate limits seen by operators: listing and resetting counters while servers run.

Counters in the store are deleted at once. Counters in memory are reset by each server process when
it next polls the store for the operator's request.
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
"""How long a process has to see a request; each polls once a minute."""
_RESET_ACCOUNT_ID = re.compile("[1-9][0-9]{0,9}")
_ORIGINS_PER_SLICE = 1000


class LimitCounters:
    """Reads and resets counters for operators; servers may run at the same time."""

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

    async def list_counters(self, subject: str) -> list[tuple[ContactAddress, RateCounter]]:
        """Return the counters of a contact, or of all contacts of an account.

        Raises:
            InvalidField: `subject` is neither a contact nor an account id.
            UnknownUser: no account has this id.
        """
        now = self._clock.now()
        return [
            (target, counter)
            for target in await self._parse_contacts(subject.strip())
            for prefix in all_keys(target.channel, target.key)
            for counter in await list_counters(self._database, prefix)
            if counter.ends_at > now and not counter.name.startswith(UNLIMITED_PREFIX)
        ]

    async def reset(self, subject: str) -> int:
        """Reset the counters of a subject; return how many counters the store had.

        Args:
            subject: a phone number, an e-mail address, an account id with its contacts, or an IP
                address or network no wider than `WIDEST_PREFIX_BITS`.

        Raises:
            UnknownUser: no account has this id.
            InvalidField: it is not one of these.
        """
        if network := _parse_network(subject):
            return await self._request(f"network:{network}", [])
        account_id = clean_pasted_id(subject)
        if not _RESET_ACCOUNT_ID.fullmatch(account_id):
            return await self._request("", [self._contact_parser.parse_contact(subject, "target")])
        account = await find_account(self._database, AccountId(int(account_id)))
        if account is None:
            raise UnknownUser
        return await self._request(f"account:{account.id}", bound_contacts(account))

    async def _request(self, subject: str, targets: list[ContactAddress]) -> int:
        now = int(self._clock.now())
        prefixes = [prefix for target in targets for prefix in _key_prefixes(target)]

        async def change(tx: Transaction) -> int:
            if subject:
                await put_limit_reset(tx, subject, now)
            return sum([await delete_counters(tx, prefix) for prefix in prefixes])

        return await self._database.run_transaction(change)

    async def _parse_contacts(self, subject: str) -> list[ContactAddress]:
        try:
            return [self._contact_parser.parse_contact(subject, "target")]
        except InvalidField:
            if not clean_pasted_id(subject).isdigit():
                raise
        return bound_contacts(await self._directory.get(subject))


class MemoryLimitReset:
    """Applies requested resets to the counters of one process."""

    def __init__(self, database: Database, clock: Clock, memory_limits: MemoryLimits) -> None:
        self._database = database
        self._clock = clock
        self._memory_limits = memory_limits
        self._applied: dict[str, int] = {}

    async def apply_requested(self) -> None:
        """Apply the resets that were requested since the last call."""
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
                await asyncio.sleep(0)  # let other tasks run (R27)


def _key_prefixes(target: ContactAddress) -> tuple[str, ...]:
    keys = all_keys(target.channel, target.key)
    return (*keys, number_prefix_key(number_prefix(target))) if target.channel == "sms" else keys


def _parse_network(text: str) -> IpNetwork | None:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if network.prefixlen < WIDEST_PREFIX_BITS[network.version]:
        raise InvalidField("target")
    return network
