"""What is told of values that cannot be used; a secret is never shown (security L3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from hupan.config.addresses import MASK, without_password
from hupan.config.wording import Wording

_MOST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class BadSetting:
    """One value that cannot be used.

    Attributes:
        name: the setting, or the name that no setting has.
        source: where the value came from.
        expected: what would have been right.
        shown: the value as it may be shown, "" where it may not or there is none.
    """

    name: str
    source: Wording
    expected: Wording
    shown: str = ""

    def __str__(self) -> str:
        """Two lines, Chinese and English."""
        zh_value, en_value = ("", "")
        if self.shown:
            zh_value, en_value = f"，其值为 {self.shown}", f", where it is {self.shown}"
        name = printable(self.name)
        return (
            f"{name}：应为 {self.expected.zh}；来自 {self.source.zh}{zh_value}\n"
            f"{name}: expected {self.expected.en}; from {self.source.en}{en_value}"
        )


class SettingsError(Exception):
    """The settings cannot be used; tells every problem at once."""

    def __init__(self, problems: Sequence[BadSetting]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class Unusable(ValueError):  # noqa: N818 - says that a value does not fit, as ValueError does
    """A value of the right form with which the server cannot start; its setting is named."""

    def __init__(self, name: str, expected: Wording) -> None:
        super().__init__(f"{name}: {expected.en}")
        self.name = name
        self.expected = expected


def printable(text: str) -> str:
    """The text on one line, with what a terminal would act on written as escapes.

    A name or a path that may hold a password is masked.
    """
    text = without_password(text)
    return text if text.isprintable() else ascii(text)


def shown(value: object, *, secret: bool) -> str:
    """A value as a message may show it: a mask for a secret, cut when it is long."""
    if secret:
        return MASK
    text = without_password(value if isinstance(value, str) else repr(value))
    text = text if text == MASK else repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
