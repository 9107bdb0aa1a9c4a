"""Validation and normalization of user-written text (security U5, X2; wire.md 4)."""

import re
import unicodedata

from hupan.errors import InvalidField

MAX_NICKNAME_CHARACTERS = 32
MAX_CONSECUTIVE_MARKS = 3
MAX_CONSECUTIVE_TALL_MARKS = 4
MAX_BYTES_PER_CHARACTER = 4
"""The maximum, so that a nickname of 32 characters has at most 128 bytes (security U5)."""
MAX_RAW_BYTES_PER_CHARACTER = 12
"""Decomposed text has at most three times the bytes of its normal form (é, 각, ᾂ)."""
MAX_CONSECUTIVE_RAW_MARKS = 8
"""A character combines with up to three marks; sorting a run costs its length squared (X2)."""

_ZWJ = "\u200d"
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARK_CATEGORIES = frozenset({"Mn", "Me", "Mc"})
# Visible ASCII, spaces and Chinese characters: text of these alone is clean, normalized, and as
# long as it looks. Most texts are, and checking each character takes ten times as long.
PLAIN_TEXT = re.compile("[ -~\u3400-\u4dbf\u4e00-\u9fff]*")
# Invisible, though not all of their category is forbidden.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc"
    "\U0001d159\U000e0100-\U000e01ef]"
)
_EMOJI_PLANE = "\U0001f000-\U0001faff"
# Python versions have different versions of Unicode. Emoji and ideographs (Chinese in planes 2 and
# 3, Tangut, Khitan, Nushu) are accepted even if unassigned, so that all nodes of a store decide
# alike; NFC changes none of them.
_RECENT_CODE_POINTS = re.compile(
    f"[{_EMOJI_PLANE}\U00017000-\U00018dff\U0001b170-\U0001b2ff"
    "\U00020000-\U0002fffd\U00030000-\U0003fffd]"
)
_EMOJI = (
    f"©®\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2934\u2935"
    f"\u2b00-\u2bff\u3030\u303d\u3297\u3299{_EMOJI_PLANE}"
)
# Letters and marks of scripts whose spelling needs joiners and non-joiners: Arabic (Persian, Urdu),
# Syriac, N'Ko, Mandaic, those of India and Sri Lanka, Burmese, Khmer, Mongolian, Adlam, Rohingya.
_JOINER_SCRIPTS = (
    "\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u06ff\u0710-\u077f\u07ca-\u07f5\u0840-\u085b"
    "\u0860-\u086a\u0870-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17d3\u1820-\u18aa\ua8e0-\ua8ff"
    "\uaa60-\uaa7f\U00010d00-\U00010d27\U0001e900-\U0001e94b"
)
_VIRAMA = (
    "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u1039\u103a\u17d2"
)
_SCRIPT_JOINER = (
    f"(?<=[{_VIRAMA}])[\u200c\u200d]|(?<=[{_JOINER_SCRIPTS}])[\u200c\u200d](?=[{_JOINER_SCRIPTS}])"
)
_SCRIPT_JOINERS = re.compile(_SCRIPT_JOINER)
# Invisible characters where they belong: within the flag of a region, after what can be drawn as
# text or emoji, between the parts of an emoji, after a Chinese character, and where a script needs
# them for spelling.
_ALLOWED_INVISIBLE = "|".join(
    (
        "(?<=\U0001f3f4)[\U000e0020-\U000e007e]{1,8}\U000e007f",
        f"(?<=[{_EMOJI}0-9#*])[\ufe0e\ufe0f]",
        f"(?<=[{_EMOJI}]){_ZWJ}(?=[{_EMOJI}])",
        f"(?<=[{_EMOJI}][\ufe0e\ufe0f]){_ZWJ}(?=[{_EMOJI}])",
        "(?<=[\u3400-\u9fff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]",
        _SCRIPT_JOINER,
    )
)
_ALLOWED_INVISIBLES = re.compile(_ALLOWED_INVISIBLE)
# Invisible characters that come with pasted text: removed from paragraphs.
_PASTED_INVISIBLES = re.compile(
    f"({_ALLOWED_INVISIBLE})|[\t\u00ad\u061c\u180e\u200b-\u200f\u2060\ufe0e\ufe0f\ufeff]"
)
# Marks of scripts that stack more of them than others: Hebrew, Tibetan, Burmese, Tai Tham.
_TALL_SCRIPT_MARK = re.compile(
    "[\u0591-\u05c7\u0f18-\u0fc6\u102b-\u109d\u1a55-\u1a7f\ua9e5\uaa7b-\uaa7d]"
)


def parse_nickname(text: str, field: str) -> str:
    """Normalize a nickname or the name of a medal: NFC, trimmed, 1 to 32 visible characters.

    It has at most 128 bytes.

    Raises:
        InvalidField: it is empty, too long, or contains forbidden characters.
    """
    name = parse_line(text, field, max_characters=MAX_NICKNAME_CHARACTERS)
    if visible_length(name) == 0:
        raise InvalidField(field)
    return name


