"""What operators do with numbers and addresses that were bound or changed (security A2)."""

from collections.abc import Callable

from hupan.app.account_rows import Row, account_sheet, contact_row
from hupan.clock import Clock
from hupan.domain.contact_undo import ContactUndo
from hupan.domain.roster import Roster


class ContactDesk:
    """Lists the changes that can be undone, and undoes them.

    Args:
        clock: tells what is in force.
        roster: finds accounts.
        make_undo: is asked only when a command needs it, for it needs the server's key.
    """

    def __init__(self, clock: Clock, roster: Roster, make_undo: Callable[[], ContactUndo]) -> None:
        self._clock = clock
        self._roster = roster
        self._make_undo = make_undo

    async def changes(self, who: str) -> list[Row]:
        """The changes of an account that are still kept, newest first.

        Raises:
            UnknownUser: there is none.
            OperationRefused: the server's key cannot be read.
        """
        account = await self._roster.find(who)
        return [contact_row(change) for change in await self._make_undo().changes(account.id)]

    async def undo(self, who: str, number: int) -> Row:
        """Gives back what was bound before a change; tells of the account as it is then.

        Raises:
            UnknownUser: there is none.
            TooLateToUndo, PhoneTaken, EmailTaken
            OperationRefused: the server's key cannot be read.
        """
        account = await self._roster.find(who)
        await self._make_undo().undo(account.id, number)
        return account_sheet(await self._roster.entry(str(account.id)), self._clock.now())
