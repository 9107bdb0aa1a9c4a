"""Tells what looks like the address of a server from a path, and hides passwords in texts."""

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

MASK: Final = "••••"

_PATH_START = re.compile(r"/(?!/)|\.{1,2}/|~")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# `host=… password=…` of libpq, `Server=…;User Id=…` of others.
_KEYWORDS = re.compile(r"[^\W\d][\w ]*=")
# A command such as `psql -h … -W …` in the place of the address.
_OPTION = re.compile(r"(?:^|\s)--?[A-Za-z]")
_PASSWORD_WORD = re.compile(
    r"(?:pass(?:word|wd|phrase|file)?|pwd|secret|api_?key|token|credentials?)[\"' ]*[=:]",
    re.IGNORECASE,
)
_LOGIN = re.compile(r":.*@|//.*@", re.DOTALL)
_WEB = re.compile(r"https?://", re.IGNORECASE)


def looks_like_address(text: str) -> bool:
    """Return whether a text given as a path is more likely the address of a server.

    A path that only happens to look like one can be written with `./` or `/` before it.
    """
    value = _read_out(text).strip()
    if "://" in value or may_hold_password(value):
        return True
    if value.startswith(("//", "\\\\", ":")) or "?" in value:
        return True
    if _PATH_START.match(value):
        return False
    return "@" in value or bool(
        _SCHEME.match(value) or _KEYWORDS.match(value) or _OPTION.search(value)
    )


def may_hold_password(text: str) -> bool:
    """Return whether some part of a text may be a password (security X12)."""
    text = _read_out(text)
    if _LOGIN.search(text) or _PASSWORD_WORD.search(text):
        return True
    return "://" in text and not _WEB.search(text)


def without_password(text: str) -> str:
    """Return the text, or a mask for all of it where some part may be a password.

    Masking only the password would need to know where it ends, and a password with `/` or `@` in it
    ends elsewhere for each reader.
    """
    return MASK if may_hold_password(text) else text


def _read_out(text: str) -> str:
    """Return the text as a person means it: without escapes and full-width signs."""
    return unicodedata.normalize("NFKC", unquote(text))
