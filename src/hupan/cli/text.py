"""Measures and wraps text by terminal cells: a Chinese character takes two."""

import re
import unicodedata

_WIDE = {"W", "F"}
_ZERO_WIDTH = {"Mn", "Me", "Cf"}
# A line may end after a blank and between wide characters, but not before closing punctuation
# nor after an opening one.
_CHUNK = re.compile(
    r"[（《「『“‘]*(?:[^\s\u1100-\U0010ffff]+|[\u1100-\U0010ffff])[，。、；：！？）》」』”’…]*\s*|\s+"
)


def cell_width(text: str) -> int:
    """Return the number of cells that a text takes in a line."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.east_asian_width(character) in _WIDE:
        return 2
    return 0 if unicodedata.category(character) in _ZERO_WIDTH else 1


def pad_cells(text: str, width: int) -> str:
    """Return the text with blanks up to a number of cells."""
    return text + " " * (width - cell_width(text))


def wrap_cells(text: str, width: int) -> list[str]:
    """Return the lines of a text, none wider than `width` cells; nothing is left out."""
    return [line for paragraph in text.split("\n") for line in _wrap_line(paragraph, width)]


def _wrap_line(text: str, width: int) -> list[str]:
    lines, line = [], ""
    for chunk in _CHUNK.findall(text):
        if cell_width(line + chunk.rstrip()) <= width:
            line += chunk
            continue
        if line.strip():
            lines.append(line.rstrip())
        rest = chunk.lstrip()
        while cell_width(rest.rstrip()) > width:
            head = _cut(rest, width)
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _cut(text: str, width: int) -> str:
    """Return the beginning of a word that is wider than a line."""
    used = 0
    for index, character in enumerate(text):
        used += _character_width(character)
        if used > width and index:
            return text[:index]
    return text
