"""Notices: whoever is bound to an account is told what happened to it (security A2, P6, X4).

Notices of one kind to one target are limited, so whoever can cause them floods nobody. What happens
to the way into an account must be told all the same, once at least: the first notice of such a kind
that a target gets in a day goes before all others, also where the budget of messages is concerned.
"""

from collections.abc import Callable, Iterable, Mapping

from hupan.domain.limiter import Limiter
from hupan.domain.messages import Messages
from hupan.domain.settings import DAY, HOUR
from hupan.domain.targets import Target
from hupan.domain.tries import notices, of_spelling
from hupan.model import Limit
from hupan.store.engine import Transaction
from hupan.store.outbox import FIRST_NOTICE, NOTICE, put_message, renew_waiting

ENDED_NOTICE = "notice-session-ended"
FIRST_OF_DAY = Limit("first-notice", 1, DAY)
LIMITS = (Limit("target-notices-day", 5, DAY),)
"""Of one kind to one target."""
MINOR_LIMITS: Mapping[str, tuple[Limit, ...]] = {
    ENDED_NOTICE: (Limit("target-notices-hour", 1, HOUR), Limit("target-notices-day", 3, DAY)),
}
"""Of kinds that change nothing about who may enter; none of them is ever first."""


def limits_of(purpose: str) -> tuple[Limit, ...]:
    """Return how many notices of a kind a target gets."""
    return MINOR_LIMITS.get(purpose, LIMITS)


class Notices:
    """Tells targets.

    Args:
        messages: writes the outbox.
        wake_courier: says that something is due.
        limiter: limits the notices to each target; None for those that an operator causes.
    """

    def __init__(
        self,
        messages: Messages,
        wake_courier: Callable[[], None],
        limiter: Limiter | None = None,
    ) -> None:
        self._messages = messages
        self._wake_courier = wake_courier
        self._limiter = limiter or Limiter(enabled=False)

    async def put(
        self, tx: Transaction, targets: Iterable[Target], purpose: str, *, now: int
    ) -> None:
        """Has each target told once, within the change that the notice is about."""
        for target in dict.fromkeys(targets):
            await self._put(tx, target, purpose, now)

    def send(self) -> None:
        """Has the notices leave, once the change is kept."""
        self._wake_courier()

    async def _put(self, tx: Transaction, target: Target, purpose: str, now: int) -> None:
        """Write a notice, unless one that still waits says the same, or there were too many."""
        subject = notices(target.channel, target.key) + purpose
        # Of this very spelling: at some hosts the other ones are mailboxes of somebody else, who
        # must not use up what the owner is told at least (security A2).
        is_first = purpose not in MINOR_LIMITS and await self._limiter.has_room(
            tx, subject + of_spelling(target.key), FIRST_OF_DAY, now
        )
        priority = FIRST_NOTICE if is_first else NOTICE
        message = self._messages.notice(target, purpose, priority, now=now)
        if await renew_waiting(tx, message):
            return
        is_within = await self._limiter.take(tx, subject, limits_of(purpose), now)
        if is_first or is_within:
            await put_message(tx, message)
