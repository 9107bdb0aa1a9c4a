"""Rules for text that users write (security U5, wire.md 4 edit-nickname)."""

import re
import unicodedata
from collections.abc import Callable
from types import SimpleNamespace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.domain import text as text_rules
from hupan.domain.sessions import parse_device_text
from hupan.domain.text import (
    is_clean,
    normalize_nfc,
    parse_line,
    parse_nickname,
    parse_paragraph,
    visible_length,
)
from hupan.errors import InvalidField

pytestmark = pytest.mark.one_engine

FIELD = "name"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
TAGS = "\U000e0061\U000e0064\U000e006d\U000e0069\U000e006e"

GOOD = {
    "one letter": "a",
    "Chinese": "湖畔的风",
    "rare Chinese": "\U00020bb7野家",
    "Chinese with a glyph variant": "葛\U000e0100城",
    "blank inside": "Li Lei",
    "wide blank inside": "李\u3000雷",
    "Arabic": "محمد",
    "Arabic with marks": "مُحَمَّد",
    "Hebrew": "שָׁלוֹם",
    "Devanagari": "हिन्दी",
    "Thai": "น้ำผึ้ง",
    "Vietnamese": "Nguyễn",
    "Korean": "한국어",
    "Japanese": "がんばれ",
    "younger Chinese": "王\U0002ebf0\U0002ee5d",
    "Chinese that is not there yet": "王\U000323b0\U0003347f\U0003fffd",
    "younger Tangut": "\U00017000\U00018d1e",
    "Persian": "می\u200cخواهم خانه\u200cها",
    "Urdu with a mark before it": "عَ\u200cب",
    "Hindi half form": "क्\u200dष",
    "Hindi without a ligature": "क्\u200cष",
    "Bengali at the end of a word": "হঠাৎ উত্\u200d",
    "Malayalam of old": "അവന്\u200d",
    "Sinhala": "ශ්\u200dරී ලංකාව",
    "Kannada": "ರ್\u200dಕ",
    "Burmese with four marks": "မြ\u103d\u103e\u102d\u102f",
    "Tibetan with four marks": "ཧ\u0fb1\u0f71\u0f74\u0f7e",
    "Hebrew with four marks": "ש\u05bc\u05b8\u05c1\u0591",
    "32 syllables of jamo": "\u1112\u1161\u11ab" * 32,
    "32 letters of four parts": "\u03b1\u0313\u0300\u0345" * 32,
    "32 Persian letters": "بـ\u200cب" * 8,
    "Cyrillic": "Пётр",
    "Greek": "Ἀθῆναι",
    "accent made of two": "e\u0301",
    "three marks": "a\u0323\u0302\u0303",
    "digits": "10086",
    "signs": "^_^ ~(*) ¥€$",
    "emoji": "😀",
    "young emoji": "\U0001fa77\U0001fae8\U0001fa89",
    "family": FAMILY,
    "skin tone": "\U0001f44b\U0001f3fd",
    "couple with tones": "\U0001f469\U0001f3fd\u200d\u2764\ufe0f\u200d\U0001f468\U0001f3fb",
    "woman health worker": "\U0001f469\u200d\u2695\ufe0f",
    "rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "pirate flag": "\U0001f3f4\u200d\u2620\ufe0f",
    "flag of China": "\U0001f1e8\U0001f1f3",
    "flag of England": ENGLAND,
    "keycap": "1\ufe0f\u20e3",
    "keycap without selector": "#\u20e3",
    "heart as picture": "\u2764\ufe0f",
    "heart as text": "\u2764\ufe0e",
    "heart on fire": "\u2764\ufe0f\u200d\U0001f525",
    "head that shakes": "\U0001f642\u200d\u2194\ufe0f",
    "copyright": "©\ufe0f",
    "32 letters": "a" * 32,
    "32 Chinese": "湖" * 32,
    "32 emoji": "😀" * 32,
    "32 letters with a mark": "q\u0323" * 32,
    "five families": FAMILY * 5,
}
BAD = {
    "nothing": "",
    "blanks": "   ",
    "wide blanks": "\u3000\u3000",
    "33 letters": "a" * 33,
    "33 emoji": "😀" * 33,
    "six families, 150 bytes": FAMILY * 6,
    "129 bytes": "湖" * 31 + "\U0001f44b\U0001f3fd" * 5,
    "NUL": "a\x00b",
    "NUL alone": "\x00",
    "line break": "a\nb",
    "return": "a\rb",
    "tab": "a\tb",
    "escape": "a\x1b[31mb",
    "delete": "a\x7fb",
    "C1 control": "a\x85b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "right-to-left override": "a\u202eb",
    "left-to-right embedding": "\u202aab",
    "isolate": "\u2067ab\u2069",
    "left-to-right mark": "a\u200eb",
    "right-to-left mark": "a\u200fb",
    "Arabic letter mark": "a\u061cb",
    "zero-width space": "ad\u200bmin",
    "zero-width non-joiner": "ad\u200cmin",
    "zero-width joiner between letters": "ad\u200dmin",
    "joiner in front": "\u200d😀",
    "joiner behind": "😀\u200d",
    "joiner twice": "😀\u200d\u200d😀",
    "joiner between emoji and letter": "😀\u200da",
    "joiner behind digit": "1\u200d😀",
    "word joiner": "ad\u2060min",
    "byte order mark": "\ufeffadmin",
    "soft hyphen": "ad\u00admin",
    "grapheme joiner": "ad\u034fmin",
    "invisible times": "a\u2062b",
    "deprecated format": "a\u206ab",
    "annotation": "a\ufff9b\ufffb",
    "shorthand control": "a\U0001bca0b",
    "musical control": "a\U0001d173b",
    "language tag": "a\U000e0001b",
    "tags alone": TAGS,
    "tags behind a letter": "a" + TAGS,
    "tags behind another flag": "\U0001f3f3" + TAGS + "\U000e007f",
    "flag whose tags do not end": "\U0001f3f4" + TAGS,
    "flag with a long message": "\U0001f3f4" + TAGS * 3 + "\U000e007f",
    "selector behind a letter": "a\ufe0fb",
    "selector alone": "\ufe0f",
    "selector twice": "❤\ufe0f\ufe0f",
    "glyph variant behind a letter": "a\U000e0100",
    "Mongolian selector": "a\u180bb",
    "Hangul filler": "\u3164",
    "half-width filler": "\uffa0",
    "choseong filler": "\u115f",
    "Khmer inherent vowel": "\u17b4",
    "braille blank": "\u2800\u2800",
    "musical null": "\U0001d159",
    "object": "a\ufffcb",
    "private use": "\ue000",
    "private plane": "\U000f0000",
    "not a character": "\uffff",
    "unassigned": "\u0378",
    "half of a character": "\ud83d",
    "mark alone": "\u0301",
    "mark in front": "\u0301abc",
    "spacing mark in front": "\u0903abc",
    "four marks": "q" + "\u0323\u0324\u0325\u0330",
    "piled-up marks": "Z" + "\u0300\u0316" * 20,
    "five marks in Burmese": "မ\u103d\u103e\u102d\u102f\u1037",
    "four marks, one of them Latin, in Burmese": "မ\u0301\u103e\u102d\u102f",
    "Persian joiner twice": "می\u200c\u200cخ",
    "Persian joiner in front": "\u200cمی",
    "Persian joiner at the end": "می\u200c",
    "joiner between scripts": "م\u200ca",
    "half form twice": "क्\u200d\u200dष",
    "joiner in Chinese": "湖\u200d畔",
    "not a character of a plane of Chinese": "王\U0002ffff",
    "no Chinese": "王\U000e0200",
    "skin tone alone": "\U0001f3fd",
}
SALT = "ab湖😀\U0001f3fd\u200d\ufe0f\u0301\U0001f3f4\U000e0067\U000e007f \n\u3164"
PEOPLE = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from(SALT)),
)


