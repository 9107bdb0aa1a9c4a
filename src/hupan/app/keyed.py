"""Parts for operators that need the server's key: made only when a command asks for them.

They work beside a server, whose courier finds their notices by itself within seconds.
"""

from hupan.app.limit_table import limits
from hupan.app.operating import OperationRefused
from hupan.app.rules import contact_rules, rules, session_life, targets
from hupan.chance import SystemChance
from hupan.clock import Clock
from hupan.config import Settings
from hupan.domain.account_help import AccountHelp
from hupan.domain.codes import Codes
from hupan.domain.contact_proofs import ContactProofs
from hupan.domain.contact_undo import ContactUndo
from hupan.domain.endings import Endings
from hupan.domain.limiter import Limiter
from hupan.domain.messages import Messages
from hupan.domain.notices import Notices
from hupan.domain.settings import DAY
from hupan.seal import KeyFileError, Seal, read_key
from hupan.store.engine import Engine


def make_endings(settings: Settings, engine: Engine, clock: Clock) -> Endings:
    """Ends accounts.

    Raises:
        OperationRefused: the server's key cannot be read.
    """
    seal = _seal(settings)
    return Endings(
        engine,
        clock,
        targets(settings),
        _codes(settings, seal),
        _notices(seal),
        ContactProofs(contact_rules(settings)),
        settings.account_erasure_days * DAY,
    )


def make_contact_undo(settings: Settings, engine: Engine, clock: Clock) -> ContactUndo:
    """Undoes changes of numbers and addresses.

    Raises:
        OperationRefused: the server's key cannot be read.
    """
    return ContactUndo(engine, clock, _notices(_seal(settings)), contact_rules(settings))


def make_account_help(settings: Settings, engine: Engine, clock: Clock) -> AccountHelp:
    """Helps owners of accounts who lost what they sign in with.

    Raises:
        OperationRefused: the server's key cannot be read.
    """
    seal = _seal(settings)
    return AccountHelp(
        engine,
        clock,
        _codes(settings, seal),
        Messages(seal, SystemChance()),
        _notices(seal),
        session_life(settings),
    )


def _codes(settings: Settings, seal: Seal) -> Codes:
    its_limits = limits(settings)
    limiter = Limiter(enabled=its_limits.enabled)
    lifetime_seconds = rules(settings).code_lifetime_seconds
    return Codes(seal, SystemChance(), limiter, its_limits, lifetime_seconds)


def _seal(settings: Settings) -> Seal:
    try:
        return Seal(read_key(settings.secret_key_path))
    except (KeyFileError, OSError) as error:
        raise OperationRefused(str(error)) from error


def _notices(seal: Seal) -> Notices:
    return Notices(Messages(seal, SystemChance()), _wake_nobody)


def _wake_nobody() -> None:
    """The courier is another process's."""
