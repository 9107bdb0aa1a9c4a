"""Passwords that follow a pattern so common that no list needs to hold them (security P3).

Dates, mobile numbers, rows of keys, runs of the alphabet, one piece over and over, and the numbers
that sound like words in Chinese (520, 1314).
"""

import re

_YEAR = r"(?:19[4-9][0-9]|20[0-3][0-9])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_DATE = re.compile(rf"{_YEAR}(?:{_MONTH}{_DAY})?")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")

_ROWS = (
    *("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "!@#$%^&*()_+"),
    *("1qaz2wsx3edc4rfv5tgb6yhn7ujm", "qazwsxedcrfvtgbyhnujm", "741852963", "147258369"),
    *("abcdefghijklmnopqrstuvwxyz", "01234567890123456789"),
)
_PIECE_LENGTHS = (3, 4, 5)
"""Each longer walk is made of walks of these lengths."""
_SOUNDS = frozenset({"520", "521", "1314", "168", "518", *(figure * 3 for figure in "0123456789")})
_WALKS = _SOUNDS | {
    line[start : start + length]
    for row in _ROWS
    for line in (row, row[::-1])
    for length in _PIECE_LENGTHS
    for start in range(len(line) - length + 1)
}
_LONGEST_REPEATED = 4
_FEWEST_DIFFERENT = 3


def is_pattern(text: str) -> bool:
    """Whether a text in lower case is nothing but a pattern."""
    return (
        _is_number_people_have(text)
        or len(set(text)) < _FEWEST_DIFFERENT
        or len(repeated_piece(text)) <= min(_LONGEST_REPEATED, len(text) - 1)
        or _is_made_of_walks(text)
    )


def _is_number_people_have(text: str) -> bool:
    """Whether a text is a year or a date, or has the form of a mobile number."""
    return bool(_DATE.fullmatch(text) or _MOBILE.fullmatch(text))


def repeated_piece(text: str) -> str:
    """The shortest piece that a text is made of by repeating it; the text itself when of none."""
    return text[: (text + text).index(text, 1)]


def _is_made_of_walks(text: str) -> bool:
    """Whether a text falls into walks over the keyboard, runs and numbers that sound like words."""
    reached = {0}
    for start in range(len(text)):
        if start in reached:
            ends = (start + length for length in _PIECE_LENGTHS)
            reached.update(end for end in ends if text[start:end] in _WALKS)
    return len(text) in reached
