"""What is to be sent: one code or notice to one person."""

from dataclasses import dataclass
from typing import Literal

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
