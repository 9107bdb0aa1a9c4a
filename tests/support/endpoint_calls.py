"""Each endpoint of the server, called with the sample of its row."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
from google.protobuf.message import Message

from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import Endpoint
from tests.support.answers import Answer, read_answer
from tests.support.client import Body, WireClient


@dataclass(frozen=True)
class Call:
    """A well-formed request.

    Attributes:
        path: as it is sent; `/web` at its beginning means the web surface.
        body: JSON, or protobuf bytes.
    """

    method: str
    path: str
    body: Body = b""

    @property
    def key(self) -> str:
        """Return method and path, without the query."""
        return f"{self.method} {self.path.partition('?')[0]}"

    def reply(self, wire: WireClient, token: str | None, **headers: str) -> httpx.Response:
        """Send the request."""
        return wire.request(self.method, self.path, self.body, token=token, headers=headers)

    def answer(self, wire: WireClient, token: str | None) -> Answer:
        """Send the request and read the response."""
        reply = self.reply(wire, token)
        return read_answer(reply.status_code, reply.headers, reply.content)


def _call(line: Endpoint[Any, Any, Any]) -> Call:
    path = f"/web{line.path}" if line.surface == "web" else line.path
    if isinstance(line.sample, Message):
        return Call(line.method, path, line.sample.SerializeToString())
    fields = {} if line.sample is None else msgspec.to_builtins(line.sample)
    if line.method == "GET":
        return Call(line.method, f"{path}?{urlencode(fields)}".rstrip("?"))
    return Call(line.method, path, fields or b"")


CALLS = tuple(_call(line) for line in ENDPOINTS)
