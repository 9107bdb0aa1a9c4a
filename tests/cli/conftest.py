"""The store of the commands: in the folder of each test, or a separate database."""

from pathlib import Path

import pytest

from hupan.store.migrate import migrate_file
from tests.support.stores import STORES, EngineName


@pytest.fixture(autouse=True)
def _database(
    engine: EngineName,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    _databases_of_one_test: None,
) -> None:
    """On PostgreSQL, commands and servers of a test find its database in the environment."""
    if engine == "postgres":
        monkeypatch.setenv("HUPAN_DATABASE", STORES.url(tmp_path))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder with a store that is up to date and empty."""
    migrate_file(tmp_path / "hupan.db")
    return tmp_path
