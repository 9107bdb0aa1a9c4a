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
    """On PostgreSQL, put the test's database into the environment of commands and servers."""
    if engine == "postgres":
        monkeypatch.setenv("HUPAN_DATABASE", STORES.url(tmp_path))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder with an empty store of the current version."""
    migrate_file(tmp_path / "hupan.db")
    return tmp_path
