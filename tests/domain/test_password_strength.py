"""Which new passwords are refused (security P1-P3)."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.domain.passwords import (
    CommonPasswordFilter,
    PasswordPolicy,
    build_filter,
    load_common_passwords,
)
from hupan.errors import InvalidField, PasswordTooShort, WeakPassword
from hupan.rules import PasswordRules

pytestmark = pytest.mark.one_engine

STRENGTH = PasswordPolicy(load_common_passwords(), PasswordRules(8, ("hupan", "湖畔", "Lotus")))
ALPHABETS = {
    "letters": string.ascii_lowercase,
    "letters and figures": string.ascii_letters + string.digits,
    "all that is printed": string.digits + string.ascii_letters + string.punctuation,
    "figures": string.digits,
    "Chinese": "".join(map(chr, range(0x4E00, 0x9FA0))),
}


def is_weak(password: str, *words: str) -> bool:
    """Whether a password is refused as weak."""
    try:
        STRENGTH.check(password, *words)
    except WeakPassword:
        return True
    return False


@pytest.mark.parametrize(
    "password",
    [
        *("password", "12345678", "iloveyou", "PASSWORD", "Password1!", "p@ssw0rd123"),
        *("Dragon2024", "!monkey!", "2024football", "letmein-1", "passwordpassword"),
        *("woaini1314", "woaini5201314", "wodemima", "mima1234", "woaiwojia", "5201314520"),
        *("zhangwei", "zhangwei123", "zhangwei19900101", "lixiaoming", "zw19900101", "qq123456789"),
        *("woaizhangwei", "weixin123", "13912345678", "a13912345678", "19900101", "20081231"),
        *("qwertyuiop", "asdfghjkl", "1qaz2wsx", "qazwsxedc", "1234qwer", "zxcvbnm,", "poiuytrewq"),
        *("aaaaaaaa", "abcabcabc", "12121212", "abababab", "abcdefgh", "87654321", "147258369"),
        *("88888888", "66668888", "1357924680" * 2, "asdfasdf", "ABCD1234", "abc123456"),
    ],
)
def test_common_passwords(password: str) -> None:
    """Leaked ones, words in disguise, Pinyin names, dates, numbers, rows of keys are refused."""
    assert is_weak(password)


@pytest.mark.parametrize(
    "password",
    [
        *("１２３４５６７８", "ｐａｓｓｗｏｒｄ", "Ｐａｓｓｗｏｒｄ１！", "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝", "①②③④⑤⑥⑦⑧"),
        *("paſſword", "ｈｕｐａｎ２０２４", "ＬＯＴＵＳ-123"),
    ],
)
def test_other_forms_of_the_same_letters(password: str) -> None:
    """A common password stays one in full width, in circles or in bold (security P3)."""
    assert is_weak(password)


@pytest.mark.parametrize(
    "password",
    [
        *("the lake at seven", "correct horse battery", "long enough 1", "a-fine-morning-2"),
        *("湖边的第三棵柳树", "Tr0ub4dor&3xy", "kayak7winter", "S3cret-Pass-7", "xkqz!7pp"),
        *("liu shu xia de mao", "🌊🌾🦆🛶🌅🐟🪷🌫", "72.4.1.9.x.x", "reeds1997willow"),
    ],
)
def test_decent_passwords(password: str) -> None:
    """Nothing is asked of the characters, and several words are not one (security P2)."""
    assert not is_weak(password)


@pytest.mark.parametrize("name", ALPHABETS)
def test_false_alarms(name: str) -> None:
    """Of twenty thousand random passwords of nine characters at most one in a thousand is lost."""
    dice = random.Random(name)  # noqa: S311 - a test repeats itself
    made = ("".join(dice.choices(ALPHABETS[name], k=9)) for _ in range(20_000))
    assert sum(map(is_weak, made)) <= 20


@pytest.mark.parametrize(("length", "passes"), [(7, False), (8, True), (128, True), (256, True)])
@pytest.mark.parametrize("piece", ["x7Qr~k2V", "湖é🌊𠀀ßñ柳畔"])
def test_length(piece: str, length: int, *, passes: bool) -> None:
    """Code points count: eight are enough and hundreds are taken (security P1)."""
    dice = random.Random(length)  # noqa: S311 - a test repeats itself
    password = "".join(dice.choices(piece, k=length))
    if passes:
        STRENGTH.check(password)
    else:
        with pytest.raises(PasswordTooShort) as refused:
            STRENGTH.check(password)
        assert refused.value.min_characters == 8


@pytest.mark.parametrize(("piece", "most"), [("x7Qr~k2V", 1024), ("é", 512), ("湖", 341)])
def test_as_long_as_what_is_hashed(piece: str, most: int) -> None:
    """1,024 bytes are taken, one more is refused by the field's name (security P1)."""
    text = "".join(random.Random(1).choices(piece + "aß", k=most))  # noqa: S311 - a test repeats itself
    room = 1024 - len(text.encode())
    longest = text + "7" * room if room >= 0 else text.encode()[:1024].decode(errors="ignore")
    STRENGTH.check(longest)
    with pytest.raises(InvalidField, match="password"):
        STRENGTH.check(longest + "z" * (1025 - len(longest.encode())))


def test_what_is_no_text() -> None:
    """What a terminal of another encoding handed over is refused and not stored (P1)."""
    with pytest.raises(InvalidField, match="password"):
        STRENGTH.check("gr\udcfcn-wie-gras-und-laub")


def test_the_profile_of_fifteen() -> None:
    """The least length is a setting (security P1)."""
    strict = PasswordPolicy(load_common_passwords(), PasswordRules(15))
    with pytest.raises(PasswordTooShort):
        strict.check("fourteen signs")
    strict.check("fifteen signs 5")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        *(("hupan2024", ()), ("LOTUS-123", ()), ("湖畔20240707", ()), ("hupanhupan", ())),
        *(("dongfangyu", ("dongfangyu",)), ("Brookfield99", ("Brookfield",))),
        *(("小湖2024!!", ("小湖",)), ("13912348765aa", ("13912348765",))),
        *(("brookfield-monkey1", ("Brookfield",)), ("9zqwillow.lane", ("willow.lane",))),
    ],
)
def test_words_of_the_context(password: str, words: tuple[str, ...]) -> None:
    """Product, host, name, number and address: without them too little is left (security P3)."""
    assert is_weak(password, *words)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        *(("hupan-under-elms", ()), ("abc-under-elms", ("abc", ""))),
        *(("湖畔的第三棵柳树", ()), ("dongfangyu under elms", ("dongfangyu",))),
    ],
)
def test_words_beside_enough_else(password: str, words: tuple[str, ...]) -> None:
    """A password may hold such a word if the rest would do alone; short words are none."""
    assert not is_weak(password, *words)


@given(st.text(min_size=8, max_size=128))
def test_any_text_is_judged(password: str) -> None:
    """Whatever the characters, the answer is yes or no (security P2)."""
    is_weak(password, password[:3], "用户1000001")


@given(st.sets(st.text(min_size=1), min_size=1, max_size=200))
def test_the_filter_misses_nothing(entries: set[str]) -> None:
    """Every entry of the list is found."""
    common = CommonPasswordFilter(build_filter(entries))
    assert all(entry in common for entry in entries)


def test_the_filter_is_seldom_wrong() -> None:
    """Of a hundred thousand texts that are no entries it takes at most 20 for one."""
    common = load_common_passwords()
    assert sum(f"no entry {number}" in common for number in range(100_000)) <= 20
