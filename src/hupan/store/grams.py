"""What a text can be found by: its characters and its pairs of neighbouring characters.

Words of Chinese are mostly two characters long and not set apart, and the engines' own indexes
begin at three (FTS5 trigram, pg_trgm); see docs/decisions/0007.
"""

import unicodedata
from itertools import pairwise

MOST_GRAMS = 6
"""Of a long keyword so many are looked up; what they find is compared with all of it."""
FEATURED = "\0f"


def fold(text: str) -> str:
    """A text as it is compared: compatible forms, case and kinds of blanks do not count."""
    once = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", once).split())


def searched_text(name: str, introduction: str) -> str:
    """What is searched of a group: a line for each of both, for folded texts hold no line break."""
    return f"{fold(name)}\n{fold(introduction)}"


def grams_of(folded: str) -> set[str]:
    """Everything that a folded text can be found by."""
    return {*folded, *map("".join, pairwise(folded))}


def grams_to_find(folded: str) -> list[str]:
    """The grams that every text with this keyword in it has, the ones that overlap least first."""
    pairs = ["".join(pair) for pair in pairwise(folded)]
    found = [*pairs[::2], *pairs[1::2]] or [folded]
    return list(dict.fromkeys(found))[:MOST_GRAMS]


def is_one_gram(folded: str) -> bool:
    """Whether a keyword is a gram itself, so that what has the gram has the keyword."""
    return len(folded) <= 2  # noqa: PLR2004 - a pair is two


def category_gram(category: str) -> str:
    """The mark of a category; a folded text holds no NUL, so none is mistaken for a mark."""
    return f"\0c{category}"
