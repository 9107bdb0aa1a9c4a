"""Operator's templates with `{placeholders}`, each value escaped for where it stands."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote

from hupan.delivery.options import refuse

Escape = Callable[[str], str]

_PLACEHOLDER = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")


def for_url(value: str) -> str:
    """Escape for a URL's path or query, and for a form's value."""
    return quote(value, safe="")


def for_json(value: str) -> str:
    """Escape for the inside of a JSON string; the result is ASCII."""
    return json.dumps(value)[1:-1]


def for_header(value: str) -> str:
    """Leave as it is: what may stand in a header is checked to be plain ASCII beforehand."""
    return value


@dataclass(frozen=True, slots=True)
class Template:
    """A text in which `{name}` stands for a value; all other braces are themselves.

    Attributes:
        field: The setting it comes from, for error messages.
        source: The text as the operator wrote it.
        names: The placeholders it may use.
        escape: Makes a value fit its surroundings.

    Raises:
        ValueError: A placeholder is unknown, or braces do not balance.
    """

    field: str
    source: str
    names: Collection[str]
    escape: Escape

    def __post_init__(self) -> None:
        for found in _PLACEHOLDER.finditer(self.source):
            if found[0][1:-1] not in self.names:
                known = ", ".join(f"{{{name}}}" for name in self.names)
                self._refuse(
                    f"已知的占位符（{known}），而非 {found[0]}",
                    f"unknown placeholder {found[0]}; known are {known}",
                )
        self._require_balance()

    def fill(self, values: Mapping[str, str]) -> str:
        """Put the values in, once: a value that looks like a placeholder stays as it is."""
        return _PLACEHOLDER.sub(lambda found: self.escape(values[found[1]]), self.source)

    def _require_balance(self) -> None:
        if "{{" in self.source:
            self._refuse(
                "两侧各一个花括号的占位符", '"{{" means nothing; a placeholder has one brace a side'
            )
        depth = 0
        for brace in re.findall(r"[{}]", self.source):
            depth += 1 if brace == "{" else -1
            if depth < 0:
                break
        if depth != 0:
            self._refuse("成对的花括号", f"unbalanced {'{' if depth > 0 else '}'}")

    def _refuse(self, zh: str, en: str) -> NoReturn:
        """Name the option; a header's name stands behind that of the headers."""
        field, _, part = self.field.partition(": ")
        refuse(field, f"{part} {zh}".strip(), f"{part}: {en}" if part else en)
