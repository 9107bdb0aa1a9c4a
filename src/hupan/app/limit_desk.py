"""What operators do with limits: look at what was counted of somebody, and forget it."""

from hupan.app.account_rows import Row
from hupan.app.limit_rows import count_row
from hupan.app.operating import OperationRefused
from hupan.config import Settings
from hupan.domain.limit_counts import LimitCounts
from hupan.domain.limit_resets import LimitResets
from hupan.domain.refusals import InvalidField, UnknownUser


class LimitDesk:
    """Shows and forgets counts."""

    def __init__(self, counts: LimitCounts, resets: LimitResets, settings: Settings) -> None:
        self._counts = counts
        self._resets = resets
        self._settings = settings

    async def counted(self, who: str) -> list[Row]:
        """What the store counts of a target, or of all that is bound to an account.

        Raises:
            OperationRefused: it is nothing of these, or no account has this id.
        """
        try:
            counted = await self._counts.counted(who)
        except InvalidField as error:
            raise OperationRefused(
                "应为手机号、邮箱或账号编号；按 IP 的计数在各进程的内存中 / not a phone number, an "
                "e-mail or an account's id; what is counted of addresses is in each process"
            ) from error
        except UnknownUser as error:
            raise OperationRefused("没有这个账号 / no account has this id") from error
        return [count_row(target, tally, self._settings) for target, tally in counted]

    async def reset(self, who: str) -> Row:
        """Forgets what is counted of a target, an account, an address or a network.

        Raises:
            OperationRefused: it is nothing of these, or no account has this id.
        """
        try:
            forgotten = await self._resets.reset(who.strip())
        except InvalidField as error:
            raise OperationRefused(
                "应为手机号、邮箱、账号编号、IP 地址或网段（IPv4 至多 /24，IPv6 至多 /48） / "
                "not a phone number, an e-mail, an account's id, an IP address or a network "
                "(of IPv4 at most a /24, of IPv6 a /48)"
            ) from error
        except UnknownUser as error:
            raise OperationRefused("没有这个账号 / no account has this id") from error
        return {"target": who.strip(), "forgotten": forgotten}
