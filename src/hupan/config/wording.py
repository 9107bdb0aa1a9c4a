"""A text in the two languages of everything that people see."""

from typing import NamedTuple


class Wording(NamedTuple):
    """The same text twice; Chinese is shown first."""

    zh: str
    en: str
