"""The routes of the journal: `/sandbox/requests` as a list and as server-sent events (K-3)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from hupan.background import ensure_task
from hupan.sandbox.decoding import EntryView, Explainer
from hupan.sandbox.journal import (
    MAX_SUBSCRIBERS,
    RESULT_CLASSES,
    Entry,
    EntryFilter,
    Journal,
    Subscription,
)
from hupan.sandbox.readers import Readers
from hupan.sandbox.routes import (
    MAX_TIME,
    RESPONSE_HEADERS,
    BadRequest,
    check_known,
    error_response,
    handle_errors,
    json_response,
    query_number,
    wants_english,
)

KEEP_ALIVE_SECONDS = 10.0
_FILTERS = ("path", "account", "result", "since")
_MAX_ID = 2**53
_RETRY = b"retry: 1000\n\n"
SendPiece: TypeAlias = Callable[[bytes], Awaitable[None]]


class UnservedPathView(Struct, frozen=True, rename="camel"):
    """A path that Hupan does not serve."""

    method: str
    path: str
    count: int
    last_at: int
    rule: int


class UnservedView(Struct, frozen=True, rename="camel"):
    """The requests for paths that Hupan does not serve, grouped."""

    count: int
    paths: list[UnservedPathView]


@dataclass(slots=True)
class JournalRoutes:
    """The routes, and what pages use of them.

    Attributes:
        find_rule: returns the number of the rule that answers a method and path, 0 for none.
    """

    journal: Journal
    explainer: Explainer
    find_rule: Callable[[str, str], int] = lambda _method, _path: 0
    readers: Readers = field(default_factory=Readers)

    def build_routes(self) -> list[BaseRoute]:
        return [
            Route("/sandbox/requests", handle_errors(self.list_entries), methods=["GET"]),
            Route("/sandbox/requests", handle_errors(self.clear), methods=["DELETE"]),
            Route("/sandbox/requests/stream", handle_errors(self.stream), methods=["GET"]),
            Route("/sandbox/requests/unserved", handle_errors(self.show_unserved), methods=["GET"]),
        ]

    def explain(self, entries: list[Entry], *, english: bool) -> list[EntryView]:
        """Return what is shown of entries."""
        return [self.explainer.explain(entry, english=english) for entry in entries]

    async def list_entries(self, request: Request) -> Response:
        """Return the entries, newest first, one at a time: all of them can be large."""
        found = self.journal.list_matching(read_filter(request))
        await ensure_task()  # which a streamed response needs
        return _EntryList(self, [entry.id for entry in found], english=wants_english(request))

    async def clear(self, request: Request) -> Response:
        """Forget all entries."""
        check_known("parameter", request.query_params, ())
        self.journal.clear()
        return json_response({})

    async def show_unserved(self, request: Request) -> Response:
        """Return the paths that Hupan does not serve, with their counts."""
        check_known("parameter", request.query_params, ())
        return json_response(self.list_unserved())

    def list_unserved(self) -> UnservedView:
        """Return the paths that Hupan does not serve, the most frequent first."""
        paths = [
            UnservedPathView(
                one.method,
                one.path,
                one.count,
                int(one.last_at),
                self.find_rule(one.method, one.path),
            )
            for one in self.journal.list_unserved()
        ]
        return UnservedView(self.journal.unserved_count, paths)

    async def stream(self, request: Request) -> Response:
        """Return matching entries as they are recorded; 503 if there are too many streams."""
        entry_filter = read_filter(request)
        last_id = _read_last_id(request)
        await ensure_task()
        if len(self.journal.subscribers) >= MAX_SUBSCRIBERS:
            return error_response(
                request, 503, "同时打开的流过多", "too many streams are open; close one"
            )
        return _EntryStream(self, entry_filter, last_id, english=wants_english(request))


def read_filter(request: Request) -> EntryFilter:
    """Return which entries a request asks for.

    Raises:
        BadRequest: a parameter is unknown, or its value is not valid.
    """
    query = request.query_params
    check_known("parameter", query, _FILTERS)
    result = query.get("result", "")
    check_known("value", [result], ("", *RESULT_CLASSES))
    path = query.get("path", "")
    if path and not path.startswith("/"):
        raise BadRequest(
            "path 须以 / 开头，可以 * 结尾", "path must begin with /; it may end with *"
        )
    return EntryFilter(
        path, query.get("account", ""), result, query_number(request, "since", 0, MAX_TIME)
    )


def _read_last_id(request: Request) -> int | None:
    """Return the id of the last event that a client has, and sends again; None if it is new.

    Raises:
        BadRequest: it is not an id.
    """
    text = request.headers.get("last-event-id", "")
    if not text:
        return None
    is_short = len(text) <= len(str(_MAX_ID))
    if not (is_short and text.isascii() and text.isdigit() and int(text) < _MAX_ID):
        raise BadRequest("Last-Event-ID 须为事件的编号", "Last-Event-ID must be the id of an event")
    return int(text)


class _EntryList(Response):
    """A JSON list of entries; those deleted before their turn are left out."""

    def __init__(self, routes: JournalRoutes, ids: list[int], *, english: bool) -> None:
        super().__init__(media_type="application/json", headers=RESPONSE_HEADERS)
        del self.headers["content-length"]
        self._routes = routes
        self._ids = ids
        self._english = english

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one entry after the other."""
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": [*self.raw_headers]})
        begin = b"["
        for one in self._ids:
            piece = self._encode(begin, one)
            if piece:
                await self._routes.readers.send(piece, scope, send)
                begin = b","
                await asyncio.sleep(0)  # others have their turn
        end = b"[]" if begin == b"[" else b"]"
        await send({"type": "http.response.body", "body": end, "more_body": False})

    def _encode(self, begin: bytes, entry_id: int) -> bytes:
        """Return an entry as JSON, b"" if it was deleted; keep no reference to it."""
        entry = self._routes.journal.find(entry_id)
        if entry is None:
            return b""
        return begin + msgspec.json.encode(
            self._routes.explainer.explain(entry, english=self._english)
        )


