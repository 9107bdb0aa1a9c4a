"""The folder of a sandbox that keeps nothing, and what killed ones left behind."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "hupan-sandbox-"
_LOCK = "running.lock"
_STORE_LOCK = "hupan.db.lock"  # all that older versions held
_MOST_LOOKED_AT = 1000


@contextmanager
def passing_folder() -> Iterator[Path]:
    """A new folder that is gone afterwards; those of sandboxes that were killed go first."""
    remove_left_folders(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Under its name only when it is held: another sandbox that starts now may look at it.
        with (folder / f"{_LOCK}.new").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / f"{_LOCK}.new").rename(folder / _LOCK)
            yield folder


def remove_left_folders(parent: Path) -> None:
    """Removes the folders of one's own sandboxes that do not run any more.

    One that runs holds a lock. A folder without any lock may be one that is just being made.
    """
    for _, folder in zip(range(_MOST_LOOKED_AT), parent.glob(f"{PREFIX}*"), strict=False):
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    try:
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
            return False
        locks = [path for name in (_LOCK, _STORE_LOCK) if (path := folder / name).is_file()]
        return bool(locks) and all(map(_is_free, locks))
    except OSError:
        return False


def _is_free(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
