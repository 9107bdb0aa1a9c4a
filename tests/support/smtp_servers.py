"""Real SMTP servers on the loopback address, and one with scripted output."""

import asyncio
import email
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.policy import default as default_policy
from ssl import SSLContext

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from hupan.delivery.sender import Message
from hupan.delivery.smtp import SmtpOptions, SmtpSender
from tests.support.delivery_samples import PASSWORD

HOST = "127.0.0.1"
FROM = "no-reply@hupan.example"

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Sink:
    """The mails that a server accepted, and its responses."""

    def __init__(self, *, rcpt: str = "250 OK", data: str = "250 OK") -> None:
        self.rcpt = rcpt
        self.data = data
        self.sessions: list[Session] = []
        self.envelopes: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802  names of aiosmtpd's hooks
        self,
        _server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Answer one recipient."""
        self.sessions.append(session)
        if self.rcpt.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(  # noqa: N802  as above
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Accept one mail."""
        self.envelopes.append(envelope)
        return self.data

    def mail(self) -> EmailMessage:
        """Parse the one accepted mail."""
        (envelope,) = self.envelopes
        content = envelope.content
        assert isinstance(content, bytes)
        return email.message_from_bytes(content, _class=EmailMessage, policy=default_policy)


class Accounts:
    """The only login of a mail server."""

    def __call__(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object
    ) -> AuthResult:
        """Check user and password."""
        known = LoginPassword(b"mailer", PASSWORD.encode())
        return AuthResult(success=data == known)


def options(port: int, **changes: object) -> SmtpOptions:
    """Return options for a test server; without TLS by default."""
    fields: dict[str, object] = {"security": "none", "timeout_seconds": 5.0} | changes
    return SmtpOptions(host=HOST, port=port, sender=FROM, **fields)  # type: ignore[arg-type]  # the fields vary by test


class Connections:
    """The server's ends of the connections of one test."""

    def __init__(self, factory: Callable[[], asyncio.Protocol]) -> None:
        self._factory = factory
        self._ended: list[asyncio.Event] = []

    def accept(self) -> asyncio.Protocol:
        """Make the protocol of one connection, and record its end."""
        protocol, ended = self._factory(), asyncio.Event()
        make, lose = protocol.connection_made, protocol.connection_lost

        def made(transport: asyncio.BaseTransport) -> None:
            self._ended.append(ended)
            make(transport)

        def lost(exc: Exception | None) -> None:
            lose(exc)
            ended.set()

        protocol.connection_made = made  # type: ignore[method-assign]  # to see the life of a foreign class
        protocol.connection_lost = lost  # type: ignore[method-assign]  # as above
        return protocol

    async def all_ended(self) -> None:
        """Wait until the sender has closed every connection."""
        async with asyncio.timeout(5):
            await asyncio.gather(*(ended.wait() for ended in self._ended))


def deliver(
    factory: Callable[[], asyncio.Protocol],
    message: Message,
    *,
    tls: SSLContext | None = None,
    **changes: object,
) -> None:
    """Run a server for one message; the sender must disconnect by itself."""

    async def run() -> None:
        connections = Connections(factory)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(connections.accept, HOST, 0, ssl=tls)
        async with server:
            port: int = server.sockets[0].getsockname()[1]
            try:
                await SmtpSender(options(port, **changes)).send(message)
            finally:
                await connections.all_ended()

    asyncio.run(run())


def deliver_to_script(script: Script, message: Message, **changes: object) -> None:
    """Run a server with scripted output for one message."""

    async def run() -> None:
        ended = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await script(reader, writer)
            finally:
                writer.close()
                ended.set()

        async with await asyncio.start_server(talk, HOST, 0) as server:
            port: int = server.sockets[0].getsockname()[1]
            try:
                await SmtpSender(options(port, **changes)).send(message)
            finally:
                await ended.wait()

    asyncio.run(run())


def smtpd(sink: Sink, **settings: object) -> Callable[[], SMTP]:
    """Return a factory of real SMTP servers."""
    return lambda: SMTP(sink, hostname="mail.test", **settings)  # type: ignore[arg-type]  # the settings vary by test
