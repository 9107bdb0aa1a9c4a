"""Sender of SMS through an HTTP gateway: one request per message."""

import asyncio
import hashlib
import hmac
import http.client
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hupan.delivery.sender import (
    Message,
    NotSent,
    OutcomeUnknown,
    check_sms_message,
    create_tls_context,
)
from hupan.delivery.sms_options import GatewayAddress, GatewayOptions
from hupan.delivery.texts import DEFAULT_BRAND, render, require_brand, sanitize_reply

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection


MAX_RESPONSE_BYTES: Final = 65_536
"""Maximum bytes of a response body that are read."""
_CONTENT_TYPE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """One request to the gateway.

    If `needs_body` is False, or the status is an error, the status alone decides, however the body
    ends; the available part of an error's body is read for its message.
    """

    method: str
    path_and_query: str
    headers: Mapping[str, str]
    body: bytes
    needs_body: bool
    needs_reply: bool = False


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """Status and, if needed, the first `MAX_RESPONSE_BYTES` of the body."""

    status: int
    body: bytes
    content_type: str = ""


class GatewayCall:
    """One request on its own connection.

    Args:
        connection: not yet connected; its timeouts limit single steps, `abort` limits the whole.
        request: what to send.
    """

    def __init__(self, connection: "HTTPConnection", request: GatewayRequest) -> None:
        self._connection = connection
        self._request = request
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_aborted = False
        self._decided_response: GatewayResponse | None = None

    @property
    def decided_response(self) -> GatewayResponse | None:
        """The response without its body, once its status alone decides the outcome."""
        return self._decided_response

    def run(self) -> GatewayResponse | NotSent | OutcomeUnknown:
        """Connect, send and read; blocks, so it must run in a thread.

        Errors are returned, not raised: the library's errors quote the URL, and nothing of them may
        be chained (security L1).
        """
        try:
            return self._perform()
        finally:
            self._connection.close()

    def abort(self) -> bool:
        """End the call now; return whether the request may already have been sent.

        Shutting the socket down wakes the thread, which a trickle of bytes would keep waiting.
        """
        with self._lock:
            self._is_aborted = True
            if self._socket is None:
                return False
        with suppress(OSError):
            # Not SSLSocket.shutdown, which would remove the TLS state that the reading thread uses.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        return True

    def _perform(self) -> GatewayResponse | NotSent | OutcomeUnknown:
        failures = _connection_errors()
        try:
            self._connection.connect()
        except failures as error:
            return NotSent(
                f"the gateway cannot be reached ({type(error).__name__})", is_retryable=True
            )
        if not self._mark_sending():
            return NotSent("no time was left to send it", is_retryable=True)
        try:
            return self._send_and_read()
        except failures as error:
            if self._decided_response is not None:
                return self._decided_response
            return OutcomeUnknown(f"the gateway closed the connection ({type(error).__name__})")

    def _mark_sending(self) -> bool:
        """Record that the request may be sent from now on, unless the call was aborted."""
        with self._lock:
            if not self._is_aborted:
                self._socket = self._connection.sock
            return not self._is_aborted

    def _send_and_read(self) -> GatewayResponse:
        request = self._request
        self._connection.request(
            request.method,
            request.path_and_query,
            body=request.body or None,
            headers=request.headers,
        )
        # Not urllib3's own getresponse: it logs the whole URL with the code when the
        # response's headers are malformed (security C13).
        response = http.client.HTTPConnection.getresponse(self._connection)
        with closing(response):
            content_type = response.headers.get("Content-Type", "")[:_CONTENT_TYPE_CHARACTERS]
            is_success = 200 <= response.status < 300  # noqa: PLR2004  every 2xx, as HTTP says
            if not (is_success and request.needs_body):
                self._decided_response = GatewayResponse(response.status, b"", content_type)
            if is_success and not (request.needs_body or request.needs_reply):
                return GatewayResponse(response.status, b"", content_type)
            body = response.read(MAX_RESPONSE_BYTES)
            if (
                self._decided_response is None
                and response.length
                and len(body) < MAX_RESPONSE_BYTES
            ):
                # Truncated: `0` may be the beginning of anything.
                raise http.client.IncompleteRead(body, response.length)
            return GatewayResponse(response.status, body, content_type)


