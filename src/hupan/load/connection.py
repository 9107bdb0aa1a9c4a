"""One connection that asks, waits for the answer, and asks again."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import httptools

RIGHT_STATUS = 200
RIGHT_RESULT = b"ok"
RESULT_HEADER = b"x-result"


class Connection(asyncio.Protocol):
    """An HTTP/1.1 connection; ends when there is nothing more to ask, or when the server ends it.

    Args:
        ask: gives the bytes of the next request, None when there is none.
        note: is told the seconds that an answer took, whether it was right, and its body.
        pause: seconds to wait before the next request.
    """

    def __init__(
        self,
        ask: Callable[[], bytes | None],
        note: Callable[[float, bool, bytes], None],
        pause: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._note = note
        self._pause = pause
        self._parser = httptools.HttpResponseParser(self)
        self._sent_at: float | None = None
        self._is_right = True
        self._body: list[bytes] = []
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Done at its end: whether nothing was left unanswered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the first time."""
        self._transport = cast("asyncio.Transport", transport)
        self._ask_next()

    def data_received(self, data: bytes) -> None:
        """Takes in a part of an answer; what is no HTTP ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Looks at the header that says how a request went."""
        if name.lower() == RESULT_HEADER:
            self._is_right = value == RIGHT_RESULT

    def on_body(self, body: bytes) -> None:
        """Keeps a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Notes the answer and asks the next."""
        now = time.perf_counter()
        if self._sent_at is None:  # an answer to nothing
            self._transport.abort()
            return
        took, self._sent_at = now - self._sent_at, None
        is_right = self._is_right and self._parser.get_status_code() == RIGHT_STATUS
        self._note(took, is_right, b"".join(self._body))
        self._is_right = True
        self._body.clear()
        if not self._parser.should_keep_alive():
            self._transport.close()
        elif pause := self._pause():
            asyncio.get_running_loop().call_later(pause, self._ask_next)
        else:
            self._ask_next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Says whether all was answered."""
        del exc
        if not self.ended.done():
            self.ended.set_result(self._sent_at is None)

    def abort(self) -> None:
        """Ends it now."""
        self._transport.abort()

    def _ask_next(self) -> None:
        if self._transport.is_closing():
            return
        request = self._ask()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)
