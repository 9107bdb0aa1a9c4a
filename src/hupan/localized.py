"""Texts for operators in Chinese and English; the terminal shows one of the two.

Lower layers raise both and do not know the language. Logs take the English text, by `str()`.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class LocalizedText:
    """The same text in both languages."""

    zh: str
    en: str

    def text(self, english: bool) -> str:  # the one thing to choose
        """Return the text in one language."""
        return self.en if english else self.zh


class LocalizedError(Exception):
    """An error that an operator reads on the terminal; `str()` is its English text.

    Attributes:
        localized: the text in both languages.
    """

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.localized = LocalizedText(zh, en)

    @classmethod
    def wrap(cls, error: Exception) -> Self:
        """Return an error of this class with the text of another error."""
        from hupan.library_errors import localize_error  # noqa: PLC0415 - loads decoders

        text = localize_error(error)
        return cls(text.zh, text.en)


class LocalizedOSError(LocalizedError, OSError):
    """A failure of a storage, described by us instead of the system."""
