"""Password hashes: parameters, equal cost, bounded work (security P2, P4, P5, E2).

Weak new passwords are refused (security P1-P3).
"""

import asyncio
import random
import re
import string
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hupan.domain import hashing
from hupan.domain.hash_worker import HashCost
from hupan.domain.hashing import HashClient, HashProcess, PasswordHasher
from hupan.domain.passwords import (
    CommonPasswordFilter,
    PasswordPolicy,
    build_filter,
    load_common_passwords,
)
from hupan.errors import Busy, InvalidField, PasswordTooShort, WeakPassword
from hupan.rules import PasswordRules

pytestmark = pytest.mark.one_engine

CHEAP = HashCost(memory_kib=8, passes=1)


@pytest.fixture
def pool() -> Iterator[PasswordHasher]:
    """Yield a pool of two threads with the parameters of production."""
    pool = PasswordHasher(HashCost(), threads=2)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def cheap_pool() -> Iterator[PasswordHasher]:
    """Yield a pool of one thread with the smallest parameters."""
    pool = PasswordHasher(CHEAP, threads=1)
    yield pool
    pool.close()


async def test_what_is_stored_has_its_parameters(pool: PasswordHasher) -> None:
    """A hash is argon2id, 19 MiB, two passes, one lane, with a salt of 16 bytes (P4)."""
    stored = await pool.hash("correct horse")
    match = re.fullmatch(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$([^$]+)\$[^$]+", stored)
    assert match is not None
    assert len(match[1]) == 22


@pytest.mark.slow
@settings(max_examples=40)
@given(password=st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable()))
def test_exact_bytes_count(cheap_pool: PasswordHasher, password: str) -> None:
    """Only the exact password verifies: no trimming, no truncation (P2)."""
    stored = asyncio.run(cheap_pool.hash(password))
    assert asyncio.run(cheap_pool.verify(stored, password))
    for other in (password + "x", password + " ", password[:-1], password.swapcase() + "x"):
        assert not asyncio.run(cheap_pool.verify(stored, other))


async def test_risen_parameters_ask_for_a_new_hash(pool: PasswordHasher) -> None:
    """A hash with other parameters is outdated, a current one is not (P4)."""
    old = PasswordHasher(CHEAP, threads=1)
    assert pool.is_outdated(await old.hash("x"))
    assert not pool.is_outdated(await pool.hash("x"))
    old.close()


@pytest.mark.slow
async def test_an_unknown_account_costs_as_much_as_a_known_one(
    pool: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a hash, one verification with the same parameters runs and fails (E2)."""
    seen: list[str] = []
    matches = HashProcess.verify

    def counting(process: HashProcess, stored: str, password: str) -> bool:
        seen.append(stored)
        return matches(process, stored, password)

    monkeypatch.setattr(HashProcess, "verify", counting)
    stored = await pool.hash("right")
    for none in ("", "$2b$12$of/another/kind", stored.replace("p=1", "p=2"), stored[:-1]):
        assert not await pool.verify(none, "right")
    assert not await pool.verify(stored, "wrong")
    assert [one.rsplit("$", 2)[0] for one in seen] == [stored.rsplit("$", 2)[0]] * 5


@pytest.mark.slow
async def test_a_full_queue_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the threads and eight waiters for each, or after the timeout, it is Busy (P5)."""
    pool = PasswordHasher(CHEAP, threads=1)

    async def verify(at: int) -> bool:
        async with pool.slot(HashClient(f"target {at}", f"host {at}")):
            return await pool.verify("", "x")

    async def rush() -> list[object]:
        return await asyncio.gather(*(verify(at) for at in range(30)), return_exceptions=True)

    outcomes = await rush()
    assert sum(outcome is False for outcome in outcomes) == 9
    assert sum(isinstance(outcome, Busy) for outcome in outcomes) == 21
    pool.close()
    monkeypatch.setattr(hashing, "MAX_WAIT_SECONDS", 0.0)
    pool = PasswordHasher(CHEAP, threads=1)
    outcomes = await rush()
    pool.close()
    at_once = hashing.SLOTS_PER_THREAD
    assert [outcome is False for outcome in outcomes] == [True] * at_once + [False] * 28
    assert all(isinstance(outcome, Busy) for outcome in outcomes[at_once:])


STRENGTH = PasswordPolicy(load_common_passwords(), PasswordRules(8, ("hupan", "湖畔", "Lotus")))
ALPHABETS = {
    "letters": string.ascii_lowercase,
    "letters and figures": string.ascii_letters + string.digits,
    "all that is printed": string.digits + string.ascii_letters + string.punctuation,
    "figures": string.digits,
    "Chinese": "".join(map(chr, range(0x4E00, 0x9FA0))),
}


def is_weak(password: str, *words: str) -> bool:
    """Return whether a password is refused as weak."""
    try:
        STRENGTH.check(password, *words)
    except WeakPassword:
        return True
    return False


def test_common_passwords(subtests: pytest.Subtests) -> None:
    """Leaked ones, disguised words, Pinyin names, dates, numbers and key rows are refused."""
    for password in [
        *("password", "12345678", "iloveyou", "PASSWORD", "Password1!", "p@ssw0rd123"),
        *("Dragon2024", "!monkey!", "2024football", "letmein-1", "passwordpassword"),
        *("woaini1314", "woaini5201314", "wodemima", "mima1234", "woaiwojia", "5201314520"),
        *("zhangwei", "zhangwei123", "zhangwei19900101", "lixiaoming", "zw19900101", "qq123456789"),
        *("woaizhangwei", "weixin123", "13912345678", "a13912345678", "19900101", "20081231"),
        *("qwertyuiop", "asdfghjkl", "1qaz2wsx", "qazwsxedc", "1234qwer", "zxcvbnm,", "poiuytrewq"),
        *("aaaaaaaa", "abcabcabc", "12121212", "abababab", "abcdefgh", "87654321", "147258369"),
        *("88888888", "66668888", "1357924680" * 2, "asdfasdf", "ABCD1234", "abc123456"),
    ]:
        with subtests.test(password=password):
            assert is_weak(password)


@pytest.mark.parametrize(
    "password",
    [
        *("１２３４５６７８", "ｐａｓｓｗｏｒｄ", "Ｐａｓｓｗｏｒｄ１！", "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝", "①②③④⑤⑥⑦⑧"),
        *("paſſword", "ｈｕｐａｎ２０２４", "ＬＯＴＵＳ-123"),
    ],
)
def test_other_forms_of_the_same_letters(password: str) -> None:
    """Full-width, circled and bold forms of a common password are refused (security P3)."""
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
    """No kinds of characters are required, and several words are accepted (security P2)."""
    assert not is_weak(password)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALPHABETS)
