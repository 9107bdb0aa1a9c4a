"""Processes of `hupan` that are forked from one that has imported it already.

The tests start hundreds of servers and commands, and most of the CPU time of a start is imports.
From the fork on, it is the program, with its own arguments, environment, folder, streams and exit
status. But its size and its command line, as the system shows them, are older: see `is_forked` of
`Server`, and `commands`.

    python -m tests.support.forks

serves requests on its standard input, a socket, until that is closed. There is one such process
for each language of the terminal, as help texts are made while modules are imported.
"""

import atexit
import contextlib
import gc
import io
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
from types import ModuleType
from typing import NamedTuple, NoReturn, TypedDict

MAX_REQUEST_BYTES = 200_000  # the environment is most of it
START_SECONDS = 60.0
PROGRAM = str(Path(sys.executable).with_name("hupan"))
APPS = str(Path(__file__).with_name("asgi_apps.py"))
"""A script of the tests, see `listeners`."""
MODULES = {PROGRAM: "hupan.cli.main", APPS: "tests.support.asgi_apps"}
"""The module whose `main` a fork runs, by its program."""
READ_WHEN_USED = {
    *("HOME", "PATH", "TMPDIR", "XDG_DATA_HOME"),
    *("COLUMNS", "SUDO_USER", "NODE_OPTIONS", "_HUPAN_COMPLETE"),
    *("_TYPER_COMPLETE_ARGS", "_TYPER_COMPLETE_FISH_ACTION"),
    "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION",
}
"""Variables that neither an import nor the interpreter reads; see also `READ_LATE`."""
READ_LATE = ("HUPAN_", "PYTEST_")
"""The beginnings of the names of others. `HUPAN_LANG` chooses the forking process."""
Stream = int | None
"""An open file for a standard stream; None for a stream that is closed."""


class Request(TypedDict):
    """What a fork becomes."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    open_streams: list[int]


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
    if sys.platform != "linux" or command[0] not in MODULES:
        return False
    process = _forking_process_for(command, environment)
    changed = {name for name, _ in process.environment.items() ^ environment.items()}
    return _inherited() == process.inherited and all(
        name in READ_WHEN_USED or name.startswith(READ_LATE) for name in changed
    )


def _inherited() -> list[str]:
    """Return what a child of this process has from it (Linux)."""
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    kept = [line for line in status if line.startswith(("Umask", "SigIgn", "Cap", "Cpus_allowed:"))]
    return [*kept, Path("/proc/self/limits").read_text("ascii")]


def fork(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *streams: Stream,
) -> Fork:
    """Run a program, with its standard input, output and errors."""
    request: Request = {
        "arguments": list(command),
        "environment": dict(environment),
        "folder": str(folder),
        "open_streams": [number for number, file in enumerate(streams) if file is not None],
    }
    requests = _forking_process_for(command, environment).requests
    status_socket, reporter = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with reporter:
        files = [reporter.fileno(), *(file for file in streams if file is not None)]
        socket.send_fds(requests, [json.dumps(request).encode()], files)
    return Fork(status_socket)


class ForkingProcess(NamedTuple):
    """A process that has imported the program.

    Attributes:
        requests: takes requests.
        inherited: what it has from this process.
        environment: its environment.
    """

    requests: socket.socket
    inherited: list[str]
    environment: dict[str, str]


def _forking_process_for(command: Sequence[str], environment: Mapping[str, str]) -> ForkingProcess:
    from hupan.cli.language import choose_english  # noqa: PLC0415 - the tests set a language first

    return _forking_process(choose_english(command[1:], environment, "utf-8"))


@cache
def _forking_process(english: bool) -> ForkingProcess:
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_REQUEST_BYTES)
    environment = {**os.environ, "HUPAN_LANG": "en" if english else "zh"}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks"],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env=environment,
            cwd=Path(__file__).parents[2],
        )

    @atexit.register
    def _end() -> None:
        ours.close()
        process.wait(START_SECONDS)

    return ForkingProcess(ours, _inherited(), environment)


def serve(requests: socket.socket) -> None:
    """Fork for each request, until the tests end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that wait for a program end by themselves
    while True:
        data, files, *_ = socket.recv_fds(requests, MAX_REQUEST_BYTES, 4)
        if not data:
            return
        if os.fork() == 0:
            requests.close()
            request: Request = json.loads(data)
            _run(request, *files)
        for file in files:
            os.close(file)


def _run(request: Request, reporter: int, *streams: int) -> NoReturn:
    """Fork the program; report its number and, in the end, its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(reporter)
        _become(request, *streams)
    for file in streams:
        os.close(file)
    with socket.socket(fileno=reporter) as opened:
        opened.send(b"%d" % pid)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            opened.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(request: Request, *streams: int) -> NoReturn:
    opened = dict(zip(request["open_streams"], streams, strict=True))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, _open_stream(opened.get(number), number, getattr(sys, name)))
    os.closerange(3, max(streams, default=2) + 1)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["arguments"]
    sys.modules["__main__"] = main = ModuleType("__main__")
    main.__file__ = sys.argv[0]
    status: object = ""
    try:
        status = import_module(MODULES[sys.argv[0]]).main()
    except SystemExit as end:
        status = end.code
        raise
    finally:
        if status is None or isinstance(status, int):
            _ended_with.append(status or 0)
    raise SystemExit(status)


def _open_stream(file: Stream, number: int, old: io.TextIOWrapper) -> io.TextIOWrapper | None:
    """Return a standard stream as the interpreter opens it."""
    if file is None:
        with contextlib.suppress(OSError):
            os.close(number)
        return None
    os.dup2(file, number)
    return open(
        number,
        "r" if number == 0 else "w",
        buffering=1 if number == 2 else -1,  # errors appear line by line
        encoding=old.encoding,
        errors=old.errors,
        newline="\n",
        closefd=False,
    )


def import_programs() -> None:
    """Import all that a program may need, with its commands."""
    from hupan.cli.main import COMMANDS  # noqa: PLC0415 - for the forking process alone

    commands = [place.partition(":")[0] for place in COMMANDS.values()]
    for name in (*MODULES.values(), *commands, "hupan.cli.sandbox_start"):
        import_module(name)


_ended_with: list[int] = []


def _exit_at_once() -> None:
    """End a fork when all else is done: to take its modules apart would copy them first."""
    for status in _ended_with:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(status)


if __name__ == "__main__":
    atexit.register(_exit_at_once)  # the first one is called last
    import_programs()
    gc.collect()
    gc.freeze()  # what is shared stays shared
    serve(socket.socket(fileno=0))
