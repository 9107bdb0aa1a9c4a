"""Sender of e-mail: one SMTP connection per message."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

from hupan.addresses import is_loopback_host
from hupan.delivery.sender import (
    Message,
    NotSent,
    OutcomeUnknown,
    check_email_message,
    create_tls_context,
    is_email_address,
    quote_recipient,
    require_option,
)
from hupan.delivery.texts import DEFAULT_BRAND, render, require_brand, sanitize_reply

if TYPE_CHECKING:
    from aiosmtplib import SMTP


SmtpSecurity = Literal["tls", "starttls", "none"]

_MAX_PORT = 65_535
_QUIT_SECONDS = 2.0
_TEMPORARY, _PERMANENT = 4, 5


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """How to reach the mail server.

    Attributes:
        host: name or IP address; the certificate must match it.
        port: usually 465 for "tls" and 587 for "starttls".
        sender: the address in From and MAIL FROM; its domain is used in EHLO and the Message-ID.
        security: "tls" from the first byte; "starttls" refuses a server that does not offer it;
            "none" is for loopback, or for a server without login with `allow_plaintext`.
        user: empty for no login.
        password: never part of `repr` or of an error.
        timeout_seconds: for one message, from connecting to the last reply.
        ca_file: PEM file of the only trusted authorities; empty for the system's.
        sender_name: the display name in From; empty for the brand.
        allow_plaintext: allows security "none" beyond this machine; never with a password.

    Raises:
        InvalidOption: a field is not valid.
    """

    host: str
    port: int
    sender: str
    security: SmtpSecurity = "tls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = 30.0
    ca_file: str = ""
    allow_plaintext: bool = False
    sender_name: str = ""

    def __post_init__(self) -> None:
        is_host = self.host.isascii() and self.host.isprintable()
        require_option(is_host, "host", "主机名或 IP 地址", "a host name or an IP address")
        is_given = bool(self.host.strip()) and " " not in self.host
        require_option(is_given, "host", "非空的主机名", "must be given")
        require_option(0 < self.port <= _MAX_PORT, "port", "1 到 65535", "must be 1 to 65535")
        require_option(
            is_email_address(self.sender),
            "sender",
            "一个普通的 ASCII 邮箱地址，可写作 名称 <地址>",
            "must be one plain ASCII e-mail address, or Name <address>",
        )
        is_fit = self.sender_name.isprintable()
        require_option(is_fit, "sender", "可打印的名称", "the name must be printable")
        is_known = self.security in get_args(SmtpSecurity)
        require_option(
            is_known, "security", "tls、starttls 或 none", "must be tls, starttls or none"
        )
        require_option(
            bool(self.user) or not self.password,
            "user",
            "非空的用户名（已设置密码）",
            "must be given, because there is a password",
        )
        require_option(
            bool(self.password) or not self.user,
            "password",
            "非空的密码（已设置用户名）",
            "must be given, because there is a user",
        )
        require_option(
            self.timeout_seconds > 0, "timeout_seconds", "大于 0 的秒数", "more than 0 seconds"
        )
        self._require_encryption()

    def secrets(self) -> list[str]:
        """Return the values that no log may contain."""
        return [secret for secret in (self.user, self.password) if secret]

    def _require_encryption(self) -> None:
        """Refuse to send codes or a password over an unencrypted network (security L9)."""
        if self.security != "none" or is_loopback_host(self.host):
            return
        require_option(
            self.allow_plaintext,
            "security",
            "tls 或 starttls（none 仅限本机的邮件服务器）",
            '"none" is for loopback hosts only: write tls or starttls',
        )
        require_option(
            not self.password,
            "password",
            "留空（未加密的连接不可传输密码）",
            'never leaves this machine with security "none"',
        )


class SmtpSender:
    """Sends e-mail; keeps no connection between messages.

    Args:
        options: how to reach the server.
        brand: the signature and the sender's display name.

    Raises:
        InvalidOption: the brand or the ca_file is not valid.
    """

    def __init__(self, options: SmtpOptions, brand: str = DEFAULT_BRAND) -> None:
        import aiosmtplib  # noqa: PLC0415  costs start time if no mail is sent

        self._options = options
        self._brand = require_brand(brand)
        self._domain = options.sender.rpartition("@")[2]
        # ValueError: the library raises it for a reply that it cannot decode.
        self._smtp_errors = (aiosmtplib.SMTPException, OSError, ValueError)
        self._new_client = partial(
            aiosmtplib.SMTP,
            hostname=options.host,
            port=options.port,
            username=options.user or None,
            password=options.password or None,
            # Asking the resolver for the machine's own name may take seconds.
            local_hostname=self._domain,
            # One deadline for the whole dialogue instead: see `_attempt`.
            timeout=None,
            use_tls=options.security == "tls",
            # True, never None: None would continue unencrypted if it is not offered.
            start_tls=options.security == "starttls",
            tls_context=create_tls_context(options.ca_file),
        )

    async def send(self, message: Message) -> None:
        """Send one e-mail.

        Raises:
            NotSent: refused here, or not accepted by the server (4xx is retryable, 5xx is not).
            OutcomeUnknown: the connection broke after DATA.
        """
        await self.send_and_report(message)

    async def send_and_report(self, message: Message) -> str:
        """Send one e-mail like `send`; return the server's reply to it.

        Raises:
            NotSent, OutcomeUnknown: as in `send`.
        """
        check_email_message(message)
        secrets = [message.to, message.code, *self._options.secrets()]
        outcome = await self._connect_and_transmit(message.to, self._compose(message), secrets)
        if not isinstance(outcome, str):
            # Outside any handler: the library's errors quote the address (security L1).
            raise outcome
        return outcome

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    def _compose(self, message: Message) -> bytes:
        text = render(message, self._brand)
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = Address(
            display_name=self._options.sender_name or self._brand, addr_spec=self._options.sender
        )
        mail["To"] = quote_recipient(message.to)
        mail["Subject"] = text.subject
        mail["Date"] = datetime.fromtimestamp(message.created_at, UTC)
        mail["Message-ID"] = f"<{message.id}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        # base64 passes servers without 8BITMIME.
        mail.set_content(text.body, cte="base64")
        return mail.as_bytes()

    async def _connect_and_transmit(
        self, to: str, mail: bytes, secrets: list[str]
    ) -> NotSent | OutcomeUnknown | str:
        client = self._new_client()
        deadline = asyncio.get_running_loop().time() + self._options.timeout_seconds
        try:
            return await self._transmit(client, to, mail, secrets, deadline)
        finally:
            client.close()

    async def _transmit(
        self, client: "SMTP", to: str, mail: bytes, secrets: list[str], deadline: float
    ) -> NotSent | OutcomeUnknown | str:
        try:
            async with asyncio.timeout_at(deadline):
                await client.connect()
                await client.mail(self._options.sender)
                await client.rcpt(quote_recipient(to))
        except self._smtp_errors as error:
            return _failure_before_data(error, secrets)
        try:
            async with asyncio.timeout_at(deadline):
                response = await client.data(mail)
        except self._smtp_errors as error:
            return _failure_after_data(error, secrets)
        with suppress(*self._smtp_errors):
            await client.quit(timeout=_QUIT_SECONDS)
        return f"{response.code} {sanitize_reply(response.message, secrets)}".strip()


def _failure_before_data(error: Exception, secrets: list[str]) -> NotSent:
    left = NotSent(f"the mail was not sent ({type(error).__name__})", is_retryable=True)
    return _find_rejection(error, secrets) or left


def _failure_after_data(error: Exception, secrets: list[str]) -> NotSent | OutcomeUnknown:
    broken = OutcomeUnknown(f"the connection broke after DATA ({type(error).__name__})")
    return _find_rejection(error, secrets) or broken


def _find_rejection(error: Exception, secrets: list[str]) -> NotSent | None:
    """Return the server's rejection with its text, if there is one."""
    status = getattr(error, "code", None)
    if not isinstance(status, int) or status // 100 not in {_TEMPORARY, _PERMANENT}:
        return None
    server_text = sanitize_reply(str(getattr(error, "message", "")), secrets)
    suffix = f": {server_text}" if server_text else ""
    return NotSent(
        f"the mail server answered {status}{suffix}", is_retryable=status // 100 == _TEMPORARY
    )