def test_false_alarms(name: str) -> None:
    """At most one in a thousand of four thousand random 9-character passwords is refused."""
    dice = random.Random(name)  # noqa: S311 - a repeatable test
    made = ("".join(dice.choices(ALPHABETS[name], k=9)) for _ in range(4_000))
    assert sum(map(is_weak, made)) <= 4


@pytest.mark.parametrize(("length", "passes"), [(7, False), (8, True), (128, True), (256, True)])
@pytest.mark.parametrize("piece", ["x7Qr~k2V", "湖é🌊𠀀ßñ柳畔"])
def test_length(piece: str, length: int, *, passes: bool) -> None:
    """Code points count: eight are enough and hundreds are accepted (security P1)."""
    dice = random.Random(length)  # noqa: S311 - a repeatable test
    password = "".join(dice.choices(piece, k=length))
    if passes:
        STRENGTH.check(password)
    else:
        with pytest.raises(PasswordTooShort) as refused:
            STRENGTH.check(password)
        assert refused.value.min_characters == 8


@pytest.mark.parametrize(("piece", "most"), [("x7Qr~k2V", 1024), ("é", 512), ("湖", 341)])
def test_as_long_as_what_is_hashed(piece: str, most: int) -> None:
    """1,024 bytes are accepted, one more is refused by the field's name (security P1)."""
    text = "".join(random.Random(1).choices(piece + "aß", k=most))  # noqa: S311 - a repeatable test
    room = 1024 - len(text.encode())
    longest = text + "7" * room if room >= 0 else text.encode()[:1024].decode(errors="ignore")
    STRENGTH.check(longest)
    with pytest.raises(InvalidField, match="password"):
        STRENGTH.check(longest + "z" * (1025 - len(longest.encode())))


def test_what_is_no_text() -> None:
    """Invalid Unicode from a terminal of another encoding is refused and not stored (P1)."""
    with pytest.raises(InvalidField, match="password"):
        STRENGTH.check("gr\udcfcn-wie-gras-und-laub")


def test_the_profile_of_fifteen() -> None:
    """The minimum length is a setting (security P1)."""
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
    """Product, host, name, number or address plus too little is refused (security P3)."""
    assert is_weak(password, *words)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        *(("hupan-under-elms", ()), ("abc-under-elms", ("abc", ""))),
        *(("湖畔的第三棵柳树", ()), ("dongfangyu under elms", ("dongfangyu",))),
    ],
)
def test_words_next_to_enough_else(password: str, words: tuple[str, ...]) -> None:
    """A password may contain such a word if the rest is strong; short words are ignored."""
    assert not is_weak(password, *words)


@given(st.text(min_size=8, max_size=128))
def test_any_text_is_judged(password: str) -> None:
    """Any characters give a yes or a no (security P2)."""
    is_weak(password, password[:3], "用户1000001")


@pytest.mark.slow
@given(st.sets(st.text(min_size=1), min_size=1, max_size=200))
def test_the_filter_misses_nothing(entries: set[str]) -> None:
    """Every entry of the list is found."""
    common = CommonPasswordFilter(build_filter(entries))
    assert all(entry in common for entry in entries)


@pytest.mark.slow
def test_the_filter_is_seldom_wrong() -> None:
    """At most 20 of a hundred thousand texts that are not in the list match."""
    common = load_common_passwords()
    assert sum(f"no entry {number}" in common for number in range(100_000)) <= 20