def parse_line(text: str, field: str, *, max_characters: int) -> str:
    """Normalize one line: NFC, trimmed; it may be empty.

    Raises:
        InvalidField: it is too long, or contains forbidden characters.
    """
    normal = normalize(text, field, max_characters=max_characters)
    if _is_too_long(normal, max_characters) or not is_clean(normal):
        raise InvalidField(field)
    return normal


def parse_paragraph(text: str, field: str, *, max_characters: int) -> str:
    r"""Normalize lines separated by `\n`: NFC, trimmed; they may be empty.

    Tabs, zero-width characters and direction marks often come with pasted text; they are removed
    unless they belong where they are.

    Raises:
        InvalidField: it is too long, or contains forbidden characters.
    """
    check_size(text, field, max_characters=max_characters)
    if not PLAIN_TEXT.fullmatch(text):
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        text = _PASTED_INVISIBLES.sub(r"\1", text)
    normal = normalize(text, field, max_characters=max_characters)
    if _is_too_long(normal, max_characters) or not all(map(is_clean, normal.split("\n"))):
        raise InvalidField(field)
    return normal


def parse_short_line(text: str, field: str, *, min_characters: int = 0, max_characters: int) -> str:
    """Normalize one line as `parse_line` does, but count code points.

    Raises:
        InvalidField: it is too short, too long, or contains forbidden characters.
    """
    line = normalize(text, field, max_characters=max_characters)
    if not min_characters <= len(line) <= max_characters or not is_clean(line):
        raise InvalidField(field)
    return line


def normalize(text: str, field: str, *, max_characters: int) -> str:
    """Return a text in NFC and trimmed; see `normalize_nfc`.

    Raises:
        InvalidField: it is too long for any text of `max_characters`.
    """
    return normalize_nfc(text.strip(), field, max_characters=max_characters).strip()


def normalize_nfc(text: str, field: str, *, max_characters: int) -> str:
    """Return a text in NFC; its size and runs of marks are checked first (security X2).

    Raises:
        InvalidField: it is too long for any text of `max_characters`.
    """
    check_size(text, field, max_characters=max_characters)
    if PLAIN_TEXT.fullmatch(text):
        return text
    if has_excessive_marks(text):
        raise InvalidField(field)
    return unicodedata.normalize("NFC", text)


def check_size(text: str, field: str, *, max_characters: int) -> None:
    """Reject a text whose normal form cannot be short enough (security X2).

    Raises:
        InvalidField: it is too long.
    """
    max_bytes = max_characters * MAX_RAW_BYTES_PER_CHARACTER
    if len(text) > max_bytes or _size_bytes(text) > max_bytes:
        raise InvalidField(field)


def has_excessive_marks(text: str) -> bool:
    """Return whether a text has more marks in a row than any script: slow to normalize."""
    run = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in _MARK_CATEGORIES:
            run += 1
            if run > MAX_CONSECUTIVE_RAW_MARKS:
                return True
        else:
            run = 0
    return False


def is_clean(text: str) -> bool:
    """Return whether a text has no control, bidi, private or invisible characters or stacked marks.

    Joiners within an emoji or a word are allowed; a mark must follow a character.
    """
    if PLAIN_TEXT.fullmatch(text):
        return True
    bare = _ALLOWED_INVISIBLES.sub("", text)
    if _INVISIBLE.search(bare) or any(map(_is_forbidden, bare)):
        return False
    return not _is_mark(bare[:1]) and not _has_stacked_marks(bare)


def visible_length(text: str) -> int:
    """Approximate the number of characters a person sees; marks and joined parts are not counted.

    Whitespace alone counts as nothing.
    """
    if not text.strip():
        return 0
    if PLAIN_TEXT.fullmatch(text):
        return len(text)
    count, joined = 0, False
    for character in _SCRIPT_JOINERS.sub("", text):
        if _extends(character):
            joined = joined or character == _ZWJ
        else:
            count, joined = count + (not joined), False
    return count


def _is_forbidden(character: str) -> bool:
    if unicodedata.category(character) not in _FORBIDDEN_CATEGORIES:
        return False
    return not _RECENT_CODE_POINTS.fullmatch(character)


def _is_too_long(text: str, max_characters: int) -> bool:
    max_bytes = max_characters * MAX_BYTES_PER_CHARACTER
    return _size_bytes(text) > max_bytes or visible_length(text) > max_characters


def _size_bytes(text: str) -> int:
    # Surrogates count here and are rejected later, by their category.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _extends(character: str) -> bool:
    return (
        character == _ZWJ
        or unicodedata.category(character) in _MARK_CATEGORIES
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags of regional flags
    )


def _is_mark(character: str) -> bool:
    return character != "" and unicodedata.category(character) in _MARK_CATEGORIES


def _has_stacked_marks(text: str) -> bool:
    run, is_tall = 0, True
    for character in text:
        if unicodedata.category(character) not in ("Mn", "Me"):
            run, is_tall = 0, True
            continue
        run += 1
        is_tall = is_tall and _TALL_SCRIPT_MARK.fullmatch(character) is not None
        if run > (MAX_CONSECUTIVE_TALL_MARKS if is_tall else MAX_CONSECUTIVE_MARKS):
            return True
    return False