class _EntryStream(Response):
    """Server-sent events: `request` with an entry, `missed` and `cleared` without."""

    def __init__(
        self,
        routes: JournalRoutes,
        entry_filter: EntryFilter,
        last_id: int | None,
        *,
        english: bool,
    ) -> None:
        super().__init__(media_type="text/event-stream")
        self._routes = routes
        self._filter = entry_filter
        self._last_id = last_id
        self._english = english

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client disconnects or the server stops."""
        mark_endless = scope.get("state", {}).get("mark_endless")
        if mark_endless is not None:
            mark_endless()
        headers = {
            **RESPONSE_HEADERS,
            "content-type": "text/event-stream",
            "x-accel-buffering": "no",
        }
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        gone = asyncio.create_task(_wait_for_disconnect(receive))

        async def send_piece(piece: bytes) -> None:
            await self._routes.readers.send(piece, scope, send)

        with Subscription(self._routes.journal, self._last_id) as subscription:
            try:
                await send({"type": "http.response.start", "status": 200, "headers": encoded})
                await send_piece(_RETRY)
                await self._send_all(subscription, gone, send_piece)
            finally:
                gone.cancel()

    async def _send_all(
        self, subscription: Subscription, gone: "asyncio.Task[None]", send_piece: SendPiece
    ) -> None:
        while not gone.done():
            piece = self._take(subscription)
            if piece:
                await send_piece(piece)
            if piece is not None:
                await asyncio.sleep(0)  # others have their turn
            elif not await self._wait(subscription, gone):
                await send_piece(b": alive\n\n")

    def _take(self, subscription: Subscription) -> bytes | None:
        """Return what is next as an event, b"" if it was not asked for, None if there is nothing.

        Nothing else of an entry outlives this: a reader may be slow.
        """
        news = subscription.take()
        if news is None:
            return None
        if not isinstance(news, Entry):
            return b"event: %b\ndata: {}\n\n" % news.encode()
        if not self._routes.journal.matches(news, self._filter):
            return b""
        view = self._routes.explainer.explain(news, english=self._english)
        data = msgspec.json.encode(view)  # on one line
        return b"event: request\nid: %d\ndata: %b\n\n" % (news.id, data)

    async def _wait(self, subscription: Subscription, gone: "asyncio.Task[None]") -> bool:
        """Wait for news or the end of the connection; return whether there was any."""
        waiting = asyncio.create_task(subscription.wait())
        try:
            done, _ = await asyncio.wait(
                {waiting, gone}, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        return bool(done)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
