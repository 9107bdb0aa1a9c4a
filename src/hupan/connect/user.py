"""The user of the authority: the one that called sudo, not root."""

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = 0


@dataclass(frozen=True, slots=True)
class User:
    """A user of this machine.

    Attributes:
        is_other: whether this process runs as root for them.
    """

    uid: int
    gid: int
    home: Path
    is_other: bool

    @contextmanager
    def rights(self) -> Iterator[None]:
        """Drop to the rights of the user, whose folders may hold links to anywhere."""
        if not self.is_other:
            yield
            return
        groups = os.getgroups()
        os.setgroups([self.gid])
        os.setegid(self.gid)
        os.seteuid(self.uid)
        try:
            yield
        finally:
            os.seteuid(_ROOT)
            os.setegid(_ROOT)
            os.setgroups(groups)


def find_user(environ: Mapping[str, str]) -> User:
    """Return the user that called sudo, if root runs by it; otherwise that of this process."""
    uid = environ.get("SUDO_UID", "")
    if os.geteuid() == _ROOT and uid.isdecimal() and int(uid) != _ROOT:
        try:
            entry = pwd.getpwuid(int(uid))
        except (KeyError, OverflowError):
            pass  # a user without an entry has no home either
        else:
            return User(entry.pw_uid, entry.pw_gid, Path(entry.pw_dir), is_other=True)
    return User(os.geteuid(), os.getegid(), Path.home(), is_other=False)


def default_folder(user: User, environ: Mapping[str, str]) -> Path:
    """Return the folder of a user's authority."""
    base = "" if user.is_other else environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else user.home / ".local/share") / "hupan/connect"
