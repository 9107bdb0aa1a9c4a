"""What a request brings besides its body."""

from collections.abc import Mapping

from msgspec import Struct

Headers = list[tuple[bytes, bytes]]


class Call(Struct, frozen=True):
    """One request of a known endpoint.

    Attributes:
        number: its id, also in the log line and in `x-request-id` (wire.md 1.8).
        token: what the client sent as its token, "" for none.
        english: whether messages are wanted in English (wire.md 2).
        headers: as they came, names in lower case.
        peer: the address of the other end of the socket as text, "" for none; who may be behind
            it is for `address.ClientAddresses` to say.
    """

    number: int
    token: str
    english: bool
    headers: Headers
    peer: str


def read_token(headers: Headers, first: Mapping[bytes, bytes]) -> str:
    """The token of a request (wire.md 1.2): header `token`, raw; else `Authorization: Bearer`.

    Two token headers are none that we gave (security T2): their join opens nothing.

    Args:
        headers: all headers, names in lower case.
        first: the same as a mapping.
    """
    token = first.get(b"token", b"")
    if len(first) != len(headers):
        token = b",".join(value for name, value in headers if name == b"token")
    if not token:
        scheme, _, bearer = first.get(b"authorization", b"").partition(b" ")
        token = bearer if scheme.lower() == b"bearer" else b""
    return token.decode("latin-1")


def wants_english(first: Mapping[bytes, bytes]) -> bool:
    """Whether the first language that a client names is English."""
    return first.get(b"accept-language", b"")[:2].lower() == b"en"
