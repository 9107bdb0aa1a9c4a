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


class RecoveryAdmin:
    """Changes the contacts, the password and the sessions of an account.

    Finds accounts by id, phone number or e-mail address (`identifier`). `get_recovery` and
    `get_contact_undo` read the server's key, so they are called only if they are needed, and
    raise OperationRefused if it cannot be read.
    """

    def __init__(
        self,
        clock: Clock,
        directory: AccountDirectory,
        contact_parser: ContactParser,
        get_recovery: Callable[[], AccountRecovery],
        get_contact_undo: Callable[[], ContactUndo],
    ) -> None:
        self._clock = clock
        self._directory = directory
        self._contact_parser = contact_parser
        self._get_recovery = get_recovery
        self._get_contact_undo = get_contact_undo

    async def list_contact_changes(self, identifier: str) -> list[AdminRow]:
        """Return the recorded contact changes of an account, newest first.

        Raises:
            UnknownUser: there is no such account.
        """
        account = await self._directory.get(identifier)
        return [
            contact_change_row(change)
            for change in await self._get_contact_undo().list_changes(account.id)
        ]

    async def undo_contact_change(self, identifier: str, number: int) -> AdminRow:
        """Restore the contact that was bound before a change; return the account.

        Raises:
            UnknownUser: there is no such account.
            TooLateToUndo, PhoneTaken, EmailTaken
        """
        account = await self._directory.get(identifier)
        await self._get_contact_undo().undo(account.id, number)
        return account_detail_row(
            await self._directory.get_details(str(account.id)), self._clock.now()
        )

    async def set_contact(self, identifier: str, channel: Channel, text: str | None) -> AdminRow:
        """Bind a contact, or unbind it (None); return the account.

        Raises:
            UnknownUser, AccountCancelled, PhoneTaken, EmailTaken
            OperationRefused: the contact is not valid, or the last one would be unbound.
        """
        account = await self._directory.get(identifier)
        contact = None if text is None else self._parse_contact(channel, text)
        try:
            await self._get_recovery().set_contact(account.id, channel, contact)
        except LastContact as error:
            raise OperationRefused(
                "这是唯一的登录方式，请先绑定另一种",
                "this is the only way to sign in: bind another one first",
            ) from error
        return account_detail_row(
            await self._directory.get_details(str(account.id)), self._clock.now()
        )

    async def start_password_reset(self, identifier: str, *, remove: bool) -> AdminRow:
        """Send the code that sets a new password; `remove` also deletes the old password.

        Raises:
            UnknownUser, AccountCancelled
            OperationRefused: the account has no e-mail address.
        """
        account = await self._directory.get(identifier)
        try:
            result = await self._get_recovery().start_reset(account.id, remove=remove)
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

    async def list_sessions(self, identifier: str) -> list[AdminRow]:
        """Return the active sessions of an account, newest first.

        Raises:
            UnknownUser, AccountCancelled
        """
        account = await self._directory.get(identifier)
        return [
            session_row(session) for session in await self._get_recovery().list_sessions(account.id)
        ]

    async def sign_out(self, identifier: str, number: int | None) -> AdminRow:
        """Revoke one session, or all; return how many.

        Raises:
            UnknownUser, AccountCancelled
            OperationRefused: no session has this number.
        """
        account = await self._directory.get(identifier)
        ended = await self._get_recovery().sign_out(account.id, number)
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
                    "本服务器不接受这个手机号", "not a phone number that is accepted here"
                ) from error
            raise OperationRefused(
                "本服务器不接受这个邮箱", "not an e-mail address that is accepted here"
            ) from error
