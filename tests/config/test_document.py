import dataclasses
from pathlib import Path

import pytest

from hupan.config import Settings, load_settings
from hupan.config.settings import SETTINGS
from tools.docs.settings import render_settings_page

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_what_the_table_makes() -> None:
    """`make docs` changes nothing."""
    assert PAGE.read_text(encoding="utf-8") == render_settings_page()


def test_every_setting_is_on_the_page() -> None:
    """Each setting has its row of four cells."""
    lines = render_settings_page().splitlines()
    for name in SETTINGS:
        rows = [line for line in lines if line.startswith(f"| `{name}`")]
        assert len(rows) == 1, name
        assert rows[0].replace("\\|", "").count("|") == 5, name


def test_every_setting_is_explained_in_both_languages() -> None:
    """The meaning is given in Chinese and in English."""
    for name, setting in SETTINGS.items():
        assert not setting.help.zh.isascii(), name
        assert setting.help.en.isascii(), name
        assert setting.expected.en.isascii(), name


def test_every_default_is_of_its_own_form() -> None:
    """Each default is also a valid value."""
    for name, setting in SETTINGS.items():
        assert setting.parse(setting.default) == setting.default, name


def test_the_table_is_the_settings() -> None:
    """The table has every field, and cannot be changed."""
    assert sorted(SETTINGS) == sorted(field.name for field in dataclasses.fields(Settings))
    settings = load_settings({}, {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc] # that it cannot be assigned is the point
    with pytest.raises(AttributeError):
        _ = settings.__dict__
