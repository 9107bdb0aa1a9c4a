"""Sets of places are kept and worked on without loss."""

from hypothesis import given
from hypothesis import strategies as st

from hupan.store.bitmaps import MOST_ONE_BY_ONE, PLACES, pack, places_of, unpack

PLACE = st.integers(0, PLACES - 1)
SETS = st.one_of(
    st.sets(PLACE, max_size=40),
    st.builds(lambda start, step: set(range(start, PLACES, step)), PLACE, st.integers(1, 300)),
)


@given(SETS)
def test_what_is_packed_comes_out(places: set[int]) -> None:
    """Few places or many, none at all or all of them."""
    members = unpack(pack(sorted(places)))
    assert places_of(members, 0, PLACES) == sorted(places)


def test_both_forms_hold_the_same() -> None:
    """The set just below and just above the bound between the forms."""
    for count in (MOST_ONE_BY_ONE, MOST_ONE_BY_ONE + 1):
        places = list(range(3, 3 + 7 * count, 7))
        assert places_of(unpack(pack(places)), 0, PLACES) == places


@given(SETS, st.integers(0, 70_000), st.integers(0, 120))
def test_a_page_is_a_slice(places: set[int], skip: int, most: int) -> None:
    """Skipping and bounding is what slicing the ascending places would be."""
    members = unpack(pack(sorted(places)))
    assert places_of(members, skip, most) == sorted(places)[skip : skip + most]
