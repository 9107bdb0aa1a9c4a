"""A sandbox process for one test run."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

START_SECONDS = 60.0
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02
_OUTPUT_TAIL = 4000
_ADDRESS = re.compile(r"http://[^\s/]+:\d+")


class SandboxDidNotStart(Exception):
    """The sandbox ended or did not answer; the message has its output."""


class SandboxProcess:
    """A `hupan sandbox` on a free port of the loopback address.

    Args:
        arguments: further arguments, such as `--limits`.

    Attributes:
        url: its URL, once it has started.
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self._arguments = arguments
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "pytest_hupan.process", "sandbox"]
        options = ["--port", "0", "--quiet", *self._arguments]
        self._process = subprocess.Popen(  # noqa: S603 - our own program; the options are the project's
            [*command, *options],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        try:
            self.url = self._await_address(self._process)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the process, by force if it does not stop by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._output.close()

    def output(self) -> str:
        """Return the end of the process's output."""
        file = self._output.fileno()
        start = max(0, os.fstat(file).st_size - _OUTPUT_TAIL)
        # The process writes at the position of the file, which this must not move.
        return os.pread(file, _OUTPUT_TAIL, start).decode("utf-8", "replace")

    def _await_address(self, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = _ADDRESS.search(self.output())
            if found:
                return found[0]
            if process.poll() is not None:
                break
            time.sleep(_POLL_SECONDS)
        msg = f"hupan sandbox did not start:\n{self.output()}"
        raise SandboxDidNotStart(msg)
