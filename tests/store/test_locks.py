"""Only one server can open a file."""

from pathlib import Path

import pytest

from hupan.store.database import StoreRefused
from hupan.store.locks import StoreLock, check_is_sqlite_file, check_not_open_by_other_path


@pytest.mark.slow
def test_a_second_server_is_refused_until_the_first_ends(database: Path) -> None:
    """The second server is refused because the store is in use (security R14)."""
    first = StoreLock(database)
    with pytest.raises(StoreRefused, match="another Hupan"):
        StoreLock(database)
    first.release()
    StoreLock(database).release()


@pytest.mark.slow
def test_a_link_is_the_same_store(database: Path, tmp_path: Path) -> None:
    """A second server that opens it through a link is refused."""
    database.touch()
    link = tmp_path / "link.db"
    link.symlink_to(database)
    first = StoreLock(database)
    with pytest.raises(StoreRefused, match="another Hupan"):
        StoreLock(link)
    first.release()


def test_a_file_of_something_else_is_left_alone(database: Path) -> None:
    """A file that is no store is refused before a file is created next to it."""
    database.write_text("root:x:0:0\n", "utf-8")
    with pytest.raises(StoreRefused, match="not a store"):
        check_is_sqlite_file(database)
    assert [file.name for file in database.parent.iterdir()] == [database.name]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A missing folder is refused without a traceback."""
    with pytest.raises(StoreRefused, match="cannot write"):
        StoreLock(tmp_path / "nowhere" / "hupan.db")


@pytest.mark.slow
def test_a_hard_link_is_the_same_store(database: Path, tmp_path: Path) -> None:
    """A second server that opens it by another name is refused (R14, X9)."""
    database.touch()
    other = tmp_path / "elsewhere"
    other.mkdir()
    link = other / "other.db"
    link.hardlink_to(database)
    first = StoreLock(database)
    with pytest.raises(StoreRefused, match="another Hupan"):
        StoreLock(link)
    with pytest.raises(StoreRefused, match="another name"):
        check_not_open_by_other_path(link)
    check_not_open_by_other_path(database)
    first.release()
    check_not_open_by_other_path(link)
    StoreLock(link).release()


@pytest.mark.slow
def test_a_new_file_is_locked_once_it_is_there(database: Path, tmp_path: Path) -> None:
    """The lock is taken after the file is created (R14)."""
    first = StoreLock(database)
    database.touch()
    first.lock_file()
    link = tmp_path / "other.db"
    link.hardlink_to(database)
    with pytest.raises(StoreRefused, match="another Hupan"):
        StoreLock(link)
    first.release()
