"""What a terminal is shown of texts that others wrote."""

from hupan.domain.text import is_clean


def printable(text: str) -> str:
    """A text without what could steer a terminal.

    What a nickname may hold is shown as it is, also joiners and ideographs that this Python does
    not know yet.
    """
    if is_clean(text):
        return text
    return "".join(c if c.isprintable() or is_clean(c) else " " for c in text)
