"""Which answers of an SMS gateway are a success: many answer 200 to a wrong password too."""

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from hupan.delivery.options import require

CHARSETS: Final = ("auto", "utf-8", "gb18030", "gbk", "big5")
PATTERN_BODY_CHARACTERS: Final = 2000
"""A longer body matches no pattern: the time that a match may take grows with its square."""
_MAX_UNBOUNDED = 2
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_PLAIN_CHARSET = re.compile("ascii|utf-(?:8|16|32)|gb|big5|cp[0-9]|iso8859|euc|shift_jis|koi8")
_PATH = re.compile(r"(?:\$\.?)?([^.\[\]]+|\[[0-9]{1,4}\])(?:\.[^.\[\]]+|\[[0-9]{1,4}\])*")
_STEP = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")
_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[^:]?|[()]|[*+]|\{[0-9]*,?[0-9]*\}|.", re.DOTALL
)
_GROUP_END, _REPEATS, _CHOICES, _REFERENCES = ")", "*+{", "?|", "123456789g"
_MAX_CHOICES = 6


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """What the body of a 2xx answer must be; nothing is asked where nothing is given.

    Attributes:
        text: The whole body but for blanks around it.
        pattern: A regular expression for the whole body but for blanks around it.
        json_path: Where the value stands in a JSON body: `code`, `data.0.status`, `list[0].code`.
        json_value: The value there, as text: `0` is the number 0 and the text "0".
        charset: How the body is read; "auto" goes by Content-Type, else UTF-8, else GB18030.

    Raises:
        BadOption: Names the field that does not fit.
    """

    text: str = ""
    pattern: str = ""
    json_path: str = ""
    json_value: str = ""
    charset: str = "auto"

    def __post_init__(self) -> None:
        given = [bool(self.text), bool(self.pattern), bool(self.json_path)]
        require(
            sum(given) <= 1,
            "success_text" if self.text else "success_pattern",
            "success_text、success_pattern、success_json_path 三者至多一项",
            "at most one of success_text, success_pattern and success_json_path",
        )
        require(
            bool(self.json_path) == bool(self.json_value),
            "success_json_value" if self.json_path else "success_json_path",
            "success_json_path 与 success_json_value 同时设置",
            "success_json_path and success_json_value together",
        )
        require(self.charset in CHARSETS, "answer_charset", "已知的编码", "a known charset")
        require(
            not self.json_path or _PATH.fullmatch(self.json_path) is not None,
            "success_json_path",
            "JSON 中的位置，如 code、data.0.status、list[0].code",
            "a place in JSON such as code, data.0.status or list[0].code",
        )
        if self.pattern:
            _require_pattern(self.pattern)

    @property
    def wants_body(self) -> bool:
        """Whether the status alone does not settle it."""
        return bool(self.text or self.pattern or self.json_path)

    def accepts(self, body: str) -> bool:
        """Return whether a body, read by its charset, is that of a success."""
        trimmed = body.strip().removeprefix("\ufeff").strip()
        if self.text:
            return trimmed == self.text.strip()
        if self.pattern:
            return (
                len(trimmed) <= PATTERN_BODY_CHARACTERS
                and re.fullmatch(self.pattern, trimmed, re.DOTALL) is not None
            )
        if self.json_path:
            return self.json_value.strip() in _values_at(trimmed, self.json_path)
        return True

    def read(self, body: bytes, content_type: str) -> str:
        """Decode a body; what cannot be read is replaced, never raised."""
        if self.charset != "auto":
            return body.decode(_widened(self.charset), "replace")
        # A name that does not fit the bytes is a common mistake, and then no reading.
        if (found := _CHARSET.search(content_type)) and _is_plain_charset(found[1]):
            with suppress(ValueError):
                return body.decode(_widened(found[1]))
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return body.decode("gb18030", "replace")


def _is_plain_charset(name: str) -> bool:
    """Whether Python knows it and reads it in linear time: punycode would take it by the square."""
    try:
        return _PLAIN_CHARSET.match(codecs.lookup(name).name) is not None
    except (LookupError, ValueError):
        return False


def _widened(charset: str) -> str:
    """Read GB2312 and GBK as GB18030, which has all of their characters."""
    return "gb18030" if charset.lower() in {"gb2312", "gbk", "gb_2312-80", "cp936"} else charset


def _values_at(body: str, path: str) -> Iterator[str]:
    """Yield the value at a path as text; nothing where there is none, or no simple one."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return
    for index, key in _STEP.findall(path.removeprefix("$").removeprefix(".")):
        step = index or key
        if isinstance(value, dict) and not index:
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, bool | int | float):
        yield json.dumps(value)


def _require_pattern(pattern: str) -> None:
    """Take patterns whose match takes bounded time: nothing with a repeat is repeated."""
    try:
        re.compile(pattern, re.DOTALL)
        compiles = True
    except (re.error, OverflowError, RecursionError):
        compiles = False
    require(compiles, "success_pattern", "有效的正则表达式", "a regular expression that is valid")
    before, unbounded, choices = "", 0, 0
    for part in _TOKEN.findall(pattern):
        repeats = part[0] in _REPEATS and (len(part) > 1 or part[0] != "{")
        unbounded += repeats
        choices += part in _CHOICES
        is_special = part.startswith("(?") and part[2:] != ":"
        is_reference = part[0] == "\\" and part[1:] in _REFERENCES
        is_nested = repeats and before == _GROUP_END
        is_long = unbounded > _MAX_UNBOUNDED or choices > _MAX_CHOICES
        require(
            not (is_special or is_reference or is_nested or is_long),
            "success_pattern",
            f"简单的正则表达式：至多 {_MAX_UNBOUNDED} 处重复与 {_MAX_CHOICES} 处 ? 或 |，"
            "不重复括号，不用 (?…) 与反向引用",
            f"a plain regular expression: at most {_MAX_UNBOUNDED} repeats and {_MAX_CHOICES} of "
            "? and |, no repeat of a group, no (?…) and no reference back",
        )
        before = part
