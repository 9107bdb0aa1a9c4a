"""One HTTP request in a thread, which the event loop can cut short at any moment."""

import http.client
import socket
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hupan.delivery.protocol import NotSent, OutcomeUnknown

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

ANSWER_BYTES: Final = 65_536
"""How much of an answer's body is read, where it is read at all."""
_CONTENT_TYPE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What is handed over: `target` is path and query.

    Where `wants_body` is not set, or the status is no success, the status settles it, however the
    body ends; of a refusal as much is read as comes, for its words.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    wants_body: bool
    wants_words: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status and, if wanted, the first `ANSWER_BYTES` of the body."""

    status: int
    body: bytes
    content_type: str = ""


class Exchange:
    """One request on a connection of its own.

    Args:
        connection: Not yet connected; its time-outs bound single steps, `cut` bounds the whole.
        request: What to send.
    """

    def __init__(self, connection: "HTTPConnection", request: Request) -> None:
        self._connection = connection
        self._request = request
        self._guard = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False
        self._settled: Answer | None = None

    @property
    def settled(self) -> Answer | None:
        """The answer without its body, once its status alone settles the outcome."""
        return self._settled

    def run(self) -> Answer | NotSent | OutcomeUnknown:
        """Connect, hand over, read; blocks, so it belongs in a thread.

        Failures are returned, not raised: the library's errors quote the URL, and nothing
        of them may be chained (security L1).
        """
        try:
            return self._talk()
        finally:
            self._connection.close()

    def cut(self) -> bool:
        """End the exchange now; returns whether the request may already have left.

        Shutting the socket down wakes the thread, which a trickle of bytes would keep waiting.
        """
        with self._guard:
            self._is_cut = True
            if self._socket is None:
                return False
        with suppress(OSError):
            # Not SSLSocket.shutdown, which takes the TLS state from under the reading thread.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        return True

    def _talk(self) -> Answer | NotSent | OutcomeUnknown:
        failures = _failures()
        try:
            self._connection.connect()
        except failures as error:
            return NotSent(f"the gateway is out of reach ({type(error).__name__})", again=True)
        if not self._begin():
            return NotSent("no time was left to hand over", again=True)
        try:
            return self._hand_over()
        except failures as error:
            if self._settled is not None:
                return self._settled
            return OutcomeUnknown(f"the gateway broke off ({type(error).__name__})")

    def _begin(self) -> bool:
        """Pass the point after which the request may have left, unless cut before."""
        with self._guard:
            if not self._is_cut:
                self._socket = self._connection.sock
            return not self._is_cut

    def _hand_over(self) -> Answer:
        request = self._request
        self._connection.request(
            request.method, request.target, body=request.body or None, headers=request.headers
        )
        # Not urllib3's own getresponse: it logs the whole URL, code and all, when the
        # answer's headers are malformed (security C13).
        response = http.client.HTTPConnection.getresponse(self._connection)
        with closing(response):
            content_type = response.headers.get("Content-Type", "")[:_CONTENT_TYPE_CHARACTERS]
            is_success = 200 <= response.status < 300  # noqa: PLR2004  every 2xx, as HTTP says
            if not (is_success and request.wants_body):
                self._settled = Answer(response.status, b"", content_type)
            if is_success and not (request.wants_body or request.wants_words):
                return Answer(response.status, b"", content_type)
            body = response.read(ANSWER_BYTES)
            if self._settled is None and response.length and len(body) < ANSWER_BYTES:
                # Cut off: `0` may be the beginning of anything.
                raise http.client.IncompleteRead(body, response.length)
            return Answer(response.status, body, content_type)


def _failures() -> tuple[type[Exception], ...]:
    """List what a connection may raise; ValueError covers an answer that cannot be decoded."""
    import urllib3.exceptions  # noqa: PLC0415  costs start time where no gateway is used

    return (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)
