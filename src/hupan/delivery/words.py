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
_JSON_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_GAP = r"[\s.\-_/()]{0,2}"
# What may be a number, an address, a link with a key in it, a key, or a code of another message.
_PRIVATE = re.compile(
    rf"\d(?:{_GAP}\d){{6,}}"
    r"|[^\s@'\"<>]+@[^\s@'\"<>]+"
    r"|[A-Za-z][A-Za-z0-9+.-]*://\S+"
    r"|[A-Za-z0-9+/=_-]*(?:[A-Za-z][A-Za-z+/=_-]*[0-9]|[0-9][+/=_-]*[A-Za-z])[A-Za-z0-9+/=_-]{14,}"
)
_SIX_DIGITS = re.compile(rf"(?<!\d)\d(?:{_GAP}\d){{5}}(?!\d)")


def words_of(text: str, hidden: Iterable[str]) -> str:
    """Return what was said on one line, bounded, with everything private masked (security L1).

    Args:
        text: The words of a gateway or a mail server; anything may stand there.
        hidden: The target, the code and the secrets of the settings, which it may repeat.
    """
    told = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text[:_READ_CHARACTERS])
    told = unicodedata.normalize("NFKC", unescape(unquote(told)))
    told = "".join(one if one.isprintable() else " " for one in told)
    told = " ".join(told.split())
    for secret in sorted({form for one in hidden for form in _forms(one)}, key=len, reverse=True):
        told = re.sub(secret, _HIDDEN, told, flags=re.IGNORECASE)
    told = _SIX_DIGITS.sub(_HIDDEN, _PRIVATE.sub(_HIDDEN, told))
    return told if len(told) <= MAX_CHARACTERS else f"{told[:MAX_CHARACTERS]}…"


def _forms(secret: str) -> Iterable[str]:
    """Yield patterns of the ways in which a secret may be repeated."""
    plain = " ".join(unicodedata.normalize("NFKC", secret).split())
    if len(plain) < _LEAST_SECRET:
        return
    if plain.removeprefix("+").isdigit():
        yield _GAP.join(plain.removeprefix("+").removeprefix("86"))
        return
    yield re.escape(plain)
    yield re.escape(b64encode(secret.encode(errors="replace")).decode().rstrip("="))
