"""Reads a request's body, counting while it reads (security I1)."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class BodyTooLarge(Exception):  # noqa: N818 - the client's bytes, not our error
    """More bytes came than the endpoint takes."""


class ClientGone(Exception):  # noqa: N818 - likewise
    """The client went away before its request was whole: nothing of it is done."""


async def read_body(receive: Receive, send: Send, most_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: as soon as one byte too many has come, whatever Content-Length said.
        ClientGone: the connection ended first.
    """
    take = getattr(send, "take_body", None)  # our own listener's, decision 0019
    here: bytes | None = None if take is None else take()
    if here is not None:
        if len(here) > most_bytes:
            raise BodyTooLarge
        return here
    body = bytearray()  # bytes would be copied whole for each piece
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = event.get("body", b"")
        body += piece
        if len(body) > most_bytes:
            raise BodyTooLarge
        if not event.get("more_body", False):
            return bytes(body)
