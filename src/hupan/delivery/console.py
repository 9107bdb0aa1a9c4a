"""Sender that prints messages to the console, the default of `hupan serve`."""

import sys
from typing import Final, TextIO

from hupan.delivery.sender import Message, NotSent
from hupan.delivery.texts import DEFAULT_BRAND, render, require_brand
from hupan.localized import LocalizedText

_CHANNEL_LABELS: Final = {
    "sms": LocalizedText("短信", "SMS"),
    "email": LocalizedText("邮件", "e-mail"),
}
_PURPOSE_LABELS: Final = {
    "code": LocalizedText("验证码", "code"),
    "reset": LocalizedText("重设密码", "password reset"),
}


class ConsoleSender:
    """Prints each message as one readable line.

    Args:
        stream: where to print; None for the current standard output.
        brand: the signature of the notices.
        english: the language of the labels.
    """

    def __init__(
        self, stream: TextIO | None = None, brand: str = DEFAULT_BRAND, *, english: bool = False
    ) -> None:
        self._english = english
        self._stream = stream
        self._brand = require_brand(brand)

    async def send(self, message: Message) -> None:
        """Print the message.

        Raises:
            NotSent: the message has no text, or the stream cannot be written.
        """
        line = _format_line(message, self._brand, english=self._english)
        stream = sys.stdout if self._stream is None else self._stream
        try:
            stream.write(_escape_unencodable(line, stream) + "\n")
            stream.flush()
        except (OSError, ValueError):
            failure = NotSent("the console cannot be written", is_retryable=True)
        else:
            return
        # Outside the handler: the stream's error may quote the line, so it is not chained.
        raise failure

    async def close(self) -> None:
        """Do nothing: the stream belongs to the caller."""


def _format_line(message: Message, brand: str, *, english: bool) -> str:
    text = render(message, brand)
    channel = _CHANNEL_LABELS[message.channel].text(english)
    head = f"✉ {channel}  {_escape_unprintable(message.to)}  "
    label = _PURPOSE_LABELS.get(message.purpose)
    if label is None:
        return head + (text.subject or text.body)
    minutes = message.valid_minutes
    validity = f"valid {minutes} min" if english else f"{minutes} 分钟内有效"
    return f"{head}{label.text(english)} {message.code}  ({validity})"


def _escape_unprintable(text: str) -> str:
    """Escape what could move the cursor or start a new line (security L1)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _escape_unencodable(line: str, stream: TextIO) -> str:
    """Escape what the stream cannot encode: a terminal may not use UTF-8."""
    encoding = stream.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)
