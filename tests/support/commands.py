"""Commands of `hupan`, run as a user would run them, each as a process."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO

from tests.support.forks import MANY_COMMANDS, PROGRAM, Fork, can_fork, fork

SECONDS = 120.0
PATIENCE_SECONDS = 60.0


class Output:
    """The reading end of a pipe to which a process writes."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._held = b""

    def line(self) -> str:
        """Return the next line, without its end; "" at the end of all."""
        while b"\n" not in self._held and self._more():
            pass
        line, _, self._held = self._held.partition(b"\n")
        return line.decode()

    def rest(self) -> str:
        """Return all until the last process that writes to it has ended."""
        while self._more():
            pass
        text, self._held = self._held.decode(), b""
        return text

    def _more(self) -> bool:
        if not select.select([self._file], [], [], PATIENCE_SECONDS)[0]:
            raise TimeoutError(self._held)
        data = os.read(self._file, 65536)
        self._held += data
        return data != b""


@contextmanager
def running_hupan(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Fork | subprocess.Popen[bytes], Output]]:
    """Yield a command that runs, with its standard output; end it as `kill` does.

    Args:
        arguments: the words after `hupan`.
        environment: variables added to those of the tests.
    """
    command, variables = [PROGRAM, *arguments], {**os.environ, **(environment or {})}
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), Path(os.devnull).open("r+b") as nothing:
        streams = (nothing.fileno(), writer, nothing.fileno())
        process: Fork | subprocess.Popen[bytes]
        if can_fork(command, variables):
            process = fork(command, variables, Path.cwd(), *streams)
        else:
            process = subprocess.Popen(  # noqa: S603 - our own executable
                command, stdin=streams[0], stdout=writer, stderr=streams[2], env=variables
            )
        os.close(writer)
        try:
            yield process, Output(reader)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()


def run_hupan(
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    entered: str = "",
    seconds: float = SECONDS,
    program: str = PROGRAM,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; return its status and output.

    It is forked from a process that has imported the program, if that makes no difference. For
    tests that look at the process itself, such as its start, this is the wrong function.

    Args:
        arguments: the words after `hupan`.
        environment: variables added to those of the tests.
        folder: the current directory of the command; by default that of the tests.
        entered: the standard input.
        seconds: the longest that it may take.
        program: what is run; by default `hupan`.
    """
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(entered.encode())
        given.seek(0)
        status = exit_status(
            *arguments,
            streams=(given, out, err),
            environment=environment,
            folder=folder,
            seconds=seconds,
            program=program,
        )
        texts = [_text(file) for file in (out, err)]
    return subprocess.CompletedProcess([program, *map(str, arguments)], status, *texts)


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


def run_all(
    cases: Sequence[tuple[Sequence[str], Mapping[str, str]]],
    environment: Mapping[str, str],
    folder: Path | None = None,
) -> list[tuple[int, str, str]]:
    """Run many commands in one process; return the status and output of each.

    Args:
        cases: the words after `hupan` of each, with its variables.
        environment: variables of the process, such as its language.
        folder: the current directory; by default that of the tests.
    """
    done = run_hupan(
        program=MANY_COMMANDS, entered=json.dumps(cases), environment=environment, folder=folder
    )
    assert done.returncode == 0, done.stderr
    return [(status, out, err) for status, out, err in json.loads(done.stdout)]


def exit_status(
    *arguments: str | Path,
    streams: Sequence[BinaryIO | BufferedIOBase | None],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = SECONDS,
    program: str = PROGRAM,
) -> int:
    """Run a command with three standard streams, of which some may be closed; return its status."""
    command = [program, *map(str, arguments)]
    variables = {**os.environ, **(environment or {})}
    place = folder or Path.cwd()
    files = [None if stream is None else stream.fileno() for stream in streams]
    if can_fork(command, variables):
        process = fork(command, variables, place, *files)
        try:
            return process.wait(seconds)
        finally:
            process.kill()
    started = command if program == PROGRAM else [sys.executable, *command]
    closed = " ".join(f"{number}>&-" for number, file in enumerate(files) if file is None)
    return subprocess.run(  # noqa: S603 - our own program, our own arguments
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *started],
        stdin=files[0],
        stdout=files[1],
        stderr=files[2],
        env=variables,
        cwd=place,
        timeout=seconds,
        check=False,
    ).returncode
