"""The lines of `Settings` as data, for everybody who reads all of them."""

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import TypeAlias

from hupan.config.addresses import MASK, without_password
from hupan.config.database_form import shown_database
from hupan.config.declare import default_of, line_of
from hupan.config.meanings import MEANINGS
from hupan.config.settings import Settings
from hupan.config.wording import Wording

Json: TypeAlias = bool | int | str | list[str] | dict[str, str]


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table, with its meaning; see `declare.Line` for its other parts."""

    name: str
    default: object
    section: Wording
    expected: Wording
    read: Callable[[object], object]
    help: Wording
    secret: bool

    @property
    def variable(self) -> str:
        """The variable of the environment that sets it."""
        return f"HUPAN_{self.name.upper()}"

    @property
    def file_twin(self) -> str | None:
        """The name under which a file is given that holds the value; only secrets have one."""
        return f"{self.name}_file" if self.secret else None

    def shown(self, value: object) -> Json:
        """The value as JSON, masked where it is a secret that somebody set, or a URL has one."""
        if self.secret and value != self.default:
            return MASK
        if self.name == "database":
            return shown_database(str(value))
        return without_password(value) if isinstance(value, str) else as_json(value)


def as_json(value: object) -> Json:
    """A value of a setting as JSON has it.

    Raises:
        TypeError: no setting has a value of this type.
    """
    match value:
        case bool() | int() | str():
            return value
        case Path():
            return str(value)
        case tuple():
            return [str(part) for part in value]
        case Mapping():
            return {str(name): str(part) for name, part in value.items()}
    raise TypeError(type(value).__name__)


def _setting(column: Field[object]) -> Setting:
    line = line_of(column)
    return Setting(
        name=column.name,
        default=default_of(column),
        section=line.section,
        expected=line.expected,
        read=line.read,
        help=MEANINGS[column.name],
        secret=line.secret,
    )


SETTINGS: Mapping[str, Setting] = {column.name: _setting(column) for column in fields(Settings)}
"""Every setting by its name, in the order of the table."""
