"""A real server process for tests: a free port of 127.0.0.1, stopped by its own process id."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from tests.support.forks import PROGRAM, Fork, can_fork, fork
from tests.support.ports import LOOPBACK, free_port
from tests.support.running import Running
from tests.support.stores import STORES

START_SECONDS = 120.0
STOP_SECONDS = 60.0
CHEAP_HASHES = {
    "HUPAN_TEST_PROFILE": "true",
    "HUPAN_PASSWORD_MEMORY_KIB": "1024",
    "HUPAN_PASSWORD_PASSES": "1",
}
"""Variables of a server for tests about passwords, but not about their hashes."""
FEW_PICTURES = {"HUPAN_CAPTCHA_POOL": "4"}
"""Drawing the usual 64 at each start and reset takes longer than many a test."""
SETTLE_SECONDS = 2.0
QUIET_SECONDS = 0.1


class Server(Running):
    """One `hupan` process, as a user would start it.

    Args:
        command: the sub-command, `sandbox` or `serve`.
        arguments: those after `--port N` on the command line, e.g. `"--data-dir", path`.
        environment: variables added to those of the test run.
        within: a command that executes the rest of its arguments, such as `unshare`.
        is_forked: whether the process may be forked from one that has imported the program, see
            `forks`; for tests that look at the process itself it may not.
    """

    def __init__(
        self,
        command: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
        is_forked: bool = True,
    ) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._home = Path(tempfile.mkdtemp(prefix="hupan-test-"))
        self._log = self._home / "output.txt"
        self._command = [
            *within,
            PROGRAM,
            command,
            "--port",
            str(self.port),
            *arguments,
            *STORES.options(_data_dir(arguments)),
        ]
        self._environment = {**os.environ, **FEW_PICTURES, **(environment or {})}
        self._is_forked = is_forked
        self._process: subprocess.Popen[bytes] | Fork | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | Fork:
        """Return the process, once started."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process

    @property
    def has_one_process(self) -> bool:
        """Return whether each connection is to the same process."""
        return "--workers" not in self._command and "HUPAN_WORKERS" not in self._environment

    @property
    def is_running(self) -> bool:
        """Return whether the started process is still alive."""
        return self.process.poll() is None

    def output(self) -> str:
        """Return all output of the process so far, of both streams.

        A server writes in a thread, after its responses: this waits until nothing more comes.
        """
        text = self._written()
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(QUIET_SECONDS)
            before, text = text, self._written()
            if text == before:
                break
        return text

    def _written(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start or restart the process on the same port and wait for `/healthz`.

        Raises:
            RuntimeError: it ended or did not answer; the message has its output.
        """
        self._process = self._start_process()
        self._await_health()

    def _start_process(self) -> subprocess.Popen[bytes] | Fork:
        with self._log.open("ab") as log:
            if self._is_forked and can_fork(self._command, self._environment):
                with Path(os.devnull).open("rb") as nothing:
                    streams = (nothing.fileno(), log.fileno(), log.fileno())
                    return fork(self._command, self._environment, self._home, *streams)
            return subprocess.Popen(  # noqa: S603 - our own executable, fixed arguments
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._home,
            )

    def stop(self) -> int:
        """Stop the process gracefully, then kill it after a timeout; return its exit status."""
        if self.is_running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Kill the process, as a crash would; return its exit status."""
        self.process.kill()
        return self.process.wait(STOP_SECONDS)

    def close(self) -> None:
        """Stop the process if it runs, and remove its folder."""
        if self._process is not None:
            self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _await_health(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(
            base_url=self.url,
            trust_env=False,
            verify=False,  # noqa: S501 - plain HTTP on loopback; reading the roots costs 40 ms
            timeout=2,
        ) as http:
            while time.monotonic() < deadline:
                if not self.is_running:
                    msg = f"the server ended at its start:\n{self.output()}"
                    raise RuntimeError(msg)
                if _is_healthy(http):
                    return
                time.sleep(0.05)
        msg = f"no /healthz within {START_SECONDS} s:\n{self.output()}"
        raise RuntimeError(msg)


def _data_dir(arguments: tuple[str, ...]) -> Path | None:
    if "--data-dir" not in arguments:
        return None
    return Path(arguments[arguments.index("--data-dir") + 1])


def _is_healthy(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
