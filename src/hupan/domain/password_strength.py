"""What a new password must be: long enough, not common, not made of what is known (P1, P3).

Nothing is asked of its characters (security P2), and passwords that exist are never looked at.
"""

import re
import unicodedata
from collections.abc import Iterator

from hupan.domain.common_passwords import CommonPasswords
from hupan.domain.password_patterns import is_pattern, repeated_piece
from hupan.domain.refusals import InvalidField, PasswordTooShort, WeakPassword
from hupan.domain.settings import PasswordRules
from hupan.domain.text import has_long_runs_of_marks

MOST_BYTES = 1024
"""What is hashed at most; whatever is taken is hashed whole, so it verifies (security P1, P2)."""

# A word with up to four figures or signs on each side, as people add when they are asked to.
_DRESSED = re.compile(r"[^a-z]{0,4}([a-z]{5,})[^a-z]{0,4}")
# A word, or initials, and a longer number, either of them first.
_WORD_AND_NUMBER = re.compile(r"([a-z]+)[^a-z0-9]?([0-9]{4,})|([0-9]{4,})[^a-z0-9]?([a-z]+)")
# Letters that people write as figures and signs; the last of them may be what the word ends with.
_DISGUISED = re.compile(r"([a-z@4301!$57]{5,}[a-z])[^a-z]{0,4}")
_PLAIN = str.maketrans("@4301!$57", "aaeoiisst")
_FEWEST_LETTERS = 4
_LONGEST_INITIALS = 3
_SHORTEST_NUMBER_BESIDE_INITIALS = 6
_SHORTEST_WORD = 4
_SHORTEST_CHINESE_WORD = 2


class PasswordStrength:
    """Refuses passwords that are guessed early."""

    def __init__(self, common: CommonPasswords, rules: PasswordRules) -> None:
        self._common = common
        self._least = rules.least_characters
        self._context = rules.context_words

    def check(self, password: str, *words: str) -> None:
        """Looks at a new password.

        Args:
            password: as it came.
            words: what is known of the account, as its name, number and address.

        Raises:
            InvalidField: longer than 1,024 bytes, or not Unicode.
            PasswordTooShort, WeakPassword
        """
        if len(password) > MOST_BYTES or not 0 <= _size_bytes(password) <= MOST_BYTES:
            raise InvalidField("password")
        if len(password) < self._least:
            raise PasswordTooShort(self._least)
        known = (*self._context, *words)
        for fold in (str.lower, _plain):
            lower = fold(password)
            if self._is_common(lower) or self._is_made_of(set(map(fold, known)), lower):
                raise WeakPassword

    def _is_made_of(self, words: set[str], lower: str) -> bool:
        """Whether what is left without the words would not do as a password of its own."""
        rest = lower
        for word in sorted(words, key=len, reverse=True):
            if len(word) >= (_SHORTEST_WORD if word.isascii() else _SHORTEST_CHINESE_WORD):
                rest = rest.replace(word, "")
        is_too_short = len(rest.encode()) < self._least  # a Chinese character is worth three
        return rest != lower and (is_too_short or self._is_common(rest))

    def _is_common(self, lower: str) -> bool:
        return any(
            is_pattern(form) or form in self._common or self._is_word_and_number(form)
            for form in _forms(lower)
        )

    def _is_word_and_number(self, form: str) -> bool:
        """Whether a text is a common word, or initials, beside a common number."""
        match = _WORD_AND_NUMBER.fullmatch(form)
        if match is None:
            return False
        word, number = match[1] or match[4], match[2] or match[3]
        if len(word) <= _LONGEST_INITIALS:
            is_word = len(number) >= _SHORTEST_NUMBER_BESIDE_INITIALS
        else:
            is_word = word in self._common
        return is_word and (is_pattern(number) or number in self._common)


def _plain(text: str) -> str:
    """A text as letters that look the same in full width, in bold or in circles stand for."""
    if has_long_runs_of_marks(text):  # no word that is common; to normalise it may take long (X2)
        return text.casefold()
    return unicodedata.normalize("NFKC", text).casefold()


def _forms(lower: str) -> Iterator[str]:
    """The texts that a password stands for: itself, its one piece, undressed, in plain letters."""
    yield lower
    yield repeated_piece(lower)
    if match := _DRESSED.fullmatch(lower):
        yield match[1]
    match = _DISGUISED.fullmatch(lower)
    if match and sum("a" <= character <= "z" for character in lower) >= _FEWEST_LETTERS:
        yield match[1].translate(_PLAIN)


def _size_bytes(password: str) -> int:
    """As UTF-8; -1 for what a terminal of another encoding made of its bytes."""
    try:
        return len(password.encode())
    except UnicodeEncodeError:
        return -1
