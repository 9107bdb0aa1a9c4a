"""Files and folders of a server: whether they can be used."""

import os
import stat
from pathlib import Path

from hupan.config.wording import Wording

_ROOT = 0


def blocked_folder(folder: Path) -> Wording | None:
    """Return what stands in the way of a folder that is there or would be made; None if nothing."""
    path = folder.absolute()
    try:
        while not _is_there(path):
            path = path.parent
        if not path.is_dir():
            return Wording(f"目录，而 {path} 是文件", f"a folder, but {path} is a file")
        may_write = os.access(path, os.W_OK | os.X_OK)
    except OSError as error:
        return Wording(
            f"可用的目录（{error.strerror}）", f"a folder that can be used ({error.strerror})"
        )
    if not may_write:
        return Wording(
            f"当前用户可写的目录（{path} 不可写）",
            f"a folder that this user may write ({path} is not)",
        )
    return None


def is_taken_over(folder: Path) -> bool:
    """Return whether another user owns a folder in which everybody may replace every file."""
    try:
        status = folder.stat()
    except OSError:
        return False
    is_open = bool(status.st_mode & stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
    return is_open and status.st_uid not in {os.geteuid(), _ROOT}


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True
