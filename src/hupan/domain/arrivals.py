"""Accounts made to order and signed in at once: for the sandbox."""

from collections.abc import Sequence

from msgspec import Struct

from hupan.domain.provisioning import AccountWanted, CheckedAccount, Provisioning
from hupan.domain.sessions import Device, Sessions
from hupan.model import AccountId
from hupan.store.engine import Engine, Transaction


class Arrival(Struct, frozen=True):
    """A new account and the token of its first session."""

    id: AccountId
    token: str


class Arrivals:
    """Makes accounts and signs them in."""

    def __init__(self, engine: Engine, provisioning: Provisioning, sessions: Sessions) -> None:
        self._engine = engine
        self._provisioning = provisioning
        self._sessions = sessions

    async def is_free(self, wanted: AccountWanted) -> bool:
        """Whether nobody has the number or the address that is wanted.

        Raises:
            InvalidField: one of them cannot be.
        """
        return await self._provisioning.is_free(wanted)

    async def make(self, wanted: AccountWanted, on: Device) -> Arrival:
        """Makes an account and signs it in on a device, in one change.

        Raises:
            The same as `Provisioning.create`.
        """
        return (await self.make_all([wanted], on))[0]

    async def make_all(self, wanted: Sequence[AccountWanted], on: Device) -> list[Arrival]:
        """Makes accounts and signs each in; all of them or none.

        Raises:
            The same as `Provisioning.create`.
        """
        checked = await self._provisioning.check(wanted)

        async def change(tx: Transaction) -> list[Arrival]:
            return [await self._arrive(tx, one, on) for one in checked]

        return await self._engine.change(change)

    async def _arrive(self, tx: Transaction, checked: CheckedAccount, on: Device) -> Arrival:
        account = await self._provisioning.write(tx, checked)
        return Arrival(account, await self._sessions.open(tx, account, on))
