"""What a test gets in hand: captchas, messages, accounts."""

import string
from dataclasses import dataclass


@dataclass(frozen=True)
class Captcha:
    """A captcha as the client sees it, and its answer from the sandbox's outbox."""

    id: str
    picture_url: str
    answer: str

    @property
    def wrong(self) -> str:
        """An answer of the right length whose first character is wrong."""
        alphabet = string.digits if self.answer[0].isdigit() else string.ascii_letters
        next_one = alphabet[(alphabet.index(self.answer[0]) + 1) % len(alphabet)]
        return next_one + self.answer[1:]


@dataclass(frozen=True)
class Letter:
    """A message of the sandbox's outbox."""

    id: str
    channel: str
    to: str
    code: str
    text: str


@dataclass(frozen=True)
class Account:
    """What the sandbox's door says of an account that it made."""

    id: str
    token: str
