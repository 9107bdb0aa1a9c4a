"""Writes the filter of common passwords: `make wordlist`.

From the frequency lists of zxcvbn (MIT licence: 30,000 passwords that leaked most often, and names
and words of English) and our own list of names and phrases in Pinyin.
"""

from pathlib import Path

from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # it ships none

from hupan.domain.passwords import FILTER_FILE, build_filter
from wordlists.chinese import chinese_passwords

SHORTEST = 4
TARGET = Path(__file__).parents[1] / "src/hupan/domain" / FILTER_FILE


def entries() -> set[str]:
    """Every entry, in lower case; shorter ones are never looked up."""
    english = {word.lower() for words in FREQUENCY_LISTS.values() for word in words}
    return {word for word in english | chinese_passwords() if len(word) >= SHORTEST}


if __name__ == "__main__":
    TARGET.write_bytes(build_filter(entries()))
