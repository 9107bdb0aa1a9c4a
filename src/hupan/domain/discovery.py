"""What can be discovered: groups by category and keyword, and recommended bots."""

import re
import unicodedata
from collections.abc import Sequence

from hupan.domain.refusals import InvalidField
from hupan.domain.text import in_normal_form, is_clean
from hupan.model import Bot, Group, GroupId
from hupan.store.bots import list_bots
from hupan.store.categories import list_categories, set_categories
from hupan.store.engine import Engine, Transaction
from hupan.store.grams import FEATURED, category_gram, fold
from hupan.store.group_search import GroupQuery, search_groups

FEATURED_CATEGORY = "精选"
"""The category of all groups that are featured, whatever category they stand in."""
DEFAULT_CATEGORIES = (FEATURED_CATEGORY, "粉丝群", "地区", "IT/互联网", "玩机", "游戏", "资讯订阅")
"""Those of the reference, until others are set."""
MOST_CATEGORIES = 50
MOST_CATEGORY_CHARACTERS = 16
MOST_GIVEN_CATEGORY_CHARACTERS = 64
"""Of what is asked for; longer ones than are kept find nothing."""
MOST_KEYWORD_CHARACTERS = 32
"""As on the wire (security I8)."""
MOST_BOTS = 100
"""The list of bots has no pages."""
_GROUP_ID = re.compile("[1-9][0-9]{8}")


class Discovery:
    """Answers what there is to discover."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def categories(self) -> list[str]:
        """The categories in their order; those of the reference when none were set."""
        return await list_categories(self._engine) or list(DEFAULT_CATEGORIES)

    async def set_categories(self, names: Sequence[str]) -> None:
        """Replaces the categories; none brings those of the reference back.

        Raises:
            InvalidField: a name is empty, too long or not clean, stands twice, or too many came.
        """
        kept = [
            in_normal_form(name, "category", most_characters=MOST_CATEGORY_CHARACTERS)
            for name in names
        ]
        if not all(map(_is_category, kept)) or not len(set(kept)) == len(kept) <= MOST_CATEGORIES:
            raise InvalidField("category")

        async def change(tx: Transaction) -> None:
            await set_categories(tx, kept)

        await self._engine.change(change)

    async def groups(self, category: str, keyword: str, *, page: int, size: int) -> list[Group]:
        """A page of the groups in a category, "" for all, whose name or introduction has a keyword.

        A keyword that is the id of a group finds that group too. By headcount, equal ones by id.

        Raises:
            InvalidField: the keyword is too long or holds control characters.
        """
        if len(keyword) > MOST_KEYWORD_CHARACTERS:
            raise InvalidField("keyword")
        folded = fold(keyword)
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in folded):
            raise InvalidField("keyword")
        query = GroupQuery(
            mark=_mark(category),
            keyword=folded,
            id=GroupId(int(folded)) if _GROUP_ID.fullmatch(folded) else None,
            offset=(page - 1) * size,
            size=size,
        )
        return await search_groups(self._engine, query)

    async def bots(self) -> list[Bot]:
        """The bots that most people use."""
        return await list_bots(self._engine, MOST_BOTS)


def _mark(category: str) -> str:
    name = in_normal_form(category, "category", most_characters=MOST_GIVEN_CATEGORY_CHARACTERS)
    if name == FEATURED_CATEGORY:
        return FEATURED
    return category_gram(name) if name else ""


def _is_category(name: str) -> bool:
    return 1 <= len(name) <= MOST_CATEGORY_CHARACTERS and is_clean(name)
