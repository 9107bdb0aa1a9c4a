"""How an operator ends an account."""

from collections.abc import Callable

from hupan.app.account_rows import Row, account_sheet
from hupan.app.operating import OperationRefused
from hupan.clock import Clock
from hupan.domain.endings import Endings
from hupan.domain.roster import Roster


class EndingDesk:
    """Cancels accounts as their owners do, but without a code.

    Args:
        clock: tells what is in force.
        roster: finds them.
        make_endings: is asked only when an account ends, for it needs the server's key.
    """

    def __init__(self, clock: Clock, roster: Roster, make_endings: Callable[[], Endings]) -> None:
        self._clock = clock
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

    async def restore(self, who: str) -> Row:
        """Takes a cancellation back, until the account is erased; tells of it as it is then.

        Raises:
            UnknownUser: there is none, or it is to be erased now.
            OperationRefused: it was not cancelled, or the server's key cannot be read.
        """
        found = await self._roster.find_any(who)
        if not found.erase_at:
            raise OperationRefused("该账号未注销 / this account was not cancelled")
        await self._make_endings().restore(found.account.id)
        return account_sheet(await self._roster.entry(str(found.account.id)), self._clock.now())
