"""Rules for the text that people write (security U5, wire.md 4 edit-nickname)."""

import re
import unicodedata
from itertools import pairwise

from hupan.domain.refusals import InvalidField

MOST_NICKNAME_CHARACTERS = 32
MOST_NICKNAME_BYTES = 128
MOST_MARKS_IN_A_ROW = 3

_ZWJ = "\u200d"
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
# Characters of the category Cf, or blank to the eye, that hide in a text without being seen.
_UNSEEN = re.compile(
    "[\u00ad\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u2060-\u2064\u3164\ufeff\uffa0]"
)


def nickname(text: str, field: str) -> str:
    """A nickname in its normal form: NFC, trimmed, 1 to 32 visible characters, 128 bytes.

    Raises:
        InvalidField: it is empty, too long, or holds characters that hide or disturb.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not is_clean(name) or not 1 <= visible_length(name) <= MOST_NICKNAME_CHARACTERS:
        raise InvalidField(field)
    if len(name.encode()) > MOST_NICKNAME_BYTES:
        raise InvalidField(field)
    return name


def device_text(text: str, field: str) -> str:
    """A device id or platform: opaque, but without characters that a log could not show.

    Raises:
        InvalidField: it holds control characters or halves of characters.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InvalidField(field)
    return text


def is_clean(text: str) -> bool:
    """Whether a text is free of control, bidi, private and unseen characters and piled-up marks.

    A zero-width joiner may stand only between two characters of an emoji.
    """
    if _BIDI.search(text) or _UNSEEN.search(text):
        return False
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in text):
        return False
    return _joiners_join(text) and _marks_in_a_row(text) <= MOST_MARKS_IN_A_ROW


def visible_length(text: str) -> int:
    """About the number of characters a person sees: marks and joined parts count with their base.

    Blanks alone count as nothing.
    """
    if not text.strip():
        return 0
    seen, joined = 0, False
    for character in text:
        if _extends(character):
            joined = joined or character == _ZWJ
        else:
            seen, joined = seen + (not joined), False
    return seen


def _extends(character: str) -> bool:
    """Whether a character is drawn together with the one before."""
    return (
        character == _ZWJ
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags of regional flags
    )


def _joiners_join(text: str) -> bool:
    pieces = text.split(_ZWJ)
    return all(
        left != ""
        and right != ""
        and _is_emoji_end(left)
        and unicodedata.category(right[0]) == "So"
        for left, right in pairwise(pieces)
    )


def _is_emoji_end(left: str) -> bool:
    """Whether a text ends with an emoji, perhaps with a skin tone or a variation selector."""
    base = left.rstrip("\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
    return base != "" and unicodedata.category(base[-1]) == "So"


def _marks_in_a_row(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        longest = max(longest, run)
    return longest
