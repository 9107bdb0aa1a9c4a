"""Ownership of files that a command run as root creates in another user's folder.

Otherwise one `sudo hupan …` would lock the service's own user out of its data.
"""

import os
import stat
from pathlib import Path


def chown_to_folder_owner(descriptor: int, folder: Path) -> None:
    """Make the owner of its folder the owner of an open file of root's.

    It must have been opened without following a link (`O_NOFOLLOW`): otherwise the folder's owner
    could name any file of root's in it.

    Raises:
        OSError: the system refuses.
    """
    status = os.fstat(descriptor)
    if os.geteuid() != 0 or status.st_uid != 0:
        return
    if stat.S_ISREG(status.st_mode) and status.st_nlink != 1:
        return  # the folder's owner may have hard-linked a file that is not theirs
    owner = folder.stat()
    if owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def chown_new_file(descriptor: int, path: Path) -> None:
    """Make the owner of the folder in its path the owner of an open file of root's.

    Raises:
        OSError: the system refuses.
    """
    chown_to_folder_owner(descriptor, path.absolute().parent)


def chown_tree(folder: Path) -> None:
    """Make the owner of the parent the owner of a folder and of what root created in it.

    Raises:
        OSError: the system refuses.
    """
    if os.geteuid() != 0 or not folder.exists():
        return
    _chown_path(folder, os.O_DIRECTORY)
    for root, folders, files in os.walk(folder):
        for name in folders:
            _chown_path(Path(root) / name, os.O_DIRECTORY)
        for name in files:
            _chown_path(Path(root) / name, 0)


def _chown_path(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | flags)
    try:
        chown_to_folder_owner(descriptor, path.absolute().parent)
    finally:
        os.close(descriptor)
