"""Forwards sockets of clients to a message server (wire.md 8.5, decision 37).

Logins, heartbeats and drafts stay here. Each client's socket has one of its own at the message
server, opened with the signed headers of a request. Both sides may be slow or hostile: each queue
is bounded, and any failure closes both.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from hupan.addresses import ClientOrigin
from hupan.api.upstream import CallerSigner
from hupan.metrics import IncrementMetric
from hupan.model import Caller, RequestContext
from hupan.ratelimit.memory import RequestLimiter
from hupan.upstream import UpstreamSocketAddress

MAX_MESSAGE_BYTES = 256 * 1024
"""The maximum of one message from the message server."""
MAX_WAITING_BYTES = 128 * 1024
"""The maximum that one socket has waiting for the message server."""
MAX_HELD_BYTES = 32 * 1024 * 1024
"""The maximum of all relays of this process, in both directions: some hundred full sockets. A
message server that hangs must not take the memory of clients that use none of it."""
_KEPT_SHARE = 0.75
"""The share left after some were closed, so that the next message does not close others."""
BLOCKED_SECONDS = 10.0
"""How long the message server may read nothing."""
CLOSE_SECONDS = 0.7
"""From a closing frame to the end of the connection."""
LOG_SECONDS = 10.0
"""The shortest time between two lines about failures."""
NORMAL_CLOSURE, GOING_AWAY, INVALID_DATA, TRY_AGAIN_LATER, SESSION_ENDED = (
    1000,
    1001,
    1007,
    1013,
    4001,
)
_OWN_CODES = range(3000, 5000)
_READ_BYTES = 4096
"""Read in one tick of the loop, so that others have their turn."""
_STATUS_LINE = b"HTTP/1.1 101 "
_log = logging.getLogger("hupan.upstream")
_framing_log = logging.getLogger("hupan.upstream.frames")
_framing_log.setLevel(logging.CRITICAL)  # what the message server sends is not ours to log


class RelayPeer(Protocol):
    """The client's side of a relay."""

    def deliver(self, message: bytes, *, is_text: bool) -> bool:
        """Send a message to the client; return whether it may be followed by another one."""
        ...

    def relay_ended(self, code: int, reason: str) -> None:
        """Close the client's socket because the message server has closed or failed."""
        ...


class SocketRelays:
    """The relays of this process.

    Args:
        address: the address of the message server's socket.
        signer: makes the signed headers.
        limiter: limits how often sockets of callers are forwarded.
        next_request_id: numbers the relays.
        count: counts what happens.
        max_connecting: how many connect at a time; others wait.
        max_held_bytes: what all relays may hold.
    """

    def __init__(
        self,
        address: UpstreamSocketAddress,
        signer: CallerSigner,
        limiter: RequestLimiter,
        next_request_id: Callable[[], int],
        count: IncrementMetric,
        *,
        max_connecting: int,
        max_held_bytes: int = MAX_HELD_BYTES,
    ) -> None:
        self.address = address
        self.uri: WebSocketURI = parse_uri(address.url)
        self.count = count
        self.connecting = asyncio.Semaphore(max_connecting)
        self.buffer = bytearray(_READ_BYTES)  # of whichever relay reads
        self._signer = signer
        self._limiter = limiter
        self._next_request_id = next_request_id
        self._max_held_bytes = max_held_bytes
        self._relays: set[SocketRelay] = set()
        self.held_bytes = 0
        self._logged_at = -LOG_SECONDS

    def __len__(self) -> int:
        """Return the number of open relays, those that connect or close included."""
        return len(self._relays)

    def open(self, caller: Caller, origin: ClientOrigin, peer: RelayPeer) -> "SocketRelay":
        """Begin to connect to the message server for a client.

        Raises:
            TooManyFromHere, TooManyTries: the caller opens too many.
        """
        address = str(origin.address or "")
        context = RequestContext(
            self._next_request_id(), "", english=False, headers=[], peer=address
        )
        self._limiter.check_account(caller, self._limiter.check_origin(context))

        def sign() -> list[tuple[bytes, bytes]]:
            return self._signer.headers(
                "app", "GET", self.uri.resource_name, caller, context.request_id, address
            )

        relay = SocketRelay(self, peer, sign)
        self._relays.add(relay)
        relay.start()
        return relay

    def forget(self, relay: "SocketRelay") -> None:
        """Drop a relay whose connection is gone."""
        self._relays.discard(relay)
        self.hold(relay, 0)

    def hold(self, relay: "SocketRelay", size: int) -> None:
        """Record what a relay holds; close those that hold most if all of them hold too much.

        A transport does not say when it has written a little, so the sum is an upper bound, which
        is counted again before a relay is closed for it.
        """
        self.held_bytes += size - relay.held_bytes
        relay.held_bytes = size
        if self.held_bytes > self._max_held_bytes:
            self._make_room()

    def _make_room(self) -> None:
        for relay in self._relays:
            relay.held_bytes = relay.measure()
        self.held_bytes = sum(relay.held_bytes for relay in self._relays)
        if self.held_bytes <= self._max_held_bytes:
            return
        for relay in sorted(self._relays, key=lambda one: one.held_bytes, reverse=True):
            if self.held_bytes <= self._max_held_bytes * _KEPT_SHARE:
                break
            relay.give_up()

    def close(self) -> None:
        """End every connection at once."""
        for relay in tuple(self._relays):
            relay.abort()

    def record_failure(self, reason: str) -> None:
        """Count a failure of the message server, and log it unless one was logged just now."""
        self.count("sockets", "relay-failed")
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            _log.warning("a socket was not forwarded: %s", reason)


