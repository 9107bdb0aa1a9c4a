"""One WebSocket, asynchronous; its twin is written by hand: the library has two interfaces."""

import asyncio
from typing import Self

from websockets.asyncio.client import ClientConnection, connect

from hupan_client.core import ServerUrl
from hupan_client.links import ERRORS, is_redirected, link_options, raise_for, redirected
from hupan_client.sockets import socket_url


class AsyncLink:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection, url: ServerUrl) -> None:
        self._connection = connection
        self._url = url

    @classmethod
    async def open(cls, url: ServerUrl, seconds: float) -> Self:
        try:
            connection = await connect(socket_url(url), **link_options(url, seconds))
        except ERRORS as error:
            raise_for(error, url)
        if is_redirected(connection.request, url):
            await connection.close()
            raise redirected(url)
        return cls(connection, url)

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ERRORS as error:
            raise_for(error, self._url)

    async def receive(self, within: float) -> bytes | str | None:
        """Return the next frame, None if none comes in time."""
        try:
            async with asyncio.timeout(within):
                return await self._connection.recv()
        except TimeoutError:
            return None
        except ERRORS as error:
            raise_for(error, self._url)

    async def aclose(self) -> None:
        await self._connection.close()
