"""Processes of `hupan` that are forked from one that has imported it already.

The tests start hundreds of servers, and most of the CPU time of a start is imports. From the fork
on, it is the program, with its own arguments, environment, folder, output and exit status. But its
size and its command line, as the system shows them, are older: see `is_forked` of `Server`.

    python -m tests.support.forks

serves requests on its standard input, a socket, until that is closed.
"""

import atexit
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn, TypedDict

MAX_REQUEST_BYTES = 200_000  # the environment is most of it
START_SECONDS = 60.0
PROGRAM = str(Path(sys.executable).with_name("hupan"))
IMPORTED_AT_ONCE = ("hupan.cli.serve", "hupan.cli.sandbox", "hupan.cli.sandbox_start")
READ_BY_IMPORTS = ("HUPAN_LANG",)


class Request(TypedDict):
    """What a fork becomes."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


class Fork:
    """A forked process, with what tests use of `Popen`."""

    def __init__(self, status_socket: socket.socket) -> None:
        self._status_socket = status_socket
        self._status_socket.settimeout(START_SECONDS)
        self.pid = int(self._status_socket.recv(32))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status when it has ended.

        Raises:
            TimeoutExpired: it still runs.
        """
        if self.returncode is None:
            self._status_socket.settimeout(timeout)
            try:
                self.returncode = int(self._status_socket.recv(32))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(PROGRAM, timeout or 0) from None
            self._status_socket.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it unless it has ended."""
        self.send_signal(signal.SIGKILL)


def can_fork(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether a fork would be the same as a new process.

    Imports, the interpreter and the C library read the environment before the fork, and the system
    hands on what the forking process had from its parent when it started.
    """
    changed = {name for name, _ in os.environ.items() ^ environment.items()}
    return (
        sys.platform == "linux"
        and command[0] == PROGRAM
        and all(name.startswith("HUPAN_") and name not in READ_BY_IMPORTS for name in changed)
        and _inherited() == _forking_process()[1]
    )


def _inherited() -> list[str]:
    """Return what a child of this process has from it (Linux)."""
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    kept = [line for line in status if line.startswith(("Umask", "SigIgn", "Cap", "Cpus_allowed:"))]
    return [*kept, Path("/proc/self/limits").read_text("ascii")]


def fork(command: Sequence[str], environment: Mapping[str, str], folder: Path, output: int) -> Fork:
    """Run a command of `hupan`; both output streams go to an open file."""
    request = {"arguments": list(command), "environment": dict(environment), "folder": str(folder)}
    status_socket, reporter = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with reporter:
        files = [output, reporter.fileno()]
        socket.send_fds(_forking_process()[0], [json.dumps(request).encode()], files)
    return Fork(status_socket)


@cache
def _forking_process() -> tuple[socket.socket, list[str]]:
    """Start the process; return the socket for requests, and what it has from this one."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_REQUEST_BYTES)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks"],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )

    @atexit.register
    def _end() -> None:
        ours.close()
        process.wait(START_SECONDS)

    return ours, _inherited()


def serve(requests: socket.socket) -> None:
    """Fork for each request, until the tests end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that wait for a program end by themselves
    while True:
        data, files, *_ = socket.recv_fds(requests, MAX_REQUEST_BYTES, 2)
        if not data:
            return
        if os.fork() == 0:
            requests.close()
            request: Request = json.loads(data)
            _run(request, *files)
        for file in files:
            os.close(file)


def _run(request: Request, output: int, reporter: int) -> NoReturn:
    """Fork the program; report its number and, in the end, its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(reporter)
        _become(request, output)
    os.close(output)
    with socket.socket(fileno=reporter) as opened:
        opened.send(b"%d" % pid)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            opened.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(request: Request, output: int) -> NoReturn:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, number in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(file, number)
    os.closerange(3, max(nothing, output) + 1)
    os.chdir(request["folder"])
    from hupan.cli.main import main  # noqa: PLC0415 - tests import this before they set a language

    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["arguments"]
    main()
    raise SystemExit


if __name__ == "__main__":
    for _name in IMPORTED_AT_ONCE:
        import_module(_name)
    gc.collect()
    gc.freeze()  # what is shared stays shared
    serve(socket.socket(fileno=0))
