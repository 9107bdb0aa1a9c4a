"""Bans: an account that is banned can neither sign in nor use its tokens, nor is it shown.

A ban is read with each caller, so it holds at once on every worker (security T6); one that has
ended is none. Its sessions are kept: what a banned client is told is 7100, not that it signed out
(wire.md 2).
"""

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.refusals import InvalidField, UnknownUser
from hupan.domain.text import in_normal_form, is_clean
from hupan.model import NEVER_ENDS, AccountId
from hupan.store.bans import set_ban
from hupan.store.engine import Engine, Transaction

MOST_REASON_CHARACTERS = 200


class Ban(Struct, frozen=True):
    """A ban that may be put on an account.

    Attributes:
        until: when it ends, in unix seconds; `NEVER_ENDS` for good.
    """

    until: int
    reason: str


class Bans:
    """Bans accounts and lets them back in."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def ban(self, account: AccountId, reason: str, until: int = NEVER_ENDS) -> Ban:
        """Bans an account for good or until a time; an earlier ban is replaced.

        Raises:
            InvalidField: `reason` is no line of 1 to 200 characters, or `until` is not ahead.
            UnknownUser: there is no such account.
        """
        ban = read_ban(reason, "reason", until, int(self._clock.now()))
        await self._engine.change(lambda tx: put_ban(tx, account, ban))
        return ban

    async def unban(self, account: AccountId) -> None:
        """Ends a ban; where there is none nothing changes.

        Raises:
            UnknownUser: there is no such account.
        """
        await self._engine.change(lambda tx: put_ban(tx, account, Ban(0, "")))


def read_ban(reason: str, field: str, until: int, now: int) -> Ban:
    """A ban from what somebody wrote.

    Raises:
        InvalidField: the reason is no line of 1 to 200 characters, or `until` is not ahead.
    """
    line = in_normal_form(reason, field, most_characters=MOST_REASON_CHARACTERS)
    if not is_clean(line) or not 1 <= len(line) <= MOST_REASON_CHARACTERS:
        raise InvalidField(field)
    if not now < until <= NEVER_ENDS:
        raise InvalidField("until")
    return Ban(until, line)


async def put_ban(tx: Transaction, account: AccountId, ban: Ban) -> None:
    """Puts a ban on an account inside a change.

    Raises:
        UnknownUser: there is no such account.
    """
    if not await set_ban(tx, account, ban.until, ban.reason):
        raise UnknownUser
