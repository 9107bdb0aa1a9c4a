"""How an operator ends an account."""

from collections.abc import Callable

from hupan.app.account_rows import Row
from hupan.app.operating import OperationRefused
from hupan.app.rules import limits, rules, targets
from hupan.chance import SystemChance
from hupan.clock import Clock
from hupan.config import Settings
from hupan.domain.codes import Codes
from hupan.domain.endings import Endings
from hupan.domain.limiter import Limiter
from hupan.domain.messages import Messages
from hupan.domain.notices import Notices
from hupan.domain.roster import Roster
from hupan.domain.settings import DAY
from hupan.seal import KeyFileError, Seal, load_key
from hupan.store.engine import Engine


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


def make_endings(settings: Settings, engine: Engine, clock: Clock) -> Endings:
    """Ends accounts beside a server, whose courier finds the notices by itself within seconds.

    Raises:
        OperationRefused: the server's key cannot be read.
    """
    try:
        seal = Seal(load_key(settings.secret_key_path))
    except (KeyFileError, OSError) as error:
        raise OperationRefused(str(error)) from error
    chance, its_limits = SystemChance(), limits(settings)
    lifetime_seconds = rules(settings).code_lifetime_seconds
    codes = Codes(seal, chance, Limiter(enabled=its_limits.enabled), its_limits, lifetime_seconds)
    notices = Notices(Messages(seal, chance), _wake_nobody)
    erase_after_seconds = settings.account_erasure_days * DAY
    return Endings(engine, clock, targets(settings), codes, notices, erase_after_seconds)


def _wake_nobody() -> None:
    """The courier is another process's."""
