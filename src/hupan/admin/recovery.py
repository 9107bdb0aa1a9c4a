"""Admin operations for account recovery: contacts, password reset, sessions (decision 0031)."""

from collections.abc import Callable

from hupan.addresses import ContactAddress, ContactParser
from hupan.admin.views import AdminRow, account_detail_row, contact_change_row, session_row
from hupan.clock import Clock
from hupan.domain.accounts import AccountDirectory
from hupan.domain.recovery import AccountRecovery, ContactUndo, LastContact, NothingToResetBy
from hupan.errors import InvalidField
from hupan.model import Channel
from hupan.opening import OperationRefused


class ContactAdmin:
    """Lists the changes that can be undone, and undoes them.

    Args:
        clock: tells what is in force.
        directory: finds accounts.
        make_undo: is asked only when a command needs it, for it needs the server's key.
    """

    def __init__(
        self, clock: Clock, directory: AccountDirectory, make_undo: Callable[[], ContactUndo]
    ) -> None:
        self._clock = clock
        self._directory = directory
        self._make_undo = make_undo

    async def list_changes(self, who: str) -> list[AdminRow]:
        """The changes of an account that are still kept, newest first.

        Raises:
            UnknownUser: there is none.
            OperationRefused: the server's key cannot be read.
        """
        account = await self._directory.get(who)
        return [
            contact_change_row(change)
            for change in await self._make_undo().list_changes(account.id)
        ]

    async def undo(self, who: str, number: int) -> AdminRow:
        """Gives back what was bound before a change; tells of the account as it is then.

        Raises:
            UnknownUser: there is none.
            TooLateToUndo, PhoneTaken, EmailTaken
            OperationRefused: the server's key cannot be read.
        """
        account = await self._directory.get(who)
        await self._make_undo().undo(account.id, number)
        return account_detail_row(
            await self._directory.get_details(str(account.id)), self._clock.now()
        )


class RecoveryAdmin:
    """Changes what an account is signed in with; finds accounts by id, number or address (`who`).

    Args:
        clock: tells what is in force.
        directory: finds accounts.
        contact_parser: reads numbers and addresses.
        make_recovery: is asked only when a command needs it, for it needs the server's key.
    """

    def __init__(
        self,
        clock: Clock,
        directory: AccountDirectory,
        contact_parser: ContactParser,
        make_recovery: Callable[[], AccountRecovery],
    ) -> None:
        self._clock = clock
        self._directory = directory
        self._contact_parser = contact_parser
        self._make_recovery = make_recovery

    async def set_contact(self, who: str, channel: Channel, text: str | None) -> AdminRow:
        """Binds a number or an address, None for none; tells of the account as it is then.

        Raises:
            UnknownUser, AccountCancelled, PhoneTaken, EmailTaken
            OperationRefused: it is no number or address, or would be the last to be taken away.
        """
        account = await self._directory.get(who)
        contact = None if text is None else self._parse_contact(channel, text)
        try:
            await self._make_recovery().set_contact(account.id, channel, contact)
        except LastContact as error:
            raise OperationRefused(
                "这是唯一的登录方式，请先绑定另一种",
                "this is the only way to sign in: bind another one first",
            ) from error
        return account_detail_row(
            await self._directory.get_details(str(account.id)), self._clock.now()
        )

    async def start_password_reset(self, who: str, *, remove: bool) -> AdminRow:
        """Sends the code that sets a new password, and removes the old one if that is wanted.

        Raises:
            UnknownUser, AccountCancelled
            OperationRefused: there is no address for the code.
        """
        account = await self._directory.get(who)
        try:
            result = await self._make_recovery().start_reset(account.id, remove=remove)
        except NothingToResetBy as error:
            raise OperationRefused(
                "该账号没有邮箱，请先用 hupan account set-email 绑定",
                "no e-mail address is bound: bind one first with hupan account set-email",
            ) from error
        return {
            "id": str(account.id),
            "nickname": account.name,
            "email": account.email,
            "removed": result.removed,
            "sent": result.sent,
        }

    async def list_sessions(self, who: str) -> list[AdminRow]:
        """The live sessions of an account, the newest first.

        Raises:
            UnknownUser, AccountCancelled
        """
        account = await self._directory.get(who)
        return [session_row(one) for one in await self._make_recovery().list_sessions(account.id)]

    async def sign_out(self, who: str, number: int | None) -> AdminRow:
        """Ends one session, or all; tells how many ended.

        Raises:
            UnknownUser, AccountCancelled
            OperationRefused: there is no session with this number.
        """
        account = await self._directory.get(who)
        ended = await self._make_recovery().sign_out(account.id, number)
        if number is not None and not ended:
            raise OperationRefused(
                f"没有序号为 {number} 的会话", f"no session has the number {number}"
            )
        return {"id": str(account.id), "nickname": account.name, "ended": ended}

    def _parse_contact(self, channel: Channel, text: str) -> ContactAddress:
        try:
            return (
                self._contact_parser.parse_phone(text, "")
                if channel == "sms"
                else self._contact_parser.parse_email(text, "")
            )
        except InvalidField as error:
            if channel == "sms":
                raise OperationRefused(
                    "不是可用的手机号", "not a phone number that is accepted here"
                ) from error
            raise OperationRefused(
                "不是可用的邮箱", "not an e-mail address that is accepted here"
            ) from error
