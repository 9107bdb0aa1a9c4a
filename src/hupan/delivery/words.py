"""What a gateway or a mail server said, fit for a log: short, plain, nothing private in it."""

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable
from html import unescape
from typing import Final
from urllib.parse import unquote

MAX_CHARACTERS: Final = 200
_READ_CHARACTERS = 2000
_HIDDEN = "***"
_LEAST_SECRET = 4
_ROUNDS = 3
"""How often what may be escaped is read out: a gateway may quote an answer that quotes another."""
_ESCAPE = re.compile(r"(?:\\+|%)u([0-9a-fA-F]{4})|\\+x([0-9a-fA-F]{2})")
_GAP = r"[\s.\-_/()]{0,2}"
_WIDE_GAP = r"(?:<[^<>]{0,16}>|[\W_]){0,4}"
"""What may stand between the digits of a number or a code that is known."""
# What may be a number, an address, a link with a key in it, or a code of another message. No match
# may begin within another's run, else a long run would take time by its square.
_PRIVATE = re.compile(
    rf"(?<!\d)\d(?:{_GAP}\d){{6,}}"
    r"|(?<![^\s@'\"<>])[^\s@'\"<>]+@[^\s@'\"<>]+"
    r"|(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]+://\S+"
)
_SIX_DIGITS = re.compile(rf"(?<!\d)\d(?:{_GAP}\d){{5}}(?!\d)")
# A key, where letters and digits are mixed.
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_LETTER, _DIGIT = re.compile("[A-Za-z]"), re.compile("[0-9]")


def words_of(text: str, hidden: Iterable[str]) -> str:
    """Return what was said on one line, bounded, with everything private masked (security L1).

    Args:
        text: The words of a gateway or a mail server; anything may stand there.
        hidden: The target, the code and the secrets of the settings, which it may repeat.
    """
    told = _read_out(text[:_READ_CHARACTERS])
    told = "".join(one if one.isprintable() else " " for one in told)
    told = " ".join(told.split())
    for secret in sorted({form for one in hidden for form in _forms(one)}, key=len, reverse=True):
        told = re.sub(secret, _HIDDEN, told, flags=re.IGNORECASE)
    told = _SIX_DIGITS.sub(_HIDDEN, _LONG_WORD.sub(_key_hidden, _PRIVATE.sub(_HIDDEN, told)))
    return told if len(told) <= MAX_CHARACTERS else f"{told[:MAX_CHARACTERS]}…"


def _read_out(text: str) -> str:
    """Return a text without escapes, full-width signs and marks on digits."""
    for _ in range(_ROUNDS):
        before = text
        text = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
        text = unescape(unquote(text))
        if text == before:
            break
    # Without marks first: to order a long run of them takes time by its square.
    text = unicodedata.normalize("NFKC", _without_marks(text))[:_READ_CHARACTERS]
    return _without_marks(text)


def _without_marks(text: str) -> str:
    return "".join(one for one in text if unicodedata.category(one) not in {"Mn", "Me"})


def _key_hidden(found: re.Match[str]) -> str:
    word = found[0]
    return _HIDDEN if _LETTER.search(word) and _DIGIT.search(word) else word


def _forms(secret: str) -> Iterable[str]:
    """Yield patterns of the ways in which a secret may be repeated."""
    plain = " ".join(unicodedata.normalize("NFKC", secret).split())
    if len(plain) < _LEAST_SECRET:
        return
    if plain.removeprefix("+").isdigit():
        yield _WIDE_GAP.join(plain.removeprefix("+").removeprefix("86"))
        yield re.escape(b64encode(plain.encode()).decode().rstrip("="))
        return
    yield re.escape(plain)
    yield re.escape(b64encode(secret.encode(errors="replace")).decode().rstrip("="))
