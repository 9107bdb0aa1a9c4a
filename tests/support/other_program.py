"""Another SQLite program on the same file, in a separate process.

Within one process two copies of the library would not see each other's locks, and closing a file
of one would drop those of the other.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WORKING = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
for line in sys.stdin:
    print(json.dumps(connection.execute(json.loads(line)).fetchall()), flush=True)
connection.close()
"""


class OtherProgram:
    """A program that runs statements on request."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, sql: str) -> list[list[object]]:
        """Run a statement and return its rows."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(sql)}\n")
        self._process.stdin.flush()
        rows: list[list[object]] = json.loads(self._process.stdout.readline())
        return rows


@contextmanager
def other_program(path: Path) -> Iterator[OtherProgram]:
    """Yield a program that has the file open; close it at the end."""
    with subprocess.Popen(  # noqa: S603 # our own interpreter and text
        [sys.executable, "-c", _WORKING, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield OtherProgram(process)
