"""The language of the terminal, Chinese or English, and the width of its text in cells.

Every line is in one language. It is known before the first help text is made, so a module of
commands may call `say` while it is imported. Log lines are always English.
"""

import itertools
import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from hupan.localized import LocalizedText

LANGUAGE_VARIABLE = "HUPAN_LANG"
LANGUAGE_OPTION = "--lang"
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_NEUTRAL_LOCALES = {"", "c", "posix"}
# Big5 lacks the simplified characters.
_CHINESE_ENCODINGS = ("utf", "gb", "cp936", "hz", "iso2022_cn")


def choose_english(arguments: Sequence[str], environ: Mapping[str, str], encoding: str) -> bool:
    """Return whether the language of the terminal is English.

    Args:
        arguments: the command line after the program's name.
        environ: the environment; the first variable that names a language decides.
        encoding: that of standard output, "" if it is closed. A locale is Chinese only where
            the stream can show it, and no locale is Chinese only there.
    """
    can_show_chinese = encoding.lower().startswith(_CHINESE_ENCODINGS)
    first, option, *_ = (*move_option_first(arguments), "", "")
    for name in (option if first == LANGUAGE_OPTION else "", environ.get(LANGUAGE_VARIABLE, "")):
        if language := _language_of(name):
            return not language.startswith("zh")
    for variable in _LOCALE_VARIABLES:
        if language := _language_of(environ.get(variable, "")):
            return not (language.startswith("zh") and (can_show_chinese or not encoding))
    return not can_show_chinese


def _language_of(name: str) -> str:
    """Return the language of a locale's name; "" if it names none."""
    language = name.partition(".")[0].partition("@")[0].strip().lower()
    return "" if language in _NEUTRAL_LOCALES else language


def move_option_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `--lang` and its value before the command.

    The last one counts. What follows `--` belongs to another program.
    """
    own, separator, foreign = list(arguments), [], []
    if "--" in own:
        index = own.index("--")
        own, separator, foreign = own[:index], own[index : index + 1], own[index + 1 :]
    option: list[str] = []
    rest: list[str] = []
    words = iter(own)
    for word in words:
        name, equals, value = word.partition("=")
        if name != LANGUAGE_OPTION:
            rest.append(word)
        elif equals:
            option = [LANGUAGE_OPTION, value]
        else:
            option = [LANGUAGE_OPTION, *itertools.islice(words, 1)]
    return [*option, *rest, *separator, *foreign]


ENGLISH: Final = choose_english(
    sys.argv[1:], os.environ, getattr(sys.stdout, "encoding", None) or ""
)
"""Whether this process prints English on the terminal."""


def say(zh: str, en: str) -> str:
    """Return the text in the language of the terminal."""
    return en if ENGLISH else zh


def say_text(text: LocalizedText) -> str:
    """Return a text of a lower layer in the language of the terminal."""
    return text.text(ENGLISH)


_WIDE = {"W", "F"}
_ZERO_WIDTH = {"Mn", "Me", "Cf"}
# A line may end after a blank and between wide characters, but not before closing punctuation
# nor after an opening one.
_CHUNK = re.compile(
    r"[（《「『“‘]*(?:[^\s\u1100-\U0010ffff]+|[\u1100-\U0010ffff])[，。、；：！？）》」』”’…]*\s*|\s+"
)


def cell_width(text: str) -> int:
    """Return the number of cells that a text occupies in a line."""
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
