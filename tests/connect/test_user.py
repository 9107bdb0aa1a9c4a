"""The user that owns the authority under sudo (kit K-11)."""

import os
import pwd
from pathlib import Path

import pytest

from hupan.connect.files import ConnectRefused, FileContent, can_write, read_file, write_file
from hupan.connect.record import RecordFolder
from hupan.connect.user import User, default_folder, find_user

pytestmark = pytest.mark.one_engine

NOBODY = pwd.getpwnam("nobody")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")


@needs_root
def test_the_user_that_called_sudo() -> None:
    """Their home has the authority, whatever root's variables are."""
    environ = {"SUDO_UID": str(NOBODY.pw_uid), "XDG_DATA_HOME": "/srv/data"}
    user = find_user(environ)
    assert (user.uid, user.gid, user.is_other) == (NOBODY.pw_uid, NOBODY.pw_gid, True)
    assert default_folder(user, environ) == Path(NOBODY.pw_dir, ".local/share/hupan/connect")


@pytest.mark.parametrize("uid", ["", "0", "x", "4294967295000", "-1", "987654"])
def test_no_such_user(uid: str) -> None:
    """A value that names no user is ignored."""
    user = find_user({"SUDO_UID": uid})
    assert (user.uid, user.is_other) == (os.geteuid(), False)


@needs_root
def test_root_has_the_rights_of_the_user(tmp_path: Path) -> None:
    """Inside, root writes only what the user may write, and its files belong to the user."""
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", NOBODY.pw_uid, NOBODY.pw_gid)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o055)
    user = User(NOBODY.pw_uid, NOBODY.pw_gid, tmp_path / "home", is_other=True)
    with user.rights():
        assert not can_write(tmp_path / "outside")
        (tmp_path / "home/made").touch()
        with pytest.raises(PermissionError):
            (tmp_path / "outside").touch()
    assert (tmp_path / "home/made").stat().st_uid == NOBODY.pw_uid
    (tmp_path / "outside").touch()
    assert (tmp_path / "outside").stat().st_uid == 0


@needs_root
def test_a_record_of_another_user(tmp_path: Path) -> None:
    """Root does not act on another user's record."""
    folder = RecordFolder(tmp_path)
    folder.path.mkdir()
    os.chown(folder.path, NOBODY.pw_uid, NOBODY.pw_gid)
    with pytest.raises(ConnectRefused, match="belongs to another user"):
        folder.load()
    folder.path.rmdir()
    folder.path.symlink_to("/etc")
    with pytest.raises(ConnectRefused, match="belongs to another user"), folder.locked():
        pass


@needs_root
def test_owner_and_mode_stay(tmp_path: Path) -> None:
    """A replaced file keeps both."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    path.chmod(0o604)
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    before = read_file(path)
    assert before is not None
    write_file(path, FileContent(b"after", before.mode, before.uid, before.gid))
    assert read_file(path) == FileContent(b"after", 0o604, NOBODY.pw_uid, NOBODY.pw_gid)
