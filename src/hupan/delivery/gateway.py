"""Codes and notices by SMS, through any HTTP gateway that a template can describe."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hupan.delivery.exchange import ANSWER_BYTES, Answer, Exchange, Request
from hupan.delivery.gateway_options import GatewayOptions
from hupan.delivery.message import Message
from hupan.delivery.protocol import NotSent, OutcomeUnknown
from hupan.delivery.targets import require_sms
from hupan.delivery.texts import DEFAULT_BRAND, render, require_brand
from hupan.delivery.tls import verified_context
from hupan.delivery.words import words_of

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

_THREADS = 4
_TOO_MANY = 429


class GatewaySender:
    """Sends SMS by one HTTP request each; follows no redirect and uses no proxy.

    Every request carries `Idempotency-Key` (the message's id) and `X-Timestamp` (unix
    seconds); with a secret also a signature, see `sign`.

    Args:
        options: How to ask the gateway.
        now: Gives unix seconds for the timestamp.
        brand: The signature of the SMS.

    Raises:
        ValueError: The brand or the ca_file does not fit.
    """

    def __init__(
        self, options: GatewayOptions, now: Callable[[], float], brand: str = DEFAULT_BRAND
    ) -> None:
        self._options = options
        self._now = now
        self._brand = require_brand(brand)
        self._templates = options.templates()
        self._tls = verified_context(options.ca_file)
        # Bounded, so that a gateway that hangs costs these threads and no more (R07).
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hupan-gateway")
        # So that a call's time runs from its turn on, not while it waits for a thread.
        self._turns = asyncio.Semaphore(_THREADS)

    async def send(self, message: Message) -> None:
        """Send one SMS; beyond four at once, calls wait their turn.

        Raises:
            NotSent: Refused here, out of reach, or not accepted (429, 5xx: again).
            OutcomeUnknown: No answer came although the request was handed over.
        """
        await self.deliver(message)

    async def deliver(self, message: Message, *, wants_words: bool = False) -> str:
        """Send one SMS like `send`; return what the gateway said, "" unless it is wanted.

        Raises:
            NotSent, OutcomeUnknown: As `send` raises them.
        """
        require_sms(message)
        await self._turn()
        request = self._request(message, wants_words=wants_words)
        try:
            outcome = await self._exchange(Exchange(self._connection(), request))
        finally:
            self._turns.release()
        if not isinstance(outcome, Answer):
            raise outcome
        body = self._options.success.read(outcome.body, outcome.content_type)
        words = words_of(body, [message.to, message.code, *self._options.hidden()])
        failure = self._judge(outcome, body, words)
        if failure is not None:
            raise failure
        return f"{outcome.status} {words}".strip()

    async def close(self) -> None:
        """Let the threads go; a call under way ends by its own deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _turn(self) -> None:
        try:
            await self._turns.acquire()
        except asyncio.CancelledError:
            # The server stops: this one has not left, and must not count as if it might have (R17).
            raise NotSent("its turn did not come", again=True) from None

    async def _exchange(self, exchange: Exchange) -> Answer | NotSent | OutcomeUnknown:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                return await loop.run_in_executor(self._threads, exchange.run)
        except TimeoutError:
            if exchange.cut():
                late = OutcomeUnknown("the gateway did not answer in time")
                return exchange.settled or late
            return NotSent("the gateway was not reached in time", again=True)
        finally:
            # Also when the call is cancelled: the thread must not outlive it.
            exchange.cut()

    def _connection(self) -> "HTTPConnection":
        from urllib3.connection import (  # noqa: PLC0415  costs start time where no gateway is used
            HTTPConnection,
            HTTPSConnection,
        )

        target = self._options.target()
        seconds = self._options.timeout_seconds
        if target.scheme == "http":
            return HTTPConnection(target.host, target.port, timeout=seconds)
        return HTTPSConnection(target.host, target.port, timeout=seconds, ssl_context=self._tls)

    def _request(self, message: Message, *, wants_words: bool) -> Request:
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
        headers |= self._own_headers(message, timestamp, body)
        return Request(
            method=self._options.method,
            target=self._templates.path.fill(values),
            headers=headers,
            body=body,
            wants_body=self._options.success.wants_body,
            wants_words=wants_words,
        )

    def _own_headers(self, message: Message, timestamp: str, body: bytes) -> dict[str, str]:
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
            headers[self._options.hmac_header] = sign(self._options.hmac_secret, timestamp, body)
        return headers

    def _judge(self, answer: Answer, body: str, words: str) -> NotSent | None:
        status, is_cut = answer.status, len(answer.body) >= ANSWER_BYTES
        said = f": {words}" if words else ""
        if not 200 <= status < 300:  # noqa: PLR2004  every 2xx is a success, as HTTP says
            again = status == _TOO_MANY or status >= 500  # noqa: PLR2004  every 5xx, as HTTP says
            return NotSent(f"the gateway answered {status}{said}", again)
        if (is_cut and self._options.success.wants_body) or not self._options.success.accepts(body):
            text = f"the gateway answered {status} without what counts as a success{said}"
            return NotSent(text, again=False)
        return None


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Compute the signature: HMAC-SHA-256 in hex over timestamp, a dot, and the body."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
