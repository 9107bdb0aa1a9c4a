"""Secrets that lie in files (security L3)."""

import os
import stat
from pathlib import Path

from hupan.config.wording import Wording

_GROUP_MAY = stat.S_IRGRP
_ROOT = 0

MUST_BE_PRIVATE = Wording(
    "仅所有者可读写的文件（权限 0600；属主为 root 时可为 0640，由服务的用户组读取）",
    "a file with mode 0600, or 0640 if root owns it, for the group of the service to read",
)


class SecretFileError(Exception):
    """The file cannot be used; `expected` says what would have been right."""

    def __init__(self, expected: Wording) -> None:
        super().__init__(expected.en)
        self.expected = expected


def is_private(status: os.stat_result) -> bool:
    """Whether nobody but the owner may touch a file, or root chose one group to read it.

    Files of a user often belong to a group of everybody, those of root never do; and root owns
    what a package or `install -g hupan` puts into /etc.
    """
    others = stat.S_IRWXG | stat.S_IRWXO
    if status.st_uid == _ROOT:
        others &= ~_GROUP_MAY
    return not status.st_mode & others


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
        if not is_private(os.fstat(file.fileno())):
            raise SecretFileError(MUST_BE_PRIVATE)
        return file.read()
