"""Groups for tests, and a plain search of them."""

from collections.abc import Iterable

from msgspec.structs import replace

from hupan.model import Group, GroupId

PLAIN = Group(
    id=GroupId(100_000_001),
    ban_id=0,
    name="西湖交流群",
    introduction="",
    avatar_url="",
    headcount=1,
    created_at=1_700_000_000,
    category="",
    is_featured=0,
)


def group(number: int, **values: object) -> Group:
    """Return a group with the id of a number."""
    return replace(PLAIN, id=GroupId(100_000_000 + number), **values)


def plainly(groups: Iterable[Group], category: str, keyword: str) -> list[Group]:
    """Return all that a search must find, in order; keywords are lower case without blanks."""
    found = [
        one
        for one in groups
        if (category in ("", one.category) or (category == "精选" and one.is_featured))
        and (keyword in one.name or keyword in one.introduction or keyword == str(one.id))
    ]
    return sorted(found, key=lambda one: (-one.headcount, one.id))
