"""How operators help owners who lost phone, e-mail or password (docs/decisions/0031)."""

from collections.abc import Callable

from hupan.app.account_rows import Row, account_sheet, session_row
from hupan.app.operating import OperationRefused
from hupan.clock import Clock
from hupan.domain.account_help import AccountHelp, LastContact, NothingToResetBy
from hupan.domain.refusals import InvalidField
from hupan.domain.roster import Roster
from hupan.domain.targets import Target, Targets
from hupan.model import Channel


class HelpDesk:
    """Changes what an account is signed in with; finds accounts by id, number or address (`who`).

    Args:
        clock: tells what is in force.
        roster: finds accounts.
        targets: reads numbers and addresses.
        make_help: is asked only when a command needs it, for it needs the server's key.
    """

    def __init__(
        self,
        clock: Clock,
        roster: Roster,
        targets: Targets,
        make_help: Callable[[], AccountHelp],
    ) -> None:
        self._clock = clock
        self._roster = roster
        self._targets = targets
        self._make_help = make_help

    async def set_contact(self, who: str, channel: Channel, text: str | None) -> Row:
        """Binds a number or an address, None for none; tells of the account as it is then.

        Raises:
            UnknownUser, AccountCancelled, PhoneTaken, EmailTaken
            OperationRefused: it is no number or address, or would be the last to be taken away.
        """
        account = await self._roster.find(who)
        target = None if text is None else self._target(channel, text)
        try:
            await self._make_help().set_contact(account.id, channel, target)
        except LastContact as error:
            raise OperationRefused(
                "这是唯一的登录方式，请先绑定另一种 / the only way to sign in: bind another first"
            ) from error
        return account_sheet(await self._roster.entry(str(account.id)), self._clock.now())

    async def start_reset(self, who: str, *, remove: bool) -> Row:
        """Sends the code that sets a new password, and removes the old one if that is wanted.

        Raises:
            UnknownUser, AccountCancelled
            OperationRefused: there is no address for the code.
        """
        account = await self._roster.find(who)
        try:
            done = await self._make_help().start_reset(account.id, remove=remove)
        except NothingToResetBy as error:
            raise OperationRefused(
                "该账号没有邮箱，请先用 hupan account set-email 绑定 / "
                "no e-mail address is bound: bind one first with hupan account set-email"
            ) from error
        return {
            "id": str(account.id),
            "nickname": account.name,
            "email": account.email,
            "removed": done.removed,
            "sent": done.sent,
        }

    async def sessions(self, who: str) -> list[Row]:
        """The live sessions of an account, the newest first.

        Raises:
            UnknownUser, AccountCancelled
        """
        account = await self._roster.find(who)
        return [session_row(one) for one in await self._make_help().sessions(account.id)]

    async def sign_out(self, who: str, number: int | None) -> Row:
        """Ends one session, or all; tells how many ended.

        Raises:
            UnknownUser, AccountCancelled
            OperationRefused: there is no session with this number.
        """
        account = await self._roster.find(who)
        ended = await self._make_help().sign_out(account.id, number)
        if number is not None and not ended:
            raise OperationRefused(
                f"没有序号为 {number} 的会话 / no session has the number {number}"
            )
        return {"id": str(account.id), "nickname": account.name, "ended": ended}

    def _target(self, channel: Channel, text: str) -> Target:
        try:
            return (
                self._targets.phone(text, "") if channel == "sms" else self._targets.email(text, "")
            )
        except InvalidField as error:
            raise OperationRefused(
                "不是可用的手机号 / not a phone number that is taken here"
                if channel == "sms"
                else "不是可用的邮箱 / not an e-mail address that is taken here"
            ) from error
