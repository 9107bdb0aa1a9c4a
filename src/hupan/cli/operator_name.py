"""The operator who runs a command, as journals and events name them."""

import os
import pwd

from hupan.app.operator_events import Operator

_LONGEST_NAME = 48


def operator_name() -> str:
    """Return the name of the system's user who runs the process, or its number without a name.

    The kernel's word alone counts: LOGNAME and its like are whatever the caller sets them to.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):  # a user without an entry, as containers have them
        name = ""
    return name if _is_name(name) else str(uid)


def operator() -> Operator:
    """Return the operator, with what sudo says of who called it (which is no proof)."""
    claimed = os.environ.get("SUDO_USER", "")
    return Operator(operator_name(), claimed if _is_name(claimed) else "")


def _is_name(name: str) -> bool:
    return name.isprintable() and 0 < len(name) <= _LONGEST_NAME
