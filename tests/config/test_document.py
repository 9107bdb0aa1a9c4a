import dataclasses
from pathlib import Path

import pytest

from hupan.config import Settings, load
from hupan.config.document import document
from hupan.config.meanings import MEANINGS
from hupan.config.table import SETTINGS

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_what_the_table_makes() -> None:
    """`python -m hupan.config.document > docs/settings.md` changes nothing."""
    assert PAGE.read_text(encoding="utf-8") == document()


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_on_the_page(name: str) -> None:
    """Each setting has its row of four cells."""
    rows = [line for line in document().splitlines() if line.startswith(f"| `{name}`")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 5


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_explained_in_both_languages(name: str) -> None:
    """The meaning stands in Chinese and in English."""
    setting = SETTINGS[name]
    assert not setting.help.zh.isascii()
    assert setting.help.en.isascii()
    assert setting.expected.en.isascii()


def test_every_meaning_is_that_of_a_setting() -> None:
    """Meanings stand in the order of the settings, and none is left of one that is gone."""
    assert list(MEANINGS) == list(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_default_is_of_its_own_form(name: str) -> None:
    """What is the default may also be written down."""
    setting = SETTINGS[name]
    assert setting.read(setting.default) == setting.default


def test_the_table_is_the_settings() -> None:
    """No field is left out, and nothing can be changed afterwards."""
    assert list(SETTINGS) == [field.name for field in dataclasses.fields(Settings)]
    settings = load({}, {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc] # that it cannot be assigned is the point
    with pytest.raises(AttributeError):
        _ = settings.__dict__
