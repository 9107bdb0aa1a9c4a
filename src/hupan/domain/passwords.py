"""Password policy and password reset (security P1-P3, P6).

A password must have a minimum length and not be easy to guess; no kinds of characters are required
(security P2), and existing passwords are never checked. Easy to guess are common passwords, dates,
mobile numbers, keyboard walks, alphabetical sequences, repetitions, and numbers that sound like
words in Chinese (520, 1314).

The list of common passwords is a Bloom filter: it never misses an entry, and takes one text in ten
thousand for one. `make wordlist` creates it from `wordlists/`.
"""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final

from hupan.addresses import UNKNOWN_ORIGIN, ClientOrigin, ContactAddress, ContactParser
from hupan.clock import Clock
from hupan.domain.codes import Codes
from hupan.domain.contacts import bound_contacts, invalidate_codes
from hupan.domain.hashing import PasswordHasher, hash_client
from hupan.domain.outbox import NoticeQueue
from hupan.domain.text import has_excessive_marks
from hupan.errors import (
    AccountCancelled,
    AppError,
    Banned,
    InvalidField,
    PasswordTooShort,
    WeakPassword,
    WrongCode,
)
from hupan.model import Account
from hupan.ratelimit.stored import limit_key, password_attempts_key, unwrap
from hupan.rules import PasswordRules
from hupan.store.accounts import find_identity_owner, lock_account, set_password_hash
from hupan.store.codes import Code
from hupan.store.database import Database, Transaction
from hupan.store.rate_counters import delete_counters
from hupan.store.sessions import delete_sessions

FILTER_FILE: Final = "common_passwords.bin"
FILTER_HASHES: Final = 13
BITS_PER_ENTRY: Final = 20
"""With 13 hashes: fewer than one text in ten thousand is a false positive."""


class CommonPasswordFilter:
    """Contains common passwords in lower case."""

    def __init__(self, bits: bytes | mmap) -> None:
        self._bits = bits

    def __contains__(self, text: str) -> bool:
        """Return whether a text is in the list; rarely True for one that is not."""
        return all(
            self._bits[index >> 3] >> (index & 7) & 1
            for index in _bit_positions(text, len(self._bits) * 8)
        )


def load_common_passwords() -> CommonPasswordFilter:
    """Load the list that comes with the program; mapped, so that it does not delay the start."""
    with Path(__file__).with_name(FILTER_FILE).open("rb") as file:
        return CommonPasswordFilter(mmap(file.fileno(), 0, access=ACCESS_READ))


def build_filter(entries: Collection[str]) -> bytes:
    """Return the filter of a list."""
    bits = bytearray(-(-len(entries) * BITS_PER_ENTRY // 8))
    for entry in entries:
        for index in _bit_positions(entry, len(bits) * 8):
            bits[index >> 3] |= 1 << (index & 7)
    return bytes(bits)


def _bit_positions(text: str, size: int) -> list[int]:
    # One hash of 128 bits, split and stepped.
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8]), int.from_bytes(digest[8:]) | 1
    return [(first + number * step) % size for number in range(FILTER_HASHES)]


_YEAR = r"(?:19[4-9][0-9]|20[0-3][0-9])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_DATE = re.compile(rf"{_YEAR}(?:{_MONTH}{_DAY})?")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")

