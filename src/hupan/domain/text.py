"""Rules for the text that people write (security U5, wire.md 4 edit-nickname)."""

import hashlib
import re
import unicodedata

from hupan.domain.refusals import InvalidField

MOST_NICKNAME_CHARACTERS = 32
MOST_MARKS_IN_A_ROW = 3
MOST_DEVICE_ID_CHARACTERS = 1024
MOST_KEPT_DEVICE_CHARACTERS = 128
MOST_BYTES_FOR_EACH_CHARACTER = 4
"""So a nickname of 32 characters has at most 128 bytes (security U5)."""

_ZWJ = "\u200d"
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Blank to the eye, though of a category that is not refused as a whole.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc"
    "\U0001d159\U000e0100-\U000e01ef]"
)
# The planes of emoji: what is in them may be younger than the tables of this Python.
_EMOJI_PLANE = "\U0001f000-\U0001faff"
_PICTURE = (
    f"©®\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2934\u2935"
    f"\u2b00-\u2bff\u3030\u303d\u3297\u3299{_EMOJI_PLANE}"
)
_YOUNG_EMOJI = re.compile(f"[{_EMOJI_PLANE}]")
# What is unseen by itself and has a place: within the flag of a region, behind what can be drawn
# as text or as a picture, between the parts of a picture, behind a Chinese character.
_FLAG_TAGS = re.compile("(?<=\U0001f3f4)[\U000e0020-\U000e007e]{1,8}\U000e007f")
_PICTURE_FORM = re.compile(f"(?<=[{_PICTURE}0-9#*])[\ufe0e\ufe0f]")
_PICTURE_JOINT = re.compile(f"(?<=[{_PICTURE}]){_ZWJ}(?=[{_PICTURE}])")
_GLYPH_FORM = re.compile("(?<=[\u3400-\u9fff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]")


def nickname(text: str, field: str) -> str:
    """A nickname in its normal form: NFC, trimmed, 1 to 32 visible characters, 128 bytes.

    Raises:
        InvalidField: it is empty, too long, or holds characters that hide or disturb.
    """
    name = line(text, field, most_characters=MOST_NICKNAME_CHARACTERS)
    if visible_length(name) == 0:
        raise InvalidField(field)
    return name


def line(text: str, field: str, *, most_characters: int) -> str:
    """One line in its normal form, NFC and trimmed; it may be empty.

    Raises:
        InvalidField: it is too long, or holds characters that hide or disturb.
    """
    normal = unicodedata.normalize("NFC", text).strip()
    if not is_clean(normal) or _is_too_long(normal, most_characters):
        raise InvalidField(field)
    return normal


def paragraph(text: str, field: str, *, most_characters: int) -> str:
    r"""Lines with `\n` between, in their normal form, NFC and trimmed; they may be empty.

    Raises:
        InvalidField: it is too long, or holds characters that hide or disturb.
    """
    unbroken = text.replace("\r\n", "\n").replace("\r", "\n")
    normal = unicodedata.normalize("NFC", unbroken).strip()
    if not all(map(is_clean, normal.split("\n"))) or _is_too_long(normal, most_characters):
        raise InvalidField(field)
    return normal


def device_text(text: str, field: str) -> str:
    """What a client says of its device: opaque, but without characters that a log cannot show.

    Raises:
        InvalidField: it holds control characters or halves of characters.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InvalidField(field)
    return text


def device_id(text: str, field: str) -> str:
    """A device id as it is kept and shown: up to 128 characters as it came, else as its hash.

    What is shown is itself an id of the device, so a client may send that back.

    Raises:
        InvalidField: it is beyond 1,024 characters, or holds what `device_text` refuses.
    """
    if len(text) > MOST_DEVICE_ID_CHARACTERS:
        raise InvalidField(field)
    opaque = device_text(text, field)
    return hashed_device_id(opaque) if len(opaque) > MOST_KEPT_DEVICE_CHARACTERS else opaque


def hashed_device_id(long_id: str) -> str:
    """What stands for an id that is too long to be kept."""
    return f"sha256:{hashlib.sha256(long_id.encode()).hexdigest()}"


def platform(text: str, field: str) -> str:
    """What a device runs on: its first 128 characters.

    Raises:
        InvalidField: it holds what `device_text` refuses.
    """
    return device_text(text[:MOST_KEPT_DEVICE_CHARACTERS], field)


def is_clean(text: str) -> bool:
    """Whether a text is free of control, bidi, private and unseen characters and piled-up marks.

    What joins the parts of an emoji may stand within one; a mark needs a character before it.
    """
    bare = _without_joints(text)
    if _UNSEEN.search(bare) or any(map(_is_refused, bare)):
        return False
    return not _is_mark(bare[:1]) and _marks_in_a_row(bare) <= MOST_MARKS_IN_A_ROW


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


def _without_joints(text: str) -> str:
    """The text without the unseen characters that have a place where they stand."""
    for joint in (_FLAG_TAGS, _PICTURE_FORM, _PICTURE_JOINT, _GLYPH_FORM):
        text = joint.sub("", text)
    return text


def _is_refused(character: str) -> bool:
    if unicodedata.category(character) not in _REFUSED_CATEGORIES:
        return False
    return not _YOUNG_EMOJI.fullmatch(character)


def _is_too_long(text: str, most_characters: int) -> bool:
    most_bytes = most_characters * MOST_BYTES_FOR_EACH_CHARACTER
    return visible_length(text) > most_characters or len(text.encode()) > most_bytes


def _extends(character: str) -> bool:
    """Whether a character is drawn together with the one before."""
    return (
        character == _ZWJ
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags of regional flags
    )


def _is_mark(character: str) -> bool:
    return character != "" and unicodedata.category(character) in ("Mn", "Me", "Mc")


def _marks_in_a_row(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        longest = max(longest, run)
    return longest