def test_what_people_are_called(subtests: pytest.Subtests) -> None:
    """Names of all scripts and emoji of all kinds are accepted, in NFC."""
    for text in GOOD.values():
        with subtests.test(text=text):
            assert parse_nickname(text, FIELD) == unicodedata.normalize("NFC", text)


def test_what_hides_or_disturbs(subtests: pytest.Subtests) -> None:
    """All other characters are refused by the field's wire name."""
    for text in BAD.values():
        with subtests.test(text=text):
            with pytest.raises(InvalidField) as refusal:
                parse_nickname(text, FIELD)
            assert refusal.value.field == FIELD


@given(PEOPLE)
def test_every_nickname_that_is_taken(text: str) -> None:
    """It is NFC, trimmed, 1 to 32 visible characters and 128 bytes, and stable."""
    try:
        name = parse_nickname(text, FIELD)
    except InvalidField:
        return
    assert unicodedata.is_normalized("NFC", name)
    assert name == name.strip() != ""
    assert 1 <= visible_length(name) <= 32
    assert len(name.encode()) <= 128
    assert parse_nickname(name, FIELD) == name
    assert all(map(has_a_place, name, ["", *name]))


def has_a_place(character: str, before: str) -> bool:
    """Return whether a character is of no refused category, or part of an emoji."""
    if "\U0001f000" <= character <= "\U0001faff":
        return True
    if "\U00017000" <= character <= "\U0003fffd":
        return not character.endswith(("\U0002fffe", "\U0002ffff"))
    if character == "\u200d" or "\U000e0020" <= character <= "\U000e007f":
        return unicodedata.category(before) in ("So", "Sk", "Mn", "Cf", "Cn", "Sm")
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@given(
    st.text(min_size=1, max_size=30), st.sampled_from("\x00\u202e\u200b\u2066\ue000\ufeff\u2028")
)
def test_one_bad_character_spoils_the_name(text: str, bad: str) -> None:
    """A name with one is refused, wherever it is."""
    with pytest.raises(InvalidField):
        parse_nickname(f"a{text}{bad}b", FIELD)


