"""What operators do with medals."""

from hupan.app.account_rows import Row
from hupan.domain.medals import Medals
from hupan.model import Medal


class MedalDesk:
    """Defines and lists medals; what cannot be is raised as the domain's refusal."""

    def __init__(self, medals: Medals) -> None:
        self._medals = medals

    async def define(self, name: str, sort: int | None, description: str, image_url: str) -> Row:
        """Makes a medal, or changes the one of that name."""
        return _row(await self._medals.define(name, sort, description, image_url))

    async def all(self) -> list[Row]:
        """Every medal, in their order."""
        return [_row(medal) for medal in await self._medals.all()]


def _row(medal: Medal) -> Row:
    return {
        "id": medal.id,
        "name": medal.name,
        "sort": medal.sort,
        "description": medal.description,
        "imageUrl": medal.image_url,
    }
