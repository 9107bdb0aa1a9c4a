"""Forms that a value can have: what is expected, and how it is read.

A value comes as TOML gave it, or as text from the environment or the command line.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from hupan.config.addresses import looks_like_address
from hupan.config.wording import Wording

T = TypeVar("T")
Word = TypeVar("Word", bound=str)

# Control characters would break log lines and headers; lone surrogates cannot be written at all.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DIGITS = re.compile("[0-9]{1,12}")
_FLAGS = {"true": True, "false": False}


class Unfit(ValueError):  # noqa: N818 - says that a value does not fit, as ValueError does
    """A value that does not fit; `expected` says more than the form does in general."""

    def __init__(self, expected: Wording) -> None:
        super().__init__(expected.en)
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """One form.

    Attributes:
        expected: completes the sentence "expected …".
        read: gives the value, or raises ValueError.
    """

    expected: Wording
    read: Callable[[object], T]


def as_text(raw: object) -> str:
    """The text that was given.

    Raises:
        ValueError: it is not text, or holds characters that no setting may hold.
    """
    if not isinstance(raw, str) or _UNFIT.search(raw):
        raise ValueError
    return raw


def whole(least: int, most: int) -> Form[int]:
    """A whole number within bounds, both included."""

    def read(raw: object) -> int:
        if isinstance(raw, str) and _DIGITS.fullmatch(raw):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw <= most:
            raise ValueError
        return raw

    return Form(
        Wording(f"{least} 到 {most} 的整数", f"a whole number from {least} to {most}"), read
    )


def text(least: int = 0, most: int = 255) -> Form[str]:
    """One line of text, its length in characters within bounds."""

    def read(raw: object) -> str:
        value = as_text(raw)
        if not least <= len(value) <= most:
            raise ValueError
        return value

    return Form(
        Wording(f"一行文本（{least} 到 {most} 字）", f"a line of {least} to {most} characters"),
        read,
    )


def printable(least: int, most: int) -> Form[str]:
    """One line of text that a person can read, so that it can stand in a message."""
    line = text(least, most)

    def read(raw: object) -> str:
        value = line.read(raw)
        if not value.strip() or not value.isprintable():
            raise ValueError
        return value

    return Form(
        Wording(
            f"一行可打印的文本（{least} 到 {most} 字）",
            f"a line of {least} to {most} printable characters",
        ),
        read,
    )


def one_of(*words: Word) -> Form[Word]:
    """One of a few words."""

    def read(raw: object) -> Word:
        for word in words:
            if word == raw:
                return word
        raise ValueError

    listed = " | ".join(words)
    return Form(Wording(f"{listed} 之一", f"one of {listed}"), read)


def matching(pattern: str, zh: str, en: str) -> Form[str]:
    """Text that a pattern describes from its first character to its last (security I7)."""
    compiled = re.compile(pattern)

    def read(raw: object) -> str:
        if not compiled.fullmatch(value := as_text(raw)):
            raise ValueError
        return value

    return Form(Wording(zh, en), read)


def lower(form: Form[str]) -> Form[str]:
    """The same form, where capitals mean the same as small letters."""
    return Form(form.expected, lambda raw: form.read(as_text(raw).lower()))


def or_empty(form: Form[str]) -> Form[str]:
    """The same form, where "" says that there is none."""
    expected = Wording(f"{form.expected.zh}，或留空", f"{form.expected.en}, or nothing")
    return Form(expected, lambda raw: "" if raw == "" else form.read(raw))


def _read_flag(raw: object) -> bool:
    value = _FLAGS.get(raw.lower()) if isinstance(raw, str) else raw
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 # one exception says "not of this form", whatever is wrong
    return value


def _read_lines(raw: object) -> str:
    if not isinstance(raw, str) or _UNFIT.search(raw.replace("\n", "").replace("\t", "")):
        raise ValueError
    return raw


def _read_path(raw: object) -> Path:
    value = as_text(str(raw) if isinstance(raw, Path) else raw)
    if not value:
        raise ValueError
    if looks_like_address(value) or value != value.strip():
        raise Unfit(
            Wording(
                "路径，首尾无空格；这像是服务器地址或连接串（若确为路径，请以 ./ 或 / 开头）",
                "a path without blanks around it; this looks like the address of a server (if it "
                "is a path, begin it with ./ or /)",
            )
        )
    return Path(value)


def _read_place(raw: object) -> str:
    return "" if raw == "" else str(_read_path(raw))


def _read_file(raw: object) -> str:
    place = _read_place(raw)
    try:
        is_file = not place or (Path(place).is_file() and os.access(place, os.R_OK))
    except OSError as error:  # a name that is too long, a directory that may not be searched
        raise ValueError from error
    if not is_file:
        raise ValueError
    return place


FLAG = Form(Wording("true 或 false", "true or false"), _read_flag)
LINES = Form(Wording("文本，可有多行", "text, of one line or more"), _read_lines)
PATH = Form(Wording("路径", "a path"), _read_path)
PLACE = Form(Wording("路径，或留空", "a path, or nothing"), _read_place)
FILE = Form(
    Wording("可读的文件的路径，或留空", "the path of a readable file, or nothing"), _read_file
)
