"""Files and folders of a server: whether they can be used, and whose they become."""

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


def give_to_owner_of_folder(path: Path) -> None:
    """Give what root made in a folder of the service's user to that user.

    A command that ran as root once must not lock the service out of its own data.
    """
    if os.geteuid() != _ROOT:
        return
    owner = path.parent.stat()
    if owner.st_uid == _ROOT:
        return
    status = path.lstat()
    if status.st_uid == _ROOT and not stat.S_ISLNK(status.st_mode):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True
