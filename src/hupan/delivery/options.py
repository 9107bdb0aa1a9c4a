"""An option of a sender that does not fit, named so that a person can mend it."""

from typing import NoReturn


class BadOption(ValueError):  # noqa: N818  says that a value does not fit, as ValueError does
    """An option that does not fit; no key is part of it.

    Attributes:
        field: The name of the option.
        zh: What would fit, in Chinese.
        en: The same in English.
    """

    def __init__(self, field: str, zh: str, en: str) -> None:
        super().__init__(f"{field}: {en}")
        self.field = field
        self.zh = zh
        self.en = en


def require(holds: bool, field: str, zh: str, en: str) -> None:
    """Refuse an option unless the condition holds.

    Raises:
        BadOption: it does not.
    """
    if not holds:
        refuse(field, zh, en)


def refuse(field: str, zh: str, en: str) -> NoReturn:
    """Refuse an option.

    Raises:
        BadOption: always.
    """
    raise BadOption(field, zh, en)
