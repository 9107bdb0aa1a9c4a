"""What of an account others see, as operators set it (security D4)."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec.structs import replace

from hupan.app.account_rows import Row
from hupan.domain.privacy import Privacy
from hupan.domain.roster import Roster
from hupan.model import PrivacyChoice

Choice: TypeAlias = Literal["show", "hide", "default"]
PARTS = {
    "birthday": "birthday",
    "address": "address",
    "last_active": "lastActive",
    "country": "country",
}
"""The parts of a choice, and what they are called for programs."""

_SHOWN: dict[Choice, bool | None] = {"show": True, "hide": False, "default": None}
_CHOICES: dict[bool | None, Choice] = {shown: choice for choice, shown in _SHOWN.items()}


class PrivacyDesk:
    """Tells what an account chose, and chooses for it."""

    def __init__(self, roster: Roster, privacy: Privacy) -> None:
        self._roster = roster
        self._privacy = privacy

    async def choose(self, who: str, parts: Mapping[str, Choice]) -> Row:
        """Sets some parts of `PARTS`, or none, and tells what holds then.

        Raises:
            UnknownUser: there is none.
        """
        account = await self._roster.find(who)
        chosen = {part: _SHOWN[choice] for part, choice in parts.items()}
        if chosen:
            await self._privacy.amend(account.id, lambda choice: replace(choice, **chosen))
        choice = await self._privacy.find_choice(account.id)
        return {"id": str(account.id), "nickname": account.name, **self._told(choice)}

    def _told(self, choice: PrivacyChoice) -> Row:
        """Each part as it was chosen, and which of them others see."""
        shown = self._privacy.shown(choice)
        return {
            **{name: _CHOICES[getattr(choice, part)] for part, name in PARTS.items()},
            "shown": [name for part, name in PARTS.items() if getattr(shown, part)],
        }
