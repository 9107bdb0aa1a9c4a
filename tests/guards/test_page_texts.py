"""Texts of pages: none missing, none unused, each in its language (web.md W-6).

The story: a page was translated by hand, template by template. A button that was added later stayed
English on the Chinese page, and no reader of both languages ever opened it.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from hupan.localized import LocalizedText
from hupan.web.sandbox.texts import SANDBOX_TEXTS
from hupan.web.texts import SHARED_TEXTS

CATALOGUES: dict[str, Mapping[str, LocalizedText]] = {
    "shared": SHARED_TEXTS,
    "sandbox": SANDBOX_TEXTS,
}
ALL: dict[str, LocalizedText] = {
    name: text for catalogue in CATALOGUES.values() for name, text in catalogue.items()
}
CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
PLACE = re.compile(r"{(\w*)}")
CALL = re.compile(r"""\bt\(\s*"(\w+)"(?!\s*~)""")
JOINED_CALL = re.compile(r"""\bt\(\s*"(\w+_)"\s*~""")
WORD = re.compile(r"[A-Za-z]{2,}")
TAG = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}|<!?[^>]*>", re.DOTALL)


@pytest.fixture(scope="module")
def templates(root: Path) -> dict[str, str]:
    """Return each template by its name."""
    folder = root / "src/hupan/web/templates"
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*.html")
    }


def unwritten(templates: Mapping[str, str]) -> set[str]:
    """Return the names of texts in templates that no catalogue has."""
    return {name for text in templates.values() for name in CALL.findall(text)} - set(ALL)


def test_no_text_is_missing(templates: dict[str, str]) -> None:
    """Each name in a template is in the catalogue; each joined name has members (W-6)."""
    assert templates
    assert unwritten(templates) == set(), "add the text to web/texts.py or web/sandbox/texts.py"
    beginnings = {name for text in templates.values() for name in JOINED_CALL.findall(text)}
    assert {one for one in beginnings if not any(name.startswith(one) for name in ALL)} == set()


def test_no_text_is_unused(templates: dict[str, str], modules: dict[str, str]) -> None:
    """Each name of the catalogue is in a template or in the code of pages (W-6)."""
    used = {name for text in templates.values() for name in CALL.findall(text)}
    beginnings = tuple(name for text in templates.values() for name in JOINED_CALL.findall(text))
    code = "\n".join(
        text
        for path, text in modules.items()
        if path.startswith("web/") and not path.endswith("texts.py")
    )
    named = set(re.findall(r'"(\w+)"', code)) | {
        f"{unit}_{end}"
        for unit in ("days", "hours", "minutes", "seconds")
        for end in ("ago", "ahead")
    }
    unused = {name for name in set(ALL) - used - named if not name.startswith(beginnings)}
    assert unused == set(), "delete the text from its catalogue"


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_text_is_in_its_language(name: str) -> None:
    """The English text has no Chinese; both have the same placeholders (W-6)."""
    text = ALL[name]
    assert text.zh
    assert text.en
    assert not CHINESE.search(text.en)
    assert CHINESE.search(text.zh) or text.zh == text.en
    assert sorted(PLACE.findall(text.zh)) == sorted(PLACE.findall(text.en))


def test_no_name_is_in_two_catalogues() -> None:
    """A name has only one text."""
    assert len(ALL) == sum(map(len, CATALOGUES.values()))


def test_templates_hold_no_words(templates: dict[str, str]) -> None:
    """All words are in the catalogue; only languages name themselves (W-6)."""
    found = {name: bare_words(text) for name, text in templates.items()}
    assert {name: words for name, words in found.items() if words} == {}, (
        "move the words to a catalogue, and show them with t(…)"
    )


def bare_words(template: str) -> list[str]:
    """Return the words between the tags of a template."""
    text = TAG.sub(" ", template)
    return [
        word
        for word in [*WORD.findall(text), *CHINESE.findall(text)]
        if word not in {"English", "中", "文"}
    ]


def test_bare_words_are_seen() -> None:
    """English and Chinese words are found, tags and placeholders are not."""
    assert bare_words('<p class="x">Hello 你</p>{{ t("name") }}') == ["Hello", "你"]
    assert unwritten({"a.html": '{{ t("no_such_text") }}'}) == {"no_such_text"}
