"""A separate store for each test."""

from pathlib import Path

import pytest


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return the location of the test's store."""
    return tmp_path / "hupan.db"
