"""Groups and bots read from rows that somebody wrote: a line of CSV, an object of JSON.

Columns have the names of the wire, so what a server answers can be read again. A number may come as
a number or as text, for CSV knows only text and wire.md 4 has headcounts as strings for bots.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hupan.domain.avatars import avatar_url
from hupan.domain.discovery import FEATURED_CATEGORY
from hupan.domain.refusals import InvalidField
from hupan.domain.text import in_normal_form, is_clean, visible_length
from hupan.model import Bot, Group

HIGHEST_NUMBER = 2**53 - 1
LATEST_TIME = 253_402_300_799
"""The end of the year 9999, the last that text times can show."""
MOST_NAME_CHARACTERS = 64
MOST_INTRODUCTION_CHARACTERS = 500
_DIGITS = re.compile("[0-9]{1,16}")

Row: TypeAlias = Mapping[str, object]
Read: TypeAlias = Callable[[object, str], Any]
"""From a value and the name of its column to what is kept; raises InvalidField."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an import.

    Attributes:
        default: what an absent or empty value counts as; None where there must be one.
        zh: what the value must be, for people.
        en: the same in English.
    """

    name: str
    read: Read
    default: object
    zh: str
    en: str


def number(lowest: int, highest: int) -> Read:
    """Reads whole numbers within bounds."""

    def read(value: object, column: str) -> int:
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise InvalidField(column)
        return value

    return read


def _name(value: object, column: str) -> str:
    name = in_normal_form(_text(value, column), column, most_characters=MOST_NAME_CHARACTERS)
    if not is_clean(name) or not 1 <= visible_length(name) <= MOST_NAME_CHARACTERS:
        raise InvalidField(column)
    return name


def _introduction(value: object, column: str) -> str:
    text = in_normal_form(
        _text(value, column), column, most_characters=MOST_INTRODUCTION_CHARACTERS
    )
    hidden = any(
        unicodedata.category(character) in ("Cc", "Cs") and character not in "\r\n\t"
        for character in text
    )
    if hidden or len(text) > MOST_INTRODUCTION_CHARACTERS:
        raise InvalidField(column)
    return text


def _avatar(value: object, column: str) -> str:
    text = _text(value, column)
    return avatar_url(text, column) if text else ""


def _category(value: object, column: str) -> str:
    return in_normal_form(_text(value, column), column, most_characters=MOST_NAME_CHARACTERS)


def _text(value: object, column: str) -> str:
    if not isinstance(value, str):
        raise InvalidField(column)
    return value


_COUNT_ZH, _COUNT_EN = "从 0 到 2^53-1 的整数", "a whole number from 0 to 2^53-1"
_FLAG_ZH, _FLAG_EN = "0 或 1", "0 or 1"
_NAME = ("1 到 64 个可见字符", "1 to 64 visible characters")
_INTRODUCTION = (
    "至多 500 个字符，不含控制字符",
    "at most 500 characters, no control characters",
)
_AVATAR = ("http 或 https 地址，至多 512 个字符", "an http(s) address of at most 512 characters")
_FLAG = number(0, 1)
_COUNT = number(0, HIGHEST_NUMBER)

GROUP_COLUMNS = (
    Column(
        "chatId", number(10**8, 10**9 - 1), None, "九位数字，首位不为 0", "nine digits, not 0 first"
    ),
    Column("banId", _COUNT, 0, _COUNT_ZH, _COUNT_EN),
    Column("nickname", _name, None, *_NAME),
    Column("introduction", _introduction, "", *_INTRODUCTION),
    Column("avatarUrl", _avatar, "", *_AVATAR),
    Column("headcount", _COUNT, 0, _COUNT_ZH, _COUNT_EN),
    Column("createTime", number(0, LATEST_TIME), 0, "Unix 秒", "unix seconds"),
    Column(
        "category",
        _category,
        "",
        "已设置的分区之一，精选除外（用 featured）",
        "one of the categories that are set, but not 精选 (that is what featured is for)",
    ),
    Column("featured", _FLAG, 0, _FLAG_ZH, _FLAG_EN),
)
"""In the order of the record."""

BOT_COLUMNS = (
    Column(
        "chatId",
        number(10**7, 10**8 - 1),
        None,
        "八位数字，首位不为 0",
        "eight digits, not 0 first",
    ),
    Column("nickname", _name, None, *_NAME),
    Column("introduction", _introduction, "", *_INTRODUCTION),
    Column("avatarUrl", _avatar, "", *_AVATAR),
    Column("headcount", _COUNT, 0, _COUNT_ZH, _COUNT_EN),
    Column("isAdd", _FLAG, 1, _FLAG_ZH, _FLAG_EN),
    Column("isApply", _FLAG, 0, _FLAG_ZH, _FLAG_EN),
    Column("alwaysAgree", _FLAG, 0, _FLAG_ZH, _FLAG_EN),
)
_OF_THE_WIRE = frozenset({"chatType", "introductions"})
"""Columns that a bot has on the wire and that say nothing."""


def group_of(row: Row, categories: Collection[str]) -> Group:
    """The group that a row describes.

    Raises:
        InvalidField: a value cannot be, or the row has a column that groups do not have.
    """
    group = Group(*_values(row, GROUP_COLUMNS, frozenset()))
    if group.category == FEATURED_CATEGORY or group.category not in ("", *categories):
        raise InvalidField("category")
    return group


def bot_of(row: Row) -> Bot:
    """The bot that a row describes.

    Raises:
        InvalidField: a value cannot be, or the row has a column that bots do not have.
    """
    return Bot(*_values(row, BOT_COLUMNS, _OF_THE_WIRE))


def _values(row: Row, columns: tuple[Column, ...], ignored: frozenset[str]) -> list[Any]:
    for name in row.keys() - {column.name for column in columns} - ignored:
        raise InvalidField(name)
    return [_value(row, column) for column in columns]


def _value(row: Row, column: Column) -> object:
    value = row.get(column.name, "")
    if value == "" and column.default is not None:
        return column.default
    return column.read(value, column.name)
