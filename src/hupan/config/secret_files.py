"""Secrets that lie in files (security L3)."""

import os
import stat
from pathlib import Path

from hupan.config.wording import Wording

_OTHERS = stat.S_IRWXG | stat.S_IRWXO

MUST_BE_PRIVATE = Wording("仅所有者可读写的文件（权限 0600）", "a file with mode 0600")


class SecretFileError(Exception):
    """The file cannot be used; `expected` says what would have been right."""

    def __init__(self, expected: Wording) -> None:
        super().__init__(expected.en)
        self.expected = expected


def is_private(mode: int) -> bool:
    """Whether nobody but the owner may touch a file with this mode."""
    return not mode & _OTHERS


def read_secret(place: object) -> str:
    """The text of the file, without the line break at its end.

    Raises:
        SecretFileError: it is not a readable file of text, it is empty, or others may read it.
    """
    if not isinstance(place, str):
        raise SecretFileError(Wording("文件路径", "the path of a file"))
    try:
        text = _read_private(place).decode("utf-8-sig")  # some editors begin a text with a mark
    except (OSError, ValueError) as error:
        raise SecretFileError(Wording("可读的文本文件", "a readable file of text")) from error
    if not text.strip():
        raise SecretFileError(Wording("非空的文件", "a file that is not empty"))
    return text.removesuffix("\n").removesuffix("\r")


def _read_private(place: str) -> bytes:
    path = Path(place)
    if not path.is_file():  # opening a pipe would wait for ever
        raise FileNotFoundError(place)
    with path.open("rb") as file:
        if not is_private(os.fstat(file.fileno()).st_mode):
            raise SecretFileError(MUST_BE_PRIVATE)
        return file.read()
