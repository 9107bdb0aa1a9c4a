import dataclasses
import re
from pathlib import Path

import pytest

from hupan.config import Settings, load_settings
from hupan.config.settings import SETTINGS
from tests.support.languages import CHINESE
from tools.docs.settings import Language, settings_page

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, Language] = {"settings.md": "en", "settings.zh-CN.md": "zh"}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_table_makes(name: str) -> None:
    """`make docs` changes nothing."""
    assert (DOCS / name).read_text("utf-8") == settings_page(PAGES[name])


@pytest.mark.parametrize("language", PAGES.values())
def test_every_setting_is_on_the_page(language: Language) -> None:
    """Each setting has its row of four cells."""
    lines = settings_page(language).splitlines()
    for name in SETTINGS:
        rows = [line for line in lines if line.startswith(f"| `{name}`")]
        assert len(rows) == 1, name
        assert rows[0].replace("\\|", "").count("|") == 5, name


def test_no_page_is_in_two_languages() -> None:
    """The English page has Chinese in its defaults alone, the Chinese one no English meanings."""
    english = settings_page("en").replace("English · [中文]", "")
    assert not CHINESE.search(re.sub(r"`[^`]*`", "", english))
    chinese = settings_page("zh")
    assert not [name for name, setting in SETTINGS.items() if setting.help.en in chinese]


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
