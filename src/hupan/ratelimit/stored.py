"""Limits that are counted in the store: attempts and sent messages of a contact.

They are exact, for any number of processes and parallel requests.

A wrong guess must be counted although it is refused (security C4), so inside a transaction a
refusal is returned, not raised: the transaction commits, and `unwrap` raises it afterwards.

The key of a device may follow that of a contact, because a device known to the owner is counted
separately. Counters of attempts are deleted when a contact leaves its owner, so that the next owner
is not locked out by guesses at another account's secrets. Counters of messages stay, because they
protect the contact.

A contact is counted in its folded form, so that all spellings of a mailbox share one limit (X11).

Messages are counted in the transaction that sends them (security C11, C12). A part of the daily
messages is reserved for contacts with an account, so strangers that use up the rest stop no owner
(X4). All callers get the same response: once the rest is used up, a code to a number without an
account is reported as sent but not sent (E1, decision 0028).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from hupan.addresses import ContactAddress, SmsDestinations, fold_for_limits, number_prefix
from hupan.errors import AppError, SendingStopped, TooManyTries
from hupan.metrics import IncrementMetric, ignore_metric
from hupan.model import NO_ACCOUNT, AccountId, Channel, Limit
from hupan.ratelimit.memory import Alarms
from hupan.rules import DAY_SECONDS, StoredLimits
from hupan.store.accounts import find_identity_owner, lock_account
from hupan.store.database import Transaction
from hupan.store.rate_counters import delete_counters, is_limit_reached, take_back, try_increment
from hupan.store.sessions import has_device

Value = TypeVar("Value")


def unwrap(outcome: Value | AppError) -> Value:
    """Return the value that a transaction returned.

    Raises:
        AppError: the refusal that the transaction returned instead.
    """
    if isinstance(outcome, AppError):
        raise outcome
    return outcome


@dataclass(frozen=True, slots=True)
class Exemption:
    """Test contacts to which no limit of their own applies until a time.

    Attributes:
        key_prefixes: the prefixes of their counter keys.
        until: unix seconds.
    """

    key_prefixes: tuple[str, ...] = ()
    until: int = 0

    def covers(self, subject: str, now: int) -> bool:
        """Return whether the events of a subject are not counted."""
        return now < self.until and subject.startswith(self.key_prefixes)


class StoredLimiter:
    """Counts events of a subject against limits, inside the transaction of the event.

    Args:
        enabled: whether limits apply at all.
        exemption: the contacts to which they do not.
        count: counts the refusals.
    """

    def __init__(
        self,
        *,
        enabled: bool,
        exemption: Exemption | None = None,
        count: IncrementMetric = ignore_metric,
    ) -> None:
        self._enabled = enabled
        self._exemption = exemption or Exemption()
        self._count = count

    async def take(self, tx: Transaction, subject: str, limits: Sequence[Limit], now: int) -> bool:
        """Count one event against all limits; return False, counting none, when one is full."""
        if not self._enabled or self._exemption.covers(subject, now):
            return True
        for position, limit in enumerate(limits):
            if limit.max_events < 1 or not await try_increment(tx, subject, limit, now):
                self._count("limit_refusals", limit.name)
                for taken in limits[:position]:
                    await take_back(tx, subject, taken, now)
                return False
        return True

    async def take_first(self, tx: Transaction, subject: str, limit: Limit, now: int) -> bool:
        """Count one event for which a full limit is not a refusal; return whether it was counted.

        Nothing is counted if nothing is limited.
        """
        if not self._enabled or self._exemption.covers(subject, now):
            return False
        return await try_increment(tx, subject, limit, now)

    async def is_full(
        self, tx: Transaction, subject: str, limits: Sequence[Limit], now: int
    ) -> bool:
        """Return whether a limit is full, without counting."""
        if not self._enabled or self._exemption.covers(subject, now):
            return False
        for limit in limits:
            if limit.max_events < 1 or await is_limit_reached(tx, subject, limit, now):
                self._count("limit_refusals", limit.name)
                return True
        return False

    async def take_optional(self, tx: Transaction, subject: str, limit: Limit, now: int) -> bool:
        """Count one event without a refusal if a limit is full; True also if nothing is limited."""
        if not self._enabled or self._exemption.covers(subject, now):
            return True
        return limit.max_events > 0 and await try_increment(tx, subject, limit, now)

    async def give_back(
        self, tx: Transaction, subject: str, limits: Sequence[Limit], now: int
    ) -> None:
        """Subtract one event: the guess was right."""
        if self._enabled:
            for limit in limits:
                await take_back(tx, subject, limit, now)


AttemptPurpose: TypeAlias = Literal["", "reset", "binding"]
"""What an attempt at a code is for: signing in, a password reset or a change of contacts."""
NETWORK_SUFFIX = "network-"
UNLIMITED_PREFIX = "free-"
"""Name prefix of counters of attempts to which no limit applies."""


def limit_key(target: ContactAddress) -> str:
    """Return the folded form of a contact: the hash queue treats it as one account, too."""
    return fold_for_limits(target.channel, target.key)


def code_attempts_key(channel: Channel, key: str) -> str:
    """Return the counter key of code attempts on a contact."""
    return f"{channel}:{fold_for_limits(channel, key)}:"


def password_attempts_key(key: str) -> str:
    """Return the counter key of wrong passwords of an e-mail address."""
    return f"password:{fold_for_limits('email', key)}:"


def sign_ins_key(key: str) -> str:
    """Return the counter key of password logins of an e-mail address (security X3)."""
    return f"sign-in:{fold_for_limits('email', key)}:"


def network_suffix(network: str) -> str:
    """Return the key suffix of attempts from one network.

    It is a short hash, because a subject ends at its last colon and IPv6 addresses contain colons.
    """
    return NETWORK_SUFFIX + hashlib.sha256(network.encode()).hexdigest()[:16]


def sends_key(channel: Channel, key: str) -> str:
    """Return the counter key of messages to a contact."""
    return f"send:{channel}:{fold_for_limits(channel, key)}:"


def recent_send_key(key: str) -> str:
    """Return the counter key of a number that was recently sent a code (security C12)."""
    return f"number:{key}:"


def number_prefix_key(prefix: str) -> str:
    """Return the counter key of numbers with the same first digits (security C12)."""
    return f"block:{prefix}:"


def notices_key(channel: Channel, key: str) -> str:
    """Return the counter key of notices to a contact; their purpose follows."""
    return f"notice:{channel}:{fold_for_limits(channel, key)}:"


async def attempt_key(
    tx: Transaction,
    target: ContactAddress,
    device_id: str,
    purpose: AttemptPurpose = "",
    caller: AccountId | None = None,
) -> str:
    """Return the counter key of an attempt at a contact's code or password (security C5, X11).

    The owner's devices each have their own counter, and so does the signed-in owner. All other
    clients share one per purpose: guesses at a sign-in do not block a reset or a binding.

    Args:
        tx: the transaction of the attempt.
        target: the contact whose code or password is tried.
        device_id: the device id from the client.
        purpose: what the attempt is for.
        caller: the signed-in account, if any.
    """
    owner = await find_identity_owner(tx, target.identity_kind, target.key)
    # Before any code, and even without an owner, to take as long (E2).
    await lock_account(tx, owner or NO_ACCOUNT)
    is_known = await has_device(tx, owner or NO_ACCOUNT, device_id)
    if owner is not None and device_id and is_known:
        return hashlib.sha256(device_id.encode()).hexdigest()
    return "owner" if owner is not None and owner == caller else purpose


def all_keys(channel: Channel, key: str) -> tuple[str, ...]:
    """Return the prefixes of all counter keys of a contact."""
    keys = (
        code_attempts_key(channel, key),
        sends_key(channel, key),
        recent_send_key(key),
        notices_key(channel, key),
    )
    return (*keys, password_attempts_key(key), sign_ins_key(key)) if channel == "email" else keys


def spelling_suffix(key: str) -> str:
    """Return the key suffix of one spelling of a contact."""
    return "-" + hashlib.sha256(key.encode()).hexdigest()[:16]


async def reset_attempts(tx: Transaction, channel: Channel, key: str) -> None:
    """Delete the counters of attempts on a contact's codes and password, from all devices."""
    await delete_counters(tx, code_attempts_key(channel, key))
    if channel == "email":
        await delete_counters(tx, password_attempts_key(key))


