"""Servers that may ask about tokens; only operators write them."""

from msgspec import Struct

from hupan.store.database import Reader, Transaction

INSERT_CLIENT = """
INSERT INTO introspection_clients (name, secret_hash, created_at) VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
"""
FIND_CLIENT = "SELECT name, secret_hash, created_at FROM introspection_clients WHERE name = ?1"
LIST_CLIENTS = "SELECT name, secret_hash, created_at FROM introspection_clients ORDER BY name"
DELETE_CLIENT = "DELETE FROM introspection_clients WHERE name = ?1"


class Client(Struct, frozen=True):
    """A server that may ask about tokens."""

    name: str
    secret_hash: bytes
    created_at: int


async def insert_client(tx: Transaction, client: Client) -> bool:
    """Insert a client; False if one has that name."""
    values = (client.name, client.secret_hash, client.created_at)
    return await tx.execute(INSERT_CLIENT, *values) == 1


async def find_client(reader: Reader, name: str) -> Client | None:
    """Return the client with a name."""
    row = await reader.fetch_one(FIND_CLIENT, name)
    return None if row is None else Client(*row)


async def list_clients(reader: Reader) -> list[Client]:
    """Return all clients by name."""
    return [Client(*row) for row in await reader.fetch_all(LIST_CLIENTS)]


async def delete_client(tx: Transaction, name: str) -> bool:
    """Delete a client; False if there is none with that name."""
    return await tx.execute(DELETE_CLIENT, name) == 1
