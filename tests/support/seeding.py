"""The sandbox's route for packs of data (design 8)."""

from dataclasses import dataclass

from tests.support.client import WireClient


@dataclass(frozen=True)
class Member:
    """An account of a pack, with its credentials."""

    id: str
    phone: str
    email: str
    password: str
    token: str


def seed(wire: WireClient, pack: str, number: int) -> list[Member]:
    """Seed a pack into the sandbox; return the created accounts."""
    reply = wire.request("POST", "/sandbox/seed", {"pack": pack, "number": number})
    assert reply.is_success, (pack, reply.status_code, reply.text)
    return [Member(**made) for made in reply.json()]