ACCOUNT_SHARE_LIMIT = Limit("account-sends-day", 3, DAY_SECONDS)
"""Codes of one contact per day from the share reserved for accounts; more use the other share.

So an attacker that knows many numbers with accounts uses up little of it.
"""


class CodeSendLimits:
    """The limits on sending codes."""

    def __init__(
        self,
        limiter: StoredLimiter,
        limits: StoredLimits,
        destinations: SmsDestinations,
        alarms: Alarms,
    ) -> None:
        self._limiter = limiter
        self._limits = limits
        self._destinations = destinations
        self._alarms = alarms

    async def admit(
        self, tx: Transaction, target: ContactAddress, now: int, *, has_account: bool
    ) -> bool | AppError:
        """Count a code to a contact; return whether it is sent, or the refusal.

        The refusal reveals nothing about an account: with one and without, the same is counted and
        the same is returned (security E1, E2).

        The limits of the server come last, because their rows stay locked until the commit, and a
        transaction that holds them must wait for no other lock of this kind.
        """
        subject = sends_key(target.channel, target.key)
        if not await self._limiter.take(tx, subject, self._limits.code_sends, now):
            return TooManyTries()
        if not await self._take_adjacent(tx, target, now):
            self._alarms.raise_alarm("adjacent-numbers", block=number_prefix(target))
            return TooManyTries()
        is_early = await self._limiter.take_optional(tx, subject, ACCOUNT_SHARE_LIMIT, now)
        in_budget = await self._take_from_budget(
            tx, target.channel, now, is_for_account=has_account and is_early
        )
        if isinstance(in_budget, AppError):
            return in_budget
        return in_budget and self._destinations.is_allowed(target)

    async def _take_from_budget(
        self, tx: Transaction, channel: Channel, now: int, *, is_for_account: bool
    ) -> bool | AppError:
        # The same number of statements runs for every contact, with any outcome (security E2).
        subject, server_limits = f"sent:{channel}", self._limits.server_code_sends.get(channel, ())
        if await self._limiter.is_full(tx, subject, server_limits, now):
            return self._limit_reached(channel)
        shares = self._limits.code_shares.get(channel)
        share = shares and (shares.with_account if is_for_account else shares.without_account)
        if share and not await self._limiter.take_optional(tx, subject, share, now):
            self._alarms.raise_alarm("codes-to-strangers-stopped", channel=channel)
            await self._limiter.is_full(tx, subject, server_limits, now)
            return False
        if await self._limiter.take(tx, subject, server_limits, now):
            return True
        if share:  # parallel transactions took the last ones
            await self._limiter.give_back(tx, subject, (share,), now)
        return self._limit_reached(channel)

    def _limit_reached(self, channel: Channel) -> AppError:
        self._alarms.raise_alarm("sending-stopped", channel=channel)
        return SendingStopped()

    async def _take_adjacent(self, tx: Transaction, target: ContactAddress, now: int) -> bool:
        # A number counts once in a window, however many codes it is sent.
        for limit in self._limits.adjacent_numbers if target.channel == "sms" else ():
            once = Limit(f"{limit.name}-once", 1, limit.window_seconds)
            subject, block = recent_send_key(target.key), number_prefix_key(number_prefix(target))
            if await self._limiter.take_first(
                tx, subject, once, now
            ) and not await self._limiter.take(tx, block, (limit,), now):
                await self._limiter.give_back(tx, subject, (once,), now)
                return False
        return True
