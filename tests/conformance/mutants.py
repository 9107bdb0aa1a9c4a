"""Defects planted between a server and the checks: its responses with these defects."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close
from websockets.sync.client import ClientConnection, connect

from hupan.conformance.target import Reply, Wire
from tests.support import pb

Fields: TypeAlias = list[tuple[int, int, int | bytes]]


@dataclass(frozen=True)
class Request:
    """The request of a check."""

    method: str
    path: str
    body: bytes | None
    headers: dict[str, str]

    def is_for(self, path: str) -> bool:
        """Return whether it is for a path, with any query."""
        return self.path.partition("?")[0] == path


Send: TypeAlias = Callable[[Request], Reply]
Mutate: TypeAlias = Callable[[Request, Send], Reply]


@dataclass(slots=True)
class MutatedWire(Wire):
    """A connection to a server with a defect."""

    mutate: Mutate = field(default=lambda request, send: send(request))

    def send_raw(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Any,  # noqa: ANN401 - passed on unchanged
    ) -> Reply:
        """Pass the request to the defect, which may ask the server."""
        if path.startswith("/sandbox/"):
            return Wire.send_raw(self, method, path, body, headers)
        request = Request(method, path, body, dict(headers))
        return self.mutate(
            request,
            lambda r: Wire.send_raw(self, r.method, r.path, r.body, r.headers),
        )


@dataclass(frozen=True)
class SocketDefect:
    """A change to the frames of a socket, and to its close code."""

    sent: Callable[[str], str] = lambda frame: frame
    received: Callable[[bytes], bytes | str] = lambda frame: frame
    close_code: int = 0

    @contextmanager
    def connect(self, url: str, **options: Any) -> Iterator["DefectiveSocket"]:  # noqa: ANN401 - passed on unchanged
        """Open a socket with this defect."""
        with connect(url, **options) as connection:
            yield DefectiveSocket(connection, self)


@dataclass(frozen=True)
class DefectiveSocket:
    """A socket whose server has a defect."""

    connection: ClientConnection
    defect: SocketDefect

    def send(self, frame: str) -> None:
        self.connection.send(self.defect.sent(frame))

    def recv(self, timeout: float) -> bytes | str:
        """Return a frame as the defect changes it."""
        try:
            frame = self.connection.recv(timeout=timeout)
        except ConnectionClosedError as closed:
            if self.defect.close_code:
                raise ConnectionClosedError(Close(self.defect.close_code, ""), None) from closed
            raise
        return self.defect.received(frame) if isinstance(frame, bytes) else frame


@dataclass(frozen=True)
class Mutant:
    """A defect, and the check that must find it."""

    name: str
    found_by: str
    defect: Mutate | SocketDefect


def on_reply(path: str, change: Callable[[Reply], Reply]) -> Mutate:
    """Change every response of a path; "" is every path."""

    def mutate(request: Request, send: Send) -> Reply:
        reply = send(request)
        return change(reply) if not path or request.is_for(path) else reply

    return mutate


def on_request(path: str, change: Callable[[Request], Request]) -> Mutate:
    """Change every request for a path."""

    def mutate(request: Request, send: Send) -> Reply:
        return send(change(request) if not path or request.is_for(path) else request)

    return mutate


def in_json(path: str, change: Callable[[dict[str, Any]], object]) -> Mutate:
    """Change the JSON of a path's responses in place."""

    def edit(reply: Reply) -> Reply:
        values = json.loads(reply.body)
        change(values)
        return replace(reply, body=json.dumps(values).encode())

    return on_reply(path, edit)


def in_data(
    path: str, change: Callable[[Fields], Iterable[tuple[int, int, int | bytes]]], at: int = 2
) -> Mutate:
    """Change the fields of a message inside a path's responses."""

    def edit(reply: Reply) -> Reply:
        if b"protobuf" not in reply.header("content-type").encode():
            return reply
        outer = [
            (n, kind, rewrite(value) if n == at and isinstance(value, bytes) else value)
            for n, kind, value in pb.decode(reply.body).fields
        ]
        return replace(reply, body=write(outer))

    def rewrite(value: bytes) -> bytes:
        return write(change(list(pb.decode(value).fields)))

    def write(fields: Iterable[tuple[int, int, int | bytes]]) -> bytes:
        return b"".join(map(_field, fields))

    return on_reply(path, edit)


def in_message(path: str, change: Callable[[Fields], Fields]) -> Mutate:
    """Change the outermost fields of a path's responses."""

    def edit(reply: Reply) -> Reply:
        fields = change(list(pb.decode(reply.body).fields))
        return replace(reply, body=b"".join(map(_field, fields)))

    return on_reply(path, edit)


def _field(entry: tuple[int, int, int | bytes]) -> bytes:
    number, kind, value = entry
    if isinstance(value, int):
        return pb.number(number, value)
    return (
        pb.varint(number << 3 | pb.FIXED64) + value
        if kind == pb.FIXED64
        else pb.delimited(number, value)
    )


def without(*numbers: int) -> Callable[[Fields], Fields]:
    """Omit fields."""
    return lambda fields: [entry for entry in fields if entry[0] not in numbers]


def moved(old: int, new: int) -> Callable[[Fields], Fields]:
    """Return a change that moves a field to another number."""
    return lambda fields: [(new if n == old else n, kind, value) for n, kind, value in fields]


def put(number: int, value: int | bytes) -> Callable[[Fields], Fields]:
    """Replace the value of a field, or add it."""
    kind = pb.VARINT if isinstance(value, int) else pb.LENGTH
    return lambda fields: [*without(number)(fields), (number, kind, value)]


def header(name: str, value: str | None) -> Callable[[Reply], Reply]:
    """Replace a header, or omit it."""

    def change(reply: Reply) -> Reply:
        kept = tuple((k, v) for k, v in reply.headers if k.lower() != name)
        return replace(reply, headers=kept if value is None else (*kept, (name, value)))

    return change


def status(code: int) -> Callable[[Reply], Reply]:
    """Answer with another HTTP status."""
    return lambda reply: replace(reply, status=code)


def swap_body(old: str, new: str) -> Callable[[Reply], Reply]:
    """Replace text in the body."""
    return lambda reply: replace(reply, body=reply.body.replace(old.encode(), new.encode()))


def first_answer_again(path: str) -> Mutate:
    """Repeat the first response of a path for ever, so that its use consumes nothing."""
    kept: list[Reply] = []

    def mutate(request: Request, send: Send) -> Reply:
        if not request.is_for(path):
            return send(request)
        if not kept:
            kept.append(send(request))
        return kept[0]

    return mutate
