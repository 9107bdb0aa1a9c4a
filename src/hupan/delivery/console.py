"""Sender that prints messages to the console, the default of `hupan serve`."""

import sys
from typing import Final, TextIO

from hupan.delivery.sender import Message, NotSent
from hupan.delivery.texts import DEFAULT_BRAND, render, require_brand

_CHANNEL_LABELS: Final = {"sms": "短信 SMS", "email": "邮件 e-mail"}
_PURPOSE_LABELS: Final = {"code": "验证码 code", "reset": "重设密码 reset"}


class ConsoleSender:
    """Prints each message as one line a person can read.

    Args:
        stream: Where to print; None for the standard output of the moment.
        brand: The signature of the notices.
    """

    def __init__(self, stream: TextIO | None = None, brand: str = DEFAULT_BRAND) -> None:
        self._stream = stream
        self._brand = require_brand(brand)

    async def send(self, message: Message) -> None:
        """Print the message.

        Raises:
            NotSent: It has no text, or the stream cannot be written.
        """
        line = _format_line(message, self._brand)
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
        """Leave the stream open: it belongs to whoever gave it."""


def _format_line(message: Message, brand: str) -> str:
    text = render(message, brand)
    head = f"✉ {_CHANNEL_LABELS[message.channel]}  {_escape_unprintable(message.to)}  "
    label = _PURPOSE_LABELS.get(message.purpose)
    if label is None:
        return head + (text.subject or text.body)
    validity = f"{message.valid_minutes} 分钟内有效 valid {message.valid_minutes} min"
    return f"{head}{label} {message.code}  ({validity})"


def _escape_unprintable(text: str) -> str:
    """Escape what could move the cursor or start a new line (security L1)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _escape_unencodable(line: str, stream: TextIO) -> str:
    """Escape what the stream's encoding lacks: a terminal may not be UTF-8."""
    encoding = stream.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)