@pytest.mark.parametrize("script", ["湖", "q\u0323", "😀", "\U0001f44b\U0001f3fd"])
def test_characters_are_counted_as_people_see_them(script: str) -> None:
    """Marks and tones count as part of their base character."""
    assert visible_length(script * 7) == 7


def test_a_name_is_trimmed_and_composed() -> None:
    """Blanks around it are removed, and combining sequences are composed."""
    assert parse_nickname(" \u3000Zoe\u0308 \t", FIELD) == "Zoë"


@pytest.mark.parametrize("breaks", ["\n", "\r\n", "\r"])
def test_an_introduction_has_lines(breaks: str) -> None:
    """Line breaks of every kind become one kind; those around the text are removed."""
    text = breaks.join(["", "你好", "", "Hello  ", ""])
    assert parse_paragraph(text, FIELD, max_characters=500) == "你好\n\nHello"


@pytest.mark.parametrize("text", ["湖" * 500, "😀" * 500, "a\n" * 249 + "ab", "", "  \n "])
def test_an_introduction_may_have_500_characters(text: str) -> None:
    """It may also be empty."""
    assert parse_paragraph(text, FIELD, max_characters=500) == text.strip()


@pytest.mark.parametrize(
    "text",
    ["湖" * 501, "a\n" * 250 + "ab", FAMILY * 100, "a\x0bb", "a\x0cb", "a\u2028b",
     "a\n\u0301b", "a\n\u202eb", "\x00", "a\x1bb", "a\u2066b\u2069"],
)  # fmt: skip
def test_an_introduction_that_is_refused(text: str) -> None:
    """It is too long, or has a forbidden character in one of its lines."""
    with pytest.raises(InvalidField):
        parse_paragraph(text, FIELD, max_characters=500)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\tb", "ab"),
        ("\ufeff你好\u200b，\u2060世界\u00ad", "你好，世界"),
        ("a\u200bb\u200c \u200dc\u200e\u200f\u061c", "ab c"),
        ("می\u200cخواهم\u200c\u200b", "می\u200cخواهم"),
        ("\u200d😀\u200d", "😀"),
        (f"{FAMILY}\u200d\n{ENGLAND}\ufe0f ❤\ufe0f\ufe0f", f"{FAMILY}\n{ENGLAND} ❤\ufe0f"),
        ("अ\u200bक्\u200dष", "अक्\u200dष"),
        ("\t\u200b", ""),
    ],
)
def test_what_is_pasted_along_is_dropped(text: str, kept: str) -> None:
    """Tabs, zero-width characters and direction marks are dropped, unless needed (U5)."""
    assert parse_paragraph(text, FIELD, max_characters=500) == kept


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0344" * 4095 + "\u0316" * 4096,
        "\u1e69" + "\u0323\u0307" * 8000,
        "e" + "\u0301" * 9,
        "ก" + "\u0e38" * 9,
        "\u0344" * 9,
        "ཧ" + "\u0f73" * 9,
        "湖" * 6001,
    ],
    ids=range(7),
)
def test_the_size_and_the_marks_are_looked_at_first(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text that is slow to normalise is refused without normalising it (X2)."""
    looks = SimpleNamespace(combining=unicodedata.combining, category=unicodedata.category)
    monkeypatch.setattr(text_rules, "unicodedata", looks)
    for read in (parse_line, parse_paragraph, normalize_nfc):
        with pytest.raises(InvalidField):
            read(text, FIELD, max_characters=500)


@given(st.text(max_size=60))
def test_decomposed_text_is_read_as_its_normal_form(text: str) -> None:
    """Decomposed and composed text get the same result (U5)."""

    def taken(form: Literal["NFC", "NFD"]) -> str | None:
        try:
            return parse_line(unicodedata.normalize(form, text), FIELD, max_characters=32)
        except InvalidField:
            return None

    assert taken("NFC") == taken("NFD")


def test_plain_characters_are_clean_by_the_rules_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast check accepts only what the full check accepts, with the same length."""
    every = "".join(filter(text_rules.PLAIN_TEXT.fullmatch, map(chr, range(1, 0x11000))))
    assert len(every) > 27_000
    assert unicodedata.normalize("NFC", every) == every
    monkeypatch.setattr(text_rules, "PLAIN_TEXT", re.compile("(?!)"))
    assert is_clean(every)
    assert visible_length(every) == len(every)


@pytest.mark.slow
def test_every_ideograph_is_a_letter() -> None:
    """Chinese of all planes is accepted, even if Python's tables lack it (U5, wire.md 4)."""
    planes = [
        *(range(0x3400, 0x4DC0), range(0x4E00, 0xA000)),
        *(range(0x20000, 0x2FFFE), range(0x30000, 0x3FFFE)),
    ]
    assert [hex(code) for codes in planes for code in codes if not is_clean(chr(code))] == []


@given(st.text(max_size=60))
def test_a_line_may_be_empty_and_never_breaks(text: str) -> None:
    """`line` returns one line in its normal form."""
    try:
        taken = parse_line(text, FIELD, max_characters=32)
    except InvalidField:
        return
    assert taken.splitlines() in ([], [taken])
    assert parse_line(taken, FIELD, max_characters=32) == taken


@pytest.mark.parametrize("read", [parse_nickname, parse_device_text])
@pytest.mark.parametrize("text", ["\ud800", "a\x00", "\x9f", "\udfff\ud800"])
def test_no_text_holds_control_characters(read: Callable[[str, str], str], text: str) -> None:
    """Neither names nor device ids contain them."""
    with pytest.raises(InvalidField):
        read(f"a{text}b", FIELD)
