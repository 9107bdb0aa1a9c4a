"""How a line of the table is written, and how it is read back."""

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field
from typing import TypeVar

from hupan.config.forms import FLAG, Form
from hupan.config.wording import Wording

T = TypeVar("T")
_LINE = "line"


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says beside name, type and default.

    Attributes:
        section: title of the part of the table in which it stands.
        expected: completes the sentence "expected …".
        read: reads a value that was given, or raises ValueError.
        secret: whether the value is masked wherever it is shown, never taken from the command
            line, and may come from a file named by the twin `<name>_file` (security L3).
    """

    section: Wording
    expected: Wording
    read: Callable[[object], object]
    secret: bool


class Section:
    """Writes the lines of one part: `port: int = NETWORK(8480, whole(0, 65535))`."""

    def __init__(self, zh: str, en: str) -> None:
        self._title = Wording(zh, en)

    def __call__(
        self, default: T, form: Form[T], *, secret: bool = False, in_repr: bool = True
    ) -> T:
        """A line; `in_repr` says whether `repr` shows the value where it is no secret."""
        line = Line(self._title, form.expected, form.read, secret)
        # A factory, because a dataclass refuses a default that cannot be hashed even if frozen.
        shown = in_repr and not secret
        return field(default_factory=lambda: default, repr=shown, metadata={_LINE: line})

    def flag(self, *, on: bool) -> bool:
        """A line for what is either so or not."""
        return self(on, FLAG)


def line_of(column: Field[object]) -> Line:
    """The line that declared a field of the table.

    Raises:
        TypeError: the field was not declared by a `Section`.
    """
    line = column.metadata.get(_LINE)
    if not isinstance(line, Line):
        raise TypeError(column.name)
    return line


def default_of(column: Field[object]) -> object:
    """The default of a field of the table."""
    return column.default if column.default_factory is MISSING else column.default_factory()
