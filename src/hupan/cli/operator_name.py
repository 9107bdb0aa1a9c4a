"""Whoever runs a command, as journals and events name them."""

import getpass
import os

_LONGEST_NAME = 48


def operator_name() -> str:
    """The name of the user of the system, or the number of one without a name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without an entry, as containers have them
        name = ""
    return name if name.isprintable() and 0 < len(name) <= _LONGEST_NAME else str(os.getuid())
