"""The filter of common passwords is generated from its list.

The story: a list of forbidden passwords was updated, the file that the server read was not, and
for a year the newest leak was refused in the tests of the list and nowhere else.
"""

import pytest

from hupan.domain.passwords import BITS_PER_ENTRY, FILTER_FILE, build_filter
from wordlists.chinese import chinese_passwords
from wordlists.make import TARGET, entries

FEWEST = 100_000  # security P3


@pytest.fixture(scope="module")
def listed() -> set[str]:
    """Return the entries of the list."""
    return entries()


@pytest.mark.slow
def test_the_filter_is_that_of_the_list(listed: set[str]) -> None:
    """`make wordlist` changes nothing."""
    assert TARGET.name == FILTER_FILE
    assert TARGET.read_bytes() == build_filter(listed)


def test_the_list_is_long_enough(listed: set[str]) -> None:
    """It has a hundred thousand entries, ten thousand of them Pinyin, all in lower case."""
    assert len(listed) >= FEWEST
    assert len(listed & chinese_passwords()) >= FEWEST / 10
    assert all(entry == entry.lower() for entry in listed)


@pytest.mark.slow
def test_a_missing_entry_is_seen(listed: set[str]) -> None:
    """A list with one entry less makes another filter."""
    fewer = build_filter(sorted(listed)[: -8 * BITS_PER_ENTRY])
    assert fewer != TARGET.read_bytes()