_KEYBOARD_ROWS = (
    *("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "!@#$%^&*()_+"),
    *("1qaz2wsx3edc4rfv5tgb6yhn7ujm", "qazwsxedcrfvtgbyhnujm", "741852963", "147258369"),
    *("abcdefghijklmnopqrstuvwxyz", "01234567890123456789"),
)
_SEQUENCE_LENGTHS = (3, 4, 5)
"""Longer walks consist of walks of these lengths."""
_HOMOPHONE_NUMBERS = frozenset(
    {"520", "521", "1314", "168", "518", *(figure * 3 for figure in "0123456789")}
)
_SEQUENCES = _HOMOPHONE_NUMBERS | {
    line[start : start + length]
    for row in _KEYBOARD_ROWS
    for line in (row, row[::-1])
    for length in _SEQUENCE_LENGTHS
    for start in range(len(line) - length + 1)
}
_MAX_REPEATED_LENGTH = 4
_MIN_DISTINCT_CHARACTERS = 3


def is_common_pattern(text: str) -> bool:
    """Return whether a text in lower case is only a pattern."""
    return (
        _is_date_or_mobile(text)
        or len(set(text)) < _MIN_DISTINCT_CHARACTERS
        or len(repeated_unit(text)) <= min(_MAX_REPEATED_LENGTH, len(text) - 1)
        or _is_chain_of_sequences(text)
    )


def _is_date_or_mobile(text: str) -> bool:
    return bool(_DATE.fullmatch(text) or _MOBILE.fullmatch(text))


def repeated_unit(text: str) -> str:
    """Return the shortest piece that repeats to form the text; the text itself if none does."""
    return text[: (text + text).index(text, 1)]


def _is_chain_of_sequences(text: str) -> bool:
    reached = {0}
    for start in range(len(text)):
        if start in reached:
            ends = (start + length for length in _SEQUENCE_LENGTHS)
            reached.update(end for end in ends if text[start:end] in _SEQUENCES)
    return len(text) in reached


MAX_PASSWORD_BYTES = 1024
"""The maximum that is hashed, always as a whole (security P1, P2)."""

# A word with up to four digits or symbols on each side, as people add when required to.
_PADDED_WORD = re.compile(r"[^a-z]{0,4}([a-z]{5,})[^a-z]{0,4}")
# A word, or initials, and a longer number, in either order.
_WORD_AND_NUMBER = re.compile(r"([a-z]+)[^a-z0-9]?([0-9]{4,})|([0-9]{4,})[^a-z0-9]?([a-z]+)")
# Letters written as digits and symbols; the last letter may end the word.
_LEET_WORD = re.compile(r"([a-z@4301!$57]{5,}[a-z])[^a-z]{0,4}")
_LEET_TO_LETTERS = str.maketrans("@4301!$57", "aaeoiisst")
_MIN_LETTERS = 4
_MAX_INITIALS = 3
_MIN_DIGITS_WITH_INITIALS = 6
_MIN_WORD_CHARACTERS = 4
_MIN_CHINESE_WORD_CHARACTERS = 2


class PasswordPolicy:
    """Rejects passwords that are easy to guess."""

    def __init__(self, common: CommonPasswordFilter, rules: PasswordRules) -> None:
        self._common = common
        self._min_characters = rules.min_characters
        self._context_words = rules.context_words

    def check(self, password: str, *words: str) -> None:
        """Check a new password.

        Args:
            password: as received.
            words: what is known about the account: name, phone number, address.

        Raises:
            InvalidField: longer than 1,024 bytes, or not Unicode.
            PasswordTooShort, WeakPassword
        """
        if (
            len(password) > MAX_PASSWORD_BYTES
            or not 0 <= _size_bytes(password) <= MAX_PASSWORD_BYTES
        ):
            raise InvalidField("password")
        if len(password) < self._min_characters:
            raise PasswordTooShort(self._min_characters)
        known = (*self._context_words, *words)
        for fold in (str.lower, _fold_lookalikes):
            lower = fold(password)
            if self._is_common(lower) or self._is_built_from(set(map(fold, known)), lower):
                raise WeakPassword

    def _is_built_from(self, words: set[str], lower: str) -> bool:
        # What is left without the words must be good enough as a password.
        rest = lower
        for word in sorted(words, key=len, reverse=True):
            if len(word) >= (
                _MIN_WORD_CHARACTERS if word.isascii() else _MIN_CHINESE_WORD_CHARACTERS
            ):
                rest = rest.replace(word, "")
        # A Chinese character counts as three.
        is_too_short = len(rest.encode()) < self._min_characters
        return rest != lower and (is_too_short or self._is_common(rest))

    def _is_common(self, lower: str) -> bool:
        return any(
            is_common_pattern(form) or form in self._common or self._is_word_and_number(form)
            for form in _variants(lower)
        )

    def _is_word_and_number(self, form: str) -> bool:
        # A common word, or initials, next to a common number.
        match = _WORD_AND_NUMBER.fullmatch(form)
        if match is None:
            return False
        word, number = match[1] or match[4], match[2] or match[3]
        if len(word) <= _MAX_INITIALS:
            is_word = len(number) >= _MIN_DIGITS_WITH_INITIALS
        else:
            is_word = word in self._common
        return is_word and (is_common_pattern(number) or number in self._common)


def _fold_lookalikes(text: str) -> str:
    # Full-width, bold and circled letters become plain ones.
    if has_excessive_marks(text):  # no common word, and slow to normalize (X2)
        return text.casefold()
    return unicodedata.normalize("NFKC", text).casefold()


def _variants(lower: str) -> Iterator[str]:
    # Itself, its repeated piece, without padding, without leetspeak.
    yield lower
    yield repeated_unit(lower)
    if match := _PADDED_WORD.fullmatch(lower):
        yield match[1]
    match = _LEET_WORD.fullmatch(lower)
    if match and sum("a" <= character <= "z" for character in lower) >= _MIN_LETTERS:
        yield match[1].translate(_LEET_TO_LETTERS)


def _size_bytes(password: str) -> int:
    # -1 for text that a terminal with another encoding produced from bytes.
    try:
        return len(password.encode())
    except UnicodeEncodeError:
        return -1


PASSWORD_CHANGED_NOTICE = "notice-password-changed"  # noqa: S105 - a kind of notice
_RESET_PURPOSES = ("own", "reset")


class PasswordResets:
    """Resets passwords with a code.

    The new password is hashed before the code is checked, so an address without an account, a wrong
    code and a right one take the same time (security E2). The pool bounds the cost, as for sign-ins
    (security P5).
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        contact_parser: ContactParser,
        codes: Codes,
        passwords: PasswordHasher,
        policy: PasswordPolicy,
        notices: NoticeQueue,
    ) -> None:
        self._database = database
        self._clock = clock
        self._contact_parser = contact_parser
        self._codes = codes
        self._passwords = passwords
        self._policy = policy
        self._notices = notices

    async def reset(
        self, email: str, code: str, password: str, origin: ClientOrigin = UNKNOWN_ORIGIN
    ) -> None:
        """Set the password of the account with this address; all its sessions end.

        Raises:
            InvalidField, PasswordTooShort, WeakPassword, Busy: before the code is checked.
            WrongCode, AccountCancelled, Banned
            WeakPassword: it contains data of the account; the code stays valid.
        """
        target = self._contact_parser.parse_email(email, "email")
        self._policy.check(password, target.address.partition("@")[0])
        async with self._passwords.slot(hash_client(limit_key(target), origin)):
            hashed = await self._passwords.hash(password)

        async def change(tx: Transaction) -> AppError | None:
            now = int(self._clock.now())
            redeemed = await self._codes.redeem(tx, target, code, purpose="reset", now=now)
            if isinstance(redeemed, AppError):
                return redeemed
            account = await self._account_for_code(tx, target, redeemed)
            if isinstance(account, AppError):
                return account
            if account.is_banned(now):
                return Banned()
            self._policy.check(password, account.name, account.phone, str(account.id))
            await self._set_password(tx, account, target, hashed, now)
            return None

        unwrap(await self._database.run_transaction(change))
        self._notices.flush()

    async def _account_for_code(
        self, tx: Transaction, target: ContactAddress, redeemed: Code
    ) -> Account | AppError:
        # By the purpose of the code, and only if the address still belongs to its owner (D1).
        owner = await find_identity_owner(tx, target.identity_kind, target.key)
        if redeemed.purpose not in _RESET_PURPOSES or owner != redeemed.account_id:
            return WrongCode()
        return await lock_account(tx, owner) or AccountCancelled()

    async def _set_password(
        self, tx: Transaction, account: Account, target: ContactAddress, hashed: str, now: int
    ) -> None:
        # Sessions and codes end, and every bound contact is notified (security P6).
        await set_password_hash(tx, account.id, hashed)
        await delete_sessions(tx, account.id, "password-changed", now)
        await delete_counters(tx, password_attempts_key(target.key))
        for bound_target in bound_contacts(account):
            await invalidate_codes(tx, bound_target)
        await self._notices.enqueue(tx, bound_contacts(account), PASSWORD_CHANGED_NOTICE, now=now)
