"""Sets of positions are stored and combined without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.store.discovery import (
    MAX_LISTED_POSITIONS,
    POSITIONS_PER_BLOCK,
    list_positions,
    pack_positions,
    unpack_bitmap,
)

PLACE = st.integers(0, POSITIONS_PER_BLOCK - 1)
SETS = st.one_of(
    st.sets(PLACE, max_size=40),
    st.builds(
        lambda start, step: set(range(start, POSITIONS_PER_BLOCK, step)), PLACE, st.integers(1, 300)
    ),
)


@pytest.mark.slow
@given(SETS)
def test_what_is_packed_comes_out(places: set[int]) -> None:
    """This holds for few positions or many, none or all."""
    members = unpack_bitmap(pack_positions(sorted(places)))
    assert list_positions(members, 0, POSITIONS_PER_BLOCK) == sorted(places)


def test_both_forms_hold_the_same() -> None:
    """The sets just below and above the bound between the forms are equal."""
    for count in (MAX_LISTED_POSITIONS, MAX_LISTED_POSITIONS + 1):
        places = list(range(3, 3 + 7 * count, 7))
        assert (
            list_positions(unpack_bitmap(pack_positions(places)), 0, POSITIONS_PER_BLOCK) == places
        )


@pytest.mark.slow
@given(SETS, st.integers(0, 70_000), st.integers(0, 120))
def test_a_page_is_a_slice(places: set[int], skip: int, most: int) -> None:
    """Offset and limit equal a slice of the ascending positions."""
    members = unpack_bitmap(pack_positions(sorted(places)))
    assert list_positions(members, skip, most) == sorted(places)[skip : skip + most]
