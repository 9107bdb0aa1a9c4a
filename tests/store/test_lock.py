"""One server for one file."""

from pathlib import Path

import pytest

from hupan.store.engine import StoreRefused
from hupan.store.lock import StoreLock


def test_a_second_server_is_refused_until_the_first_ends(database: Path) -> None:
    """The second holder is told that the store is in use (security R14)."""
    first = StoreLock(database)
    with pytest.raises(StoreRefused, match="another Hupan"):
        StoreLock(database)
    first.release()
    StoreLock(database).release()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A missing folder is a refusal, not a crash."""
    with pytest.raises(StoreRefused, match="cannot write"):
        StoreLock(tmp_path / "nowhere" / "hupan.db")
