"""Admin operations on servers that may ask about tokens."""

from hupan.admin.views import AdminRow
from hupan.domain.clients import Clients
from hupan.store.clients import Client


class ClientAdmin:
    """Creates, lists and revokes clients; raises the errors of the domain."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, name: str) -> AdminRow:
        """Create a client; the row contains its secret, which is shown only once."""
        client, secret = await self._clients.create(name)
        return {**_client_row(client), "secret": secret}

    async def list_all(self) -> list[AdminRow]:
        """Return all clients."""
        return [_client_row(client) for client in await self._clients.list_all()]

    async def revoke(self, name: str) -> AdminRow:
        """Revoke a client."""
        await self._clients.revoke(name)
        return {"name": name}


def _client_row(client: Client) -> AdminRow:
    return {"name": client.name, "createdAt": client.created_at}
