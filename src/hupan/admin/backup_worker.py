"""The process that makes a scheduled backup: `python -m hupan.admin.backup_worker`.

It reads the settings of its server, pickled, from its standard input, and writes where the backup
is, or why there is none.
"""

import asyncio
import os
import pickle
import signal
import sys
from types import FrameType
from typing import BinaryIO

from hupan.admin.backups import create_backup, delete_old_backups
from hupan.config import Settings
from hupan.opening import OperationRefused

NICENESS = 10
"""The server's requests come first."""


def main(source: BinaryIO) -> int:
    """Make a backup and delete old ones; return the exit status."""
    settings = pickle.load(source)  # noqa: S301 - written by the server that started this process
    if not isinstance(settings, Settings):
        raise TypeError(type(settings).__name__)
    try:
        summary = asyncio.run(create_backup(settings))
        deleted = delete_old_backups(settings, summary)
    except OperationRefused as error:
        sys.stdout.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{summary.place} ({summary.size} bytes), deleted {deleted} old\n")
    return 0


def _end(_signal: int, _frame: FrameType | None) -> None:
    """Exit, and remove the copy of the database and the draft first."""
    sys.exit(1)


if __name__ == "__main__":
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main(sys.stdin.buffer))
