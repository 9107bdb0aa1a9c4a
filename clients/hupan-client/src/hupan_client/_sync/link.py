"""One WebSocket, synchronous; its twin is written by hand, for the library has two interfaces."""

from typing import Self

from websockets.sync.client import ClientConnection, connect

from hupan_client.core import ServerUrl
from hupan_client.links import ERRORS, is_redirected, link_options, raise_for, redirected
from hupan_client.sockets import socket_url


class Link:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection, url: ServerUrl) -> None:
        self._connection = connection
        self._url = url

    @classmethod
    def open(cls, url: ServerUrl, seconds: float) -> Self:
        try:
            # Entered, as newer versions ask for; `close` is what leaving does.
            connection = connect(socket_url(url), **link_options(url, seconds)).__enter__()
        except ERRORS as error:
            raise_for(error, url)
        if is_redirected(connection.request, url):
            connection.close()
            raise redirected(url)
        return cls(connection, url)

    def send(self, text: str) -> None:
        try:
            self._connection.send(text)
        except ERRORS as error:
            raise_for(error, self._url)

    def receive(self, within: float) -> bytes | str | None:
        """Return the next frame, None if none comes in time."""
        try:
            return self._connection.recv(within)
        except TimeoutError:
            return None
        except ERRORS as error:
            raise_for(error, self._url)

    def close(self) -> None:
        self._connection.close()
