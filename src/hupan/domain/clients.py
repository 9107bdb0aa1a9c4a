"""Other servers of the operator that may ask about tokens: create, list, revoke (wire.md 8.5)."""

import re
import secrets

from hupan.clock import Clock
from hupan.domain.sessions import sha256_digest
from hupan.errors import ClientExists, InvalidField, UnknownClient
from hupan.store.clients import Client, delete_client, find_client, insert_client, list_clients
from hupan.store.database import Database, Transaction

_NAME = re.compile("[a-z0-9][a-z0-9._-]{0,63}")
_SECRET_BYTES = 32


class Clients:
    """Creates, finds and revokes clients."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str) -> tuple[Client, str]:
        """Create a client; return it and its secret, which is not stored.

        Raises:
            InvalidField: the name is not valid.
            ClientExists: a client has that name.
        """
        if not _NAME.fullmatch(name):
            raise InvalidField("name")
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        client = Client(name, sha256_digest(secret), int(self._clock.now()))

        async def change(tx: Transaction) -> bool:
            return await insert_client(tx, client)

        if not await self._database.run_transaction(change):
            raise ClientExists
        return client, secret

    async def find(self, name: str) -> Client | None:
        """Return the client with a name; an invalid name is not looked up."""
        return await find_client(self._database, name) if _NAME.fullmatch(name) else None

    async def list_all(self) -> list[Client]:
        """Return all clients by name."""
        return await list_clients(self._database)

    async def revoke(self, name: str) -> None:
        """Delete a client, which is refused from then on.

        Raises:
            UnknownClient: there is none with that name.
        """

        async def change(tx: Transaction) -> bool:
            return await delete_client(tx, name)

        if not await self._database.run_transaction(change):
            raise UnknownClient
