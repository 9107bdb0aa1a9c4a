"""A load of HTTP requests over a number of connections."""

import asyncio
import itertools
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import httptools

from bench.load.results import LoadResult, percentile
from bench.load.target import TargetServer

SUCCESS_STATUS = 200
SUCCESS_RESULT = b"ok"
RESULT_HEADER = b"x-result"


class LoadConnection(asyncio.Protocol):
    """An HTTP/1.1 connection; closes after the last request, or when the server closes it.

    Args:
        next_request: returns the bytes of the next request, None if there is none.
        on_response: is called with the seconds of a response, whether it succeeded, and its body.
        next_delay_seconds: returns the seconds to wait before the next request.
    """

    def __init__(
        self,
        next_request: Callable[[], bytes | None],
        on_response: Callable[[float, bool, bytes], None],
        next_delay_seconds: Callable[[], float],
    ) -> None:
        self._next_request = next_request
        self._on_response = on_response
        self._next_delay_seconds = next_delay_seconds
        self._parser = httptools.HttpResponseParser(self)
        self._sent_at: float | None = None
        self._is_success = True
        self._body: list[bytes] = []
        self.record: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Completed at the end: whether every request was answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._send_next()

    def data_received(self, data: bytes) -> None:
        """Parse a part of a response; abort the connection if it is not HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read the result header."""
        if name.lower() == RESULT_HEADER:
            self._is_success = value == SUCCESS_RESULT

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Record the response and send the next request."""
        now = time.perf_counter()
        if self._sent_at is None:  # a response without a request
            self._transport.abort()
            return
        seconds, self._sent_at = now - self._sent_at, None
        is_success = self._is_success and self._parser.get_status_code() == SUCCESS_STATUS
        self._on_response(seconds, is_success, b"".join(self._body))
        self._is_success = True
        self._body.clear()
        if not self._parser.should_keep_alive():
            self._transport.close()
        elif pause := self._next_delay_seconds():
            asyncio.get_running_loop().call_later(pause, self._send_next)
        else:
            self._send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Record whether every request was answered."""
        del exc
        if not self.record.done():
            self.record.set_result(self._sent_at is None)

    def abort(self) -> None:
        """Close the connection now."""
        self._transport.abort()

    def _send_next(self) -> None:
        if self._transport.is_closing():
            return
        request = self._next_request()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


class RequestPacer:
    """Paces requests: without a pause, or at a fixed rate that does not depend on response times.

    Args:
        requests_per_second: 0 for no pause.
        offset: the fraction of the interval to wait before the first request, 0 to 1.
    """

    def __init__(self, requests_per_second: float, offset: float) -> None:
        self._interval_seconds = 1 / requests_per_second if requests_per_second else 0.0
        self._next_at = time.perf_counter() + offset * self._interval_seconds

    def next_delay_seconds(self) -> float:
        """Return the seconds until the next request is due; 0 if it is."""
        if not self._interval_seconds:
            return 0.0
        left = self._next_at - time.perf_counter()
        self._next_at += self._interval_seconds
        return max(0.0, left)


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """The bounds of a round.

    Attributes:
        connections: the number of connections, each with one request in flight.
        max_seconds: no request is sent after this time.
        max_requests: maximum number of requests.
        requests_per_second: the rate of requests, 0 for no pause between them.
    """

    connections: int
    max_seconds: float
    max_requests: int
    requests_per_second: float = 0.0


