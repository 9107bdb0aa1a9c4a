"""What all senders share: the message, the interface, its errors and the checks of options."""

import re
import ssl
from dataclasses import dataclass
from typing import Literal, NoReturn, Protocol

Channel = Literal["sms", "email"]


@dataclass(frozen=True, slots=True)
class Message:
    """One code or notice, which `texts.render` puts into words.

    Attributes:
        id: stable over retries; becomes the Message-ID or the Idempotency-Key.
            Letters, digits, `_`, `-` and inner dots, at most 128 characters.
        channel: SMS or e-mail.
        to: an e-mail address, or a phone number as stored ("13800138000", "+4915112345678").
        purpose: "code", "reset" or one of the notices in `texts.MESSAGE_TEMPLATES`.
        code: six digits; empty for a notice.
        created_at: unix seconds.
        valid_seconds: how long a code is valid; shown in minutes.
    """

    id: str
    channel: Channel
    to: str
    purpose: str
    code: str
    created_at: int
    valid_seconds: int = 300

    @property
    def valid_minutes(self) -> int:
        """The validity of the code, as the texts show it."""
        return max(1, self.valid_seconds // 60)

    def __repr__(self) -> str:
        """Name the message without its code and its target (security C13, L1)."""
        return f"Message(id={self.id!r}, channel={self.channel!r}, purpose={self.purpose!r})"


class InvalidOption(ValueError):
    """An option has an invalid value; the error contains no secret.

    Attributes:
        field: the name of the option.
        zh: what would be valid, in Chinese.
        en: the same in English.
    """

    def __init__(self, field: str, zh: str, en: str) -> None:
        super().__init__(f"{field}: {en}")
        self.field = field
        self.zh = zh
        self.en = en


def require_option(condition: bool, field: str, zh: str, en: str) -> None:
    """Raise InvalidOption unless the condition holds."""
    if not condition:
        raise_invalid_option(field, zh, en)


def raise_invalid_option(field: str, zh: str, en: str) -> NoReturn:
    raise InvalidOption(field, zh, en)


def create_tls_context(ca_file: str) -> ssl.SSLContext:
    """Create a TLS 1.2+ context that checks certificate and host name.

    Args:
        ca_file: PEM file of the only trusted authorities; empty for the system's.

    Raises:
        InvalidOption: the file cannot be read or contains no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise InvalidOption(
            "ca_file",
            "可读的 PEM 证书文件",
            f"{ca_file!r} cannot be read as PEM certificates",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class NotSent(Exception):
    """The message was certainly not sent.

    Attributes:
        reason: can be logged: never the code, the text, a password or the full target.
        is_retryable: whether a later attempt may succeed.
    """

    def __init__(self, reason: str, is_retryable: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_retryable = is_retryable


class OutcomeUnknown(Exception):
    """The message may have been sent; another attempt might send it twice.

    Attributes:
        reason: can be logged: never the code, the text, a password or the full target.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sender(Protocol):
    """Sends messages, one per call; calls may run concurrently."""

    async def send(self, message: Message) -> None:
        """Send the message; return once it is accepted.

        A cancelled call may or may not have sent it, as with `OutcomeUnknown`.

        Raises:
            NotSent: it was certainly not sent.
            OutcomeUnknown: it may have been sent.
        """

    async def close(self) -> None:
        """Release all resources; `send` must not be called afterwards."""


_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ANY_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_RECIPIENT = re.compile(rf"{_ANY_ATOM}@{_LABEL}(?:\.{_LABEL})*")
_PHONE = re.compile(r"\+?[0-9]{5,15}")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")

_MAX_ADDRESS_LENGTH = 254
_MAX_LOCAL_PART_LENGTH = 64
_MAX_MESSAGE_ID_LENGTH = 128


def is_email_address(text: str) -> bool:
    """Return whether `text` is exactly one ASCII addr-spec, without quotes or comments."""
    return (
        len(text) <= _MAX_ADDRESS_LENGTH
        and _EMAIL_ADDRESS.fullmatch(text) is not None
        and text.index("@") <= _MAX_LOCAL_PART_LENGTH
    )


def is_email_recipient(text: str) -> bool:
    """Return whether mail can be sent to `text`: an address, with dots anywhere in the local part.

    Japanese carriers assigned many such addresses: `u..v@docomo.ne.jp`, `w.@…`.
    """
    fits = len(text) <= _MAX_ADDRESS_LENGTH and _RECIPIENT.fullmatch(text) is not None
    return fits and text.index("@") <= _MAX_LOCAL_PART_LENGTH


def quote_recipient(address: str) -> str:
    """Return the recipient as in mail: a local part that is not a dot-atom is quoted (RFC 5321)."""
    if is_email_address(address):
        return address
    local, _, domain = address.rpartition("@")
    return f'"{local}"@{domain}'


def check_email_message(message: Message) -> None:
    """Check that a message can be sent as one e-mail to one address.

    Raises:
        NotSent: it cannot; not retryable.
    """
    _check(message.channel == "email", "this sender sends e-mail only")
    _check(is_email_recipient(message.to), "the recipient is not one plain e-mail address")
    _check_message_id(message)


def check_sms_message(message: Message) -> None:
    """Check that a message can be sent as one SMS to one number.

    Raises:
        NotSent: it cannot; not retryable.
    """
    _check(message.channel == "sms", "this sender sends SMS only")
    _check(_PHONE.fullmatch(message.to) is not None, "the recipient is not one phone number")
    _check_message_id(message)


def _check_message_id(message: Message) -> None:
    fits = (
        len(message.id) <= _MAX_MESSAGE_ID_LENGTH and _MESSAGE_ID.fullmatch(message.id) is not None
    )
    _check(fits, "the message's id does not fit into a header")


def _check(condition: bool, reason: str) -> None:
    if not condition:
        raise NotSent(reason, is_retryable=False)