class SocketRelay(asyncio.BufferedProtocol):
    """One socket at the message server, for one client."""

    def __init__(
        self,
        relays: SocketRelays,
        peer: RelayPeer,
        sign: Callable[[], list[tuple[bytes, bytes]]],
    ) -> None:
        self._relays = relays
        self._peer: RelayPeer | None = peer
        self._sign = sign
        self._framing = ClientProtocol(relays.uri, max_size=MAX_MESSAGE_BYTES, logger=_framing_log)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._partial_bytes = 0
        self.held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._message: bytearray | None = None
        self._is_text = self._has_begun = self._is_ending = False

    def start(self) -> None:
        """Connect."""
        self._task = asyncio.ensure_future(self._connect())
        self._task.add_done_callback(self._end_connecting)

    def _end_connecting(self, _task: "asyncio.Task[None]") -> None:
        """Drop a relay that did not connect, even if it was aborted before it began."""
        self._task = None
        if self._transport is None:
            self._relays.forget(self)

    def send(self, text: bytes) -> None:
        """Send a text message, as soon as the message server is connected."""
        if self._peer is None:
            return
        if self._framing.state is State.OPEN:
            self._framing.send_text(text)
            self._flush()
            return
        self._waiting_bytes += len(text)
        if self._waiting_bytes > MAX_WAITING_BYTES:
            self._fail("it does not read what clients send")
        else:
            self._waiting.append(text)
            self._relays.hold(self, self.measure())

    def measure(self) -> int:
        """Return the bytes that wait here for either side, or for the rest of their message."""
        written = 0 if self._transport is None else self._transport.get_write_buffer_size()
        message = 0 if self._message is None else len(self._message)
        return self._waiting_bytes + written + message + self._partial_bytes

    def give_up(self) -> None:
        """End both sides because all relays together hold too much."""
        self._fail("too much data is waiting for it")
        self.abort()

    def resume(self) -> None:
        """Resume reading: the client reads again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self, code: int, reason: str) -> None:
        """Close because the client's side has ended."""
        self._peer = None
        self._drop_waiting()
        if self._framing.state is State.OPEN:
            self._framing.send_close(code, reason)
            self.resume()  # its answer would not be read
            self._flush()
            self._end_within(CLOSE_SECONDS)
        elif self._framing.state is State.CONNECTING:
            self.abort()

    def abort(self) -> None:
        """End the connection, or the attempt to connect, at once."""
        self._peer = None
        self._drop_waiting()
        self._message, self._partial_bytes = None, 0
        self._relays.hold(self, 0)
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _connect(self) -> None:
        uri, address = self._relays.uri, self._relays.address
        loop = asyncio.get_running_loop()
        try:
            async with self._relays.connecting, asyncio.timeout(address.timeout_seconds):
                self._opened = loop.create_future()
                await loop.create_connection(
                    lambda: self,
                    uri.host,
                    uri.port,
                    ssl=address.tls,
                    server_hostname=uri.host if address.tls else None,
                )
                await self._opened
        except TimeoutError:
            self._fail("it does not answer in time")
        except (OSError, ValueError) as error:  # an invalid host name is a ValueError
            self._fail(f"it cannot be reached: {type(error).__name__}")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request that asks for a socket."""
        self._transport = cast("asyncio.Transport", transport)
        request: Request = self._framing.connect()
        for name, value in self._sign():
            request.headers[name.decode("ascii")] = value.decode("ascii")
        self._framing.send_request(request)
        self._flush()

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return the buffer that all relays share: what was read is taken at once."""
        del sizehint
        return self._relays.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read frames."""
        data = bytes(self._relays.buffer[:nbytes])
        is_opening = self._framing.state is State.CONNECTING
        if is_opening and not (
            data.startswith(_STATUS_LINE) or _STATUS_LINE.startswith(data) or self._has_begun
        ):
            self._fail("it does not open a socket")
            return
        self._has_begun = True
        self._framing.receive_data(data)
        self._partial_bytes += nbytes
        self._handle_events()

    def eof_received(self) -> None:
        """Close when the message server has closed its side."""
        self._framing.receive_eof()
        self._handle_events()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the client's socket, too."""
        del exc
        self._relays.forget(self)
        self._cancel_timer()
        self._fail("it closed the connection")

    def pause_writing(self) -> None:
        """Fail if the message server reads nothing for too long."""
        if self._peer is not None:
            self._cancel_timer()
            self._timer = asyncio.get_running_loop().call_later(
                BLOCKED_SECONDS, self._fail, "it does not read what clients send"
            )

    def resume_writing(self) -> None:
        """Stop waiting for it to read."""
        self._relays.hold(self, self.measure())
        if self._peer is not None:
            self._cancel_timer()

    def _handle_events(self) -> None:
        try:
            for event in self._framing.events_received():
                self._partial_bytes = 0  # up to the size of one read
                if isinstance(event, Response):
                    self._handle_response()
                else:
                    self._handle_frame(cast("Frame", event))
        except Exception:  # noqa: BLE001 - a failure of one client's side must not affect others
            _log.exception("a message for a socket failed")
            self._fail("a message could not be delivered")
        self._flush()
        if self._framing.handshake_exc is not None:
            self._fail("it does not open a socket")
        elif self._framing.state not in {State.CONNECTING, State.OPEN}:
            self._handle_end()

    def _handle_response(self) -> None:
        if self._framing.state is not State.OPEN:
            return
        self._relays.count("sockets", "relayed")
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)
        waiting = self._waiting
        self._drop_waiting()
        for text in waiting:
            self._framing.send_text(text)

    def _handle_frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._is_text = opcode is Opcode.TEXT
            self._message = bytearray(frame.data)
        elif opcode is Opcode.CONT and self._message is not None:
            self._message += frame.data
        else:
            return
        if frame.fin:
            message, self._message = bytes(self._message), None
            self._hand_back(message)

    def _hand_back(self, message: bytes) -> None:
        peer = self._peer
        if peer is None:
            return
        if self._is_text and not message.isascii():
            try:
                message.decode()
            except UnicodeDecodeError:
                self._framing.fail(INVALID_DATA, "invalid UTF-8")
                return
        may_follow = peer.deliver(message, is_text=self._is_text)
        if not may_follow and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _handle_end(self) -> None:
        """Forward the message server's closing frame, if its code is allowed."""
        received = self._framing.close_rcvd
        self._end_within(CLOSE_SECONDS)
        if received is None or self._peer is None:
            self._fail("it sends data that is not a WebSocket's")
            return
        peer, self._peer = self._peer, None
        is_its_own = received.code in _OWN_CODES and received.code != SESSION_ENDED
        code = received.code if is_its_own or received.code == NORMAL_CLOSURE else TRY_AGAIN_LATER
        peer.relay_ended(code, received.reason)

    def _fail(self, reason: str) -> None:
        """End both sides: the message server is gone, too slow, or sends nonsense."""
        peer, self._peer = self._peer, None
        self._drop_waiting()
        if self._opened is not None and not self._opened.done():
            self._opened.cancel()
        if peer is not None:
            self._relays.record_failure(reason)
            peer.relay_ended(TRY_AGAIN_LATER, "the message server cannot be reached")
        if self._framing.close_sent is None:
            self.abort()

    def _end_within(self, seconds: float) -> None:
        if self._is_ending:  # later messages do not move the end
            return
        self._cancel_timer()
        if self._transport is not None:
            self._is_ending = True
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._transport.abort)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        transport = self._transport
        writes = self._framing.data_to_send()
        if transport is None or transport.is_closing():
            return
        for data in writes:
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()
        if transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            transport.abort()
        self._relays.hold(self, self.measure())

    def _drop_waiting(self) -> None:
        self._waiting, self._waiting_bytes = [], 0
