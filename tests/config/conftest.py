"""Run these tests with English output."""

import pytest


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUPAN_LANG", "en")
    monkeypatch.setattr("hupan.cli.language.ENGLISH", True)
