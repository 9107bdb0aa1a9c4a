"""How an operator ends an account."""

from collections.abc import Callable

from hupan.app.account_rows import Row
from hupan.domain.endings import Endings
from hupan.domain.roster import Roster


class EndingDesk:
    """Cancels accounts as their owners do, but without a code.

    Args:
        roster: finds them.
        make_endings: is asked only when an account ends, for it needs the server's key.
    """

    def __init__(self, roster: Roster, make_endings: Callable[[], Endings]) -> None:
        self._roster = roster
        self._make_endings = make_endings

    async def delete(self, who: str) -> Row:
        """Ends an account at once; tells when it is erased.

        Raises:
            UnknownUser: there is none.
            OperationRefused: the server's key cannot be read.
        """
        account = await self._roster.find(who)
        erased_at = await self._make_endings().end(account.id)
        return {"id": str(account.id), "nickname": account.name, "erasedAt": erased_at}
