"""Commands of `hupan`, run as a user would run them, each as a process."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO

from tests.support.forks import PROGRAM, can_fork, fork

SECONDS = 120.0


def run_hupan(
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    entered: str = "",
    seconds: float = SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; return its status and output.

    It is forked from a process that has imported the program, if that makes no difference. For
    tests that look at the process itself, such as its start, this is the wrong function.

    Args:
        arguments: the words after `hupan`.
        environment: all variables; by default those of the tests.
        folder: the current directory of the command; by default that of the tests.
        entered: the standard input.
        seconds: the longest that it may take.
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
        )
        texts = [_text(file) for file in (out, err)]
    return subprocess.CompletedProcess([PROGRAM, *map(str, arguments)], status, *texts)


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


def exit_status(
    *arguments: str | Path,
    streams: Sequence[BinaryIO | BufferedIOBase | None],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = SECONDS,
) -> int:
    """Run a command with three standard streams, of which some may be closed; return its status."""
    command = [PROGRAM, *map(str, arguments)]
    variables = os.environ if environment is None else environment
    place = folder or Path.cwd()
    files = [None if stream is None else stream.fileno() for stream in streams]
    if can_fork(command, variables):
        process = fork(command, variables, place, *files)
        try:
            return process.wait(seconds)
        finally:
            process.kill()
    closed = " ".join(f"{number}>&-" for number, file in enumerate(files) if file is None)
    return subprocess.run(  # noqa: S603 - our own program, our own arguments
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *command],
        stdin=files[0],
        stdout=files[1],
        stderr=files[2],
        env=variables,
        cwd=place,
        timeout=seconds,
        check=False,
    ).returncode
