"""What all senders share: the message, the sender interface, its errors and the checks of its options."""

import re
import ssl
from dataclasses import dataclass
from typing import Literal, NoReturn, Protocol

Channel = Literal["sms", "email"]


@dataclass(frozen=True, slots=True)
class Message:
    """One code or notice, ready to be put into words by `texts.render`.

    Attributes:
        id: Stable over retries; becomes the Message-ID or the Idempotency-Key.
            Letters, digits, `_`, `-` and inner dots, at most 128 characters.
        channel: How it travels.
        to: An e-mail address, or a phone number as stored ("13800138000", "+4915112345678").
        purpose: "code", "reset" or one of the notices listed in `texts.WORDINGS`.
        code: Six digits; empty for a notice.
        created_at: Unix seconds.
        valid_seconds: How long a code lives; told in minutes.
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
        """What the texts say of a code's life."""
        return max(1, self.valid_seconds // 60)

    def __repr__(self) -> str:
        """Name the message without its code or its target (security C13, L1)."""
        return f"Message(id={self.id!r}, channel={self.channel!r}, purpose={self.purpose!r})"


class InvalidOption(ValueError):
    """An option that does not fit; no key is part of it.

    Attributes:
        field: The name of the option.
        zh: What would fit, in Chinese.
        en: The same in English.
    """

    def __init__(self, field: str, zh: str, en: str) -> None:
        super().__init__(f"{field}: {en}")
        self.field = field
        self.zh = zh
        self.en = en


def require_option(condition: bool, field: str, zh: str, en: str) -> None:
    """Refuse an option unless the condition holds.

    Raises:
        BadOption: it does not.
    """
    if not condition:
        raise_invalid_option(field, zh, en)


def raise_invalid_option(field: str, zh: str, en: str) -> NoReturn:
    """Refuse an option.

    Raises:
        BadOption: always.
    """
    raise InvalidOption(field, zh, en)


def create_tls_context(ca_file: str) -> ssl.SSLContext:
    """Make a TLS 1.2+ context that checks certificate and host name.

    Args:
        ca_file: PEM file of the only authorities to trust; empty for the system's.

    Raises:
        ValueError: The file cannot be read or holds no certificate.
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
    """The message has surely not left.

    Attributes:
        reason: Fit for a log: never the code, the text, a password or the full target.
        is_retryable: Whether a later try may work.
    """

    def __init__(self, reason: str, is_retryable: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_retryable = is_retryable


class OutcomeUnknown(Exception):
    """The message may have left; a second try might send it twice.

    Attributes:
        reason: Fit for a log: never the code, the text, a password or the full target.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sender(Protocol):
    """Carries messages out, one call each; calls may run side by side."""

    async def send(self, message: Message) -> None:
        """Hand the message over; returning means it was accepted.

        A call that is cancelled may or may not have sent, like `OutcomeUnknown`.

        Raises:
            NotSent: It has surely not left.
            OutcomeUnknown: It may have left.
        """

    async def close(self) -> None:
        """Let go of everything held; `send` must not be called afterwards."""


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
    """Tell whether `text` is exactly one ASCII addr-spec, without quotes or comments."""
    return (
        len(text) <= _MAX_ADDRESS_LENGTH
        and _EMAIL_ADDRESS.fullmatch(text) is not None
        and text.index("@") <= _MAX_LOCAL_PART_LENGTH
    )


def is_email_recipient(text: str) -> bool:
    """Whether mail can be sent to `text`: as above, with dots anywhere in the local part.

    Carriers of Japan gave such addresses to many: `u..v@docomo.ne.jp`, `w.@…`.
    """
    fits = len(text) <= _MAX_ADDRESS_LENGTH and _RECIPIENT.fullmatch(text) is not None
    return fits and text.index("@") <= _MAX_LOCAL_PART_LENGTH


def quote_recipient(address: str) -> str:
    """A recipient as mail writes it: what is no dot-atom in quotes (RFC 5321 4.1.2)."""
    if is_email_address(address):
        return address
    local, _, domain = address.rpartition("@")
    return f'"{local}"@{domain}'


def check_email_message(message: Message) -> None:
    """Refuse what cannot go out as one e-mail to one address.

    Raises:
        NotSent: Never worth another try.
    """
    _check(message.channel == "email", "this sender carries e-mail only")
    _check(is_email_recipient(message.to), "the recipient is not one plain e-mail address")
    _check_message_id(message)


def check_sms_message(message: Message) -> None:
    """Refuse what cannot go out as one SMS to one number.

    Raises:
        NotSent: Never worth another try.
    """
    _check(message.channel == "sms", "this sender carries SMS only")
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