class LoadRun:
    """State of a round that its connections share."""

    def __init__(self, requests: Sequence[bytes], limits: LoadLimits) -> None:
        self._pending_requests: Iterator[bytes] = itertools.islice(
            itertools.cycle(requests), limits.max_requests
        )
        self.is_finished = False
        self._has_sent = False
        self._started_at = self._last_response_at = time.perf_counter()
        self._ends_at = self._started_at + limits.max_seconds
        self._durations_seconds: list[float] = []
        self._refused = 0
        self._failed = 0

    def next_request(self) -> bytes | None:
        """Return the request to send; None when the round is over.

        Every round sends at least one, even if the machine let this process wait beyond its end.
        """
        is_due = not self._has_sent or time.perf_counter() < self._ends_at
        request = next(self._pending_requests, None) if is_due else None
        self._has_sent = True
        self.is_finished = self.is_finished or request is None
        return request

    @property
    def remaining_seconds(self) -> float:
        """Return the seconds until no more requests are sent."""
        return max(0.0, self._ends_at - time.perf_counter())

    @property
    def response_count(self) -> int:
        """Return the number of responses so far."""
        return len(self._durations_seconds) + self._refused

    def record_response(self, seconds: float, is_success: bool, _body: bytes) -> None:
        """Count a response."""
        self._last_response_at = time.perf_counter()
        if is_success:
            self._durations_seconds.append(seconds)
        else:
            self._refused += 1

    def record_failure(self) -> None:
        """Count a request without a response, or a connection that could not be opened."""
        self._failed += 1

    def result(self) -> LoadResult:
        """Return the result; time ends with the last response."""
        took = sorted(self._durations_seconds)
        p50, p99 = (percentile(took, part) * 1e3 for part in (0.5, 0.99))
        seconds = self._last_response_at - self._started_at
        return LoadResult(len(took), self._refused, self._failed, seconds, p50, p99)


GRACE_SECONDS = 10.0
"""How long to wait for responses after the last request, and for a connection at any time."""
MAX_BROKEN_CONNECTIONS = 3
"""A connection that broke this often in a row without a response is not opened again."""


class NoResponse(OSError):
    """No response arrived; the text says why."""


@dataclass(frozen=True, slots=True)
class LoadResponse:
    """The response to a single request."""

    is_success: bool
    body: bytes


async def run_load(
    target: TargetServer, requests: Sequence[bytes], limits: LoadLimits
) -> LoadResult:
    """Run one round: cycle through the requests until a bound is reached."""
    load_run = LoadRun(requests, limits)
    await asyncio.gather(
        *(_run_connection(target, load_run, limits, n) for n in range(limits.connections))
    )
    return load_run.result()


async def send_once(target: TargetServer, request: bytes) -> LoadResponse:
    """Send one request and return its response.

    Raises:
        NoResponse: the server was not reached, or did not respond.
    """
    responses: list[LoadResponse] = []
    coming = iter([request])
    try:
        connection = await _open(
            target,
            lambda: LoadConnection(
                lambda: next(coming, None),
                lambda _took, is_right, body: responses.append(LoadResponse(is_right, body)),
                lambda: 0.0,
            ),
        )
        await _await_end(connection, GRACE_SECONDS)
    except OSError as error:
        raise NoResponse(str(error) or type(error).__name__) from error
    if not responses:
        raise NoResponse("no answer")
    return responses[0]


async def _run_connection(
    target: TargetServer, load_run: LoadRun, limits: LoadLimits, number: int
) -> None:
    """Open one connection after another as long as they get responses."""
    pacer = RequestPacer(
        limits.requests_per_second / limits.connections, number / limits.connections
    )
    await asyncio.sleep(pacer.next_delay_seconds())
    broken = 0
    while broken < MAX_BROKEN_CONNECTIONS and not load_run.is_finished:
        before = load_run.response_count
        try:
            connection = await _open(
                target,
                lambda: LoadConnection(
                    load_run.next_request, load_run.record_response, pacer.next_delay_seconds
                ),
            )
            is_complete = await _await_end(connection, load_run.remaining_seconds + GRACE_SECONDS)
        except OSError:
            is_complete = False
        if not is_complete:
            load_run.record_failure()
        broken = 0 if load_run.response_count > before else broken + 1


async def _open(target: TargetServer, make: Callable[[], LoadConnection]) -> LoadConnection:
    """Return a connection that has sent its first request.

    Raises:
        OSError: the server was not reached in time.
    """
    tls = ssl.create_default_context() if target.is_tls else None
    name = target.host if target.is_tls else None
    async with asyncio.timeout(GRACE_SECONDS):
        _, connection = await asyncio.get_running_loop().create_connection(
            make, target.address, target.port, ssl=tls, server_hostname=name
        )
    return connection


async def _await_end(connection: LoadConnection, seconds: float) -> bool:
    """Return whether each request got a response; abort the connection when the time is over."""
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(connection.record)
    except TimeoutError:
        connection.abort()
        return False