def _connection_errors() -> tuple[type[Exception], ...]:
    """Return what a connection may raise; ValueError for a response that cannot be decoded."""
    import urllib3.exceptions  # noqa: PLC0415  costs start time if no gateway is used

    return (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


_MAX_CONCURRENT_CALLS = 4
_TOO_MANY_REQUESTS = 429


class GatewayTransport:
    """Makes the calls to one gateway, each on its own connection; no redirect and no proxy.

    Args:
        address: where to connect.
        timeout_seconds: for one call, from connecting to the response.
        ca_file: PEM file of the only trusted authorities; empty for the system's.

    Raises:
        InvalidOption: the ca_file is not valid.
    """

    def __init__(self, address: GatewayAddress, timeout_seconds: float, ca_file: str) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._tls = create_tls_context(ca_file)
        # Bounded, so that a gateway that hangs occupies only these threads (R07).
        self._executor = ThreadPoolExecutor(
            _MAX_CONCURRENT_CALLS, thread_name_prefix="hupan-gateway"
        )
        # So that a call's time starts with the call, not while it waits for a thread.
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT_CALLS)

    async def call(self, build_request: Callable[[], GatewayRequest]) -> GatewayResponse:
        """Build one request when its turn comes, so that its timestamp is right, and send it.

        Raises:
            NotSent: the gateway is unreachable.
            OutcomeUnknown: the request was sent, but no response came.
        """
        await self._acquire_slot()
        try:
            outcome = await self._run(GatewayCall(self._new_connection(), build_request()))
        finally:
            self._slots.release()
        if not isinstance(outcome, GatewayResponse):
            raise outcome
        return outcome

    def close(self) -> None:
        """Release the threads; a running call ends by its own deadline."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _acquire_slot(self) -> None:
        try:
            await self._slots.acquire()
        except asyncio.CancelledError:
            # The server stops: this one was not sent, and must not count as unknown (R17).
            raise NotSent("the server stopped before it was sent", is_retryable=True) from None

    async def _run(self, call: GatewayCall) -> GatewayResponse | NotSent | OutcomeUnknown:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await loop.run_in_executor(self._executor, call.run)
        except TimeoutError:
            if call.abort():
                unknown = OutcomeUnknown("the gateway did not answer in time")
                return call.decided_response or unknown
            return NotSent("the gateway was not reached in time", is_retryable=True)
        finally:
            # Even if the call is cancelled: the thread must not outlive it.
            call.abort()

    def _new_connection(self) -> "HTTPConnection":
        from urllib3.connection import (  # noqa: PLC0415  costs start time if no gateway is used
            HTTPConnection,
            HTTPSConnection,
        )

        target, seconds = self._address, self._timeout_seconds
        if target.scheme == "http":
            return HTTPConnection(target.host, target.port, timeout=seconds)
        return HTTPSConnection(target.host, target.port, timeout=seconds, ssl_context=self._tls)


class GatewaySender:
    """Sends each SMS by one HTTP request.

    Every request has `Idempotency-Key` (the message's id) and `X-Timestamp` (unix seconds); with a
    secret also a signature, see `sign_body`.

    Args:
        options: how to call the gateway.
        now: returns unix seconds for the timestamp.
        brand: the signature of the SMS.

    Raises:
        InvalidOption: the brand or the ca_file is not valid.
    """

    def __init__(
        self, options: GatewayOptions, now: Callable[[], float], brand: str = DEFAULT_BRAND
    ) -> None:
        self._options = options
        self._now = now
        self._brand = require_brand(brand)
        self._templates = options.templates()
        self._transport = GatewayTransport(
            options.address(), options.timeout_seconds, options.ca_file
        )

    async def send(self, message: Message) -> None:
        """Send one SMS; beyond four at once, calls wait.

        Raises:
            NotSent: refused here, unreachable, or not accepted (429 and 5xx are retryable).
            OutcomeUnknown: the request was sent, but no response came.
        """
        await self.send_and_report(message)

    async def send_and_report(self, message: Message, *, needs_reply: bool = False) -> str:
        """Send one SMS like `send`; return the gateway's response, "" unless it is needed.

        Raises:
            NotSent, OutcomeUnknown: as in `send`.
        """
        check_sms_message(message)
        outcome = await self._transport.call(
            lambda: self._build_request(message, needs_reply=needs_reply)
        )
        body = self._options.success.decode(outcome.body, outcome.content_type)
        reply = sanitize_reply(body, [message.to, message.code, *self._options.secrets()])
        failure = self._find_failure(outcome, body, reply)
        if failure is not None:
            raise failure
        return f"{outcome.status} {reply}".strip()

    async def close(self) -> None:
        """Release the threads; a running call ends by its own deadline."""
        self._transport.close()

    def _build_request(self, message: Message, *, needs_reply: bool) -> GatewayRequest:
        timestamp = str(int(self._now()))
        values = {
            "to": message.to,
            "code": message.code,
            "text": render(message, self._brand).body,
            "purpose": message.purpose,
            "id": message.id,
            "timestamp": timestamp,
        }
        body = self._templates.body.fill(values).encode()
        headers = {name: part.fill(values) for name, part in self._templates.headers.items()}
        headers |= self._standard_headers(message, timestamp, body)
        return GatewayRequest(
            method=self._options.method,
            path_and_query=self._templates.path.fill(values),
            headers=headers,
            body=body,
            needs_body=self._options.success.needs_body,
            needs_reply=needs_reply,
        )

    def _standard_headers(self, message: Message, timestamp: str, body: bytes) -> dict[str, str]:
        headers = {
            "User-Agent": "hupan",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "Idempotency-Key": message.id,
            "X-Timestamp": timestamp,
        }
        if body:
            headers["Content-Type"] = self._options.content_type
        if self._options.hmac_secret:
            headers[self._options.hmac_header] = sign_body(
                self._options.hmac_secret, timestamp, body
            )
        return headers

    def _find_failure(self, response: GatewayResponse, body: str, reply: str) -> NotSent | None:
        status, is_truncated = response.status, len(response.body) >= MAX_RESPONSE_BYTES
        suffix = f": {reply}" if reply else ""
        if not 200 <= status < 300:  # noqa: PLR2004  every 2xx is a success, as HTTP says
            return NotSent(f"the gateway answered {status}{suffix}", is_retryable_status(status))
        if (is_truncated and self._options.success.needs_body) or not self._options.success.matches(
            body
        ):
            text = f"the gateway answered {status} without what counts as a success{suffix}"
            return NotSent(text, is_retryable=False)
        return None


def is_retryable_status(status: int) -> bool:
    """Return whether a later attempt may succeed: 429 and every 5xx."""
    return status == _TOO_MANY_REQUESTS or status >= 500  # noqa: PLR2004  every 5xx, as HTTP says


def sign_body(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature: HMAC-SHA-256 in hex over timestamp, a dot, and the body."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
