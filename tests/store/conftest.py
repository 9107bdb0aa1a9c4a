"""A separate store for each test."""

from pathlib import Path

import pytest


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the test's store lies."""
    return tmp_path / "hupan.db"
