"""Notices: whoever is bound to an account is told what happened to it (security A2, P6)."""

from collections.abc import Callable, Iterable

from hupan.domain.messages import Messages
from hupan.domain.targets import Target
from hupan.store.engine import Transaction


class Notices:
    """Tells targets."""

    def __init__(self, messages: Messages, wake_courier: Callable[[], None]) -> None:
        self._messages = messages
        self._wake_courier = wake_courier

    async def put(
        self, tx: Transaction, targets: Iterable[Target], purpose: str, *, now: int
    ) -> None:
        """Has each target told once, within the change that the notice is about."""
        for target in dict.fromkeys(targets):
            await self._messages.put_notice(tx, target, purpose, now=now)

    def send(self) -> None:
        """Has the notices leave, once the change is kept."""
        self._wake_courier()
