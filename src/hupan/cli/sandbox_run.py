"""`hupan sandbox run`: starts a program whose built-in host names reach a sandbox."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, NoReturn

import typer

from hupan.cli.language import LANGUAGE_VARIABLE, say, say_text
from hupan.cli.sandbox_tls import own_authority
from hupan.connect.environment import Ports, client_environment
from hupan.connect.front import LOOPBACK, Front
from hupan.library_errors import localize_reason

_STOP_SECONDS = 30
_MAX_SHOWN_LINES = 50
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
RUN_HELP = say(
    "运行程序，并让其内置的域名（聊天、图片）都指向沙盒；访问其他域名会被拒绝。无需 root 或 "
    "hosts 文件。退出状态即该程序的退出状态。",
    "Run a program against a sandbox: its built-in host names (chat, pictures) lead to the "
    "sandbox, and every other name is refused. Needs neither root nor a hosts file. The exit "
    "status is the program's.",
)


def run(
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="-- COMMAND…", help=say("程序及其参数。", "The program and its arguments.")
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--authority",
            metavar="FOLDER",
            help=say("证书的目录。", "Folder of the certificates."),
            show_default=False,
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=say(
                "沙盒日志写入的文件；默认不保留。",
                "File for the sandbox's log; by default none is kept.",
            ),
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a sandbox and the command; exit with the command's status."""
    authority = own_authority(folder)
    context = authority.server_context()
    with (
        _sandbox(log) as port,
        Front(port, context, proxy=True, on_refused=_say_refused) as front,
        Front(port, context, proxy=False) as tls,
    ):
        codes = f"http://{LOOPBACK}:{port}/sandbox/outbox"
        typer.echo(say(f"沙盒：验证码见 {codes}", f"sandbox: codes at {codes}"), err=True)
        ports = Ports(front.port, tls.port, port)
        status = _run_command(command, client_environment(os.environ, ports, authority))
    raise typer.Exit(status)


def _say_refused(name: str) -> None:
    typer.echo(
        say(f"沙盒：已拒绝连接 {name}", f"sandbox: refused a connection to {name}"), err=True
    )


@contextmanager
def _sandbox(log: Path | None) -> Iterator[int]:
    """Run a sandbox on a port of the system's choice, and return the port.

    Its log would appear between the lines of the command.

    Raises:
        typer.Exit: with 1, when it does not start; its output is printed.
    """
    with _open_log(log) as errors:
        process = _start_sandbox(errors)
        try:
            port = _read_port(process)
            # What it prints from now on is not used, but must not block it.
            threading.Thread(target=_drain, args=(process,), name="sandbox", daemon=True).start()
            yield port
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _open_log(log: Path | None) -> Iterator[int | IO[bytes]]:
    """Open the file of the log; without one, the sandbox's output is read and dropped."""
    if log is None:
        yield subprocess.PIPE
        return
    try:
        file = log.open("ab")
    except OSError as error:
        reason = localize_reason(error)
        raise typer.BadParameter(
            say(f"无法写入 {log}：{reason.zh}", f"cannot write {log}: {reason.en}"),
            param_hint="--log",
        ) from error
    with file:
        yield file


def _start_sandbox(errors: int | IO[bytes]) -> "subprocess.Popen[str]":
    arguments = ["sandbox", "--port", "0", "--json", "--host", LOOPBACK]
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "hupan.cli.sandbox_child", *arguments],
        stdin=subprocess.PIPE,  # held open: the sandbox ends with this process
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, LANGUAGE_VARIABLE: say("zh", "en"), "PYTHONUNBUFFERED": "1"},
        process_group=0,  # Ctrl-C is the command's
    )


def _read_port(process: "subprocess.Popen[str]") -> int:
    last_lines = deque[str](maxlen=_MAX_SHOWN_LINES)
    reader = threading.Thread(target=_read_errors, args=(process, last_lines), daemon=True)
    reader.start()
    first = process.stdout.readline() if process.stdout else ""
    if first:
        return int(json.loads(first)["port"])
    reader.join(_STOP_SECONDS)
    typer.echo("".join(last_lines), nl=False, err=True)
    typer.echo(say("沙盒没有启动", "the sandbox did not start"), err=True)
    raise typer.Exit(1)


def _read_errors(process: "subprocess.Popen[str]", last_lines: deque[str]) -> None:
    """Keep the last lines: they matter if the sandbox does not start."""
    last_lines.extend(process.stderr or ())


def _drain(process: "subprocess.Popen[str]") -> None:
    for _ in process.stdout or ():
        pass


def _run_command(command: list[str], environment: Mapping[str, str]) -> int:
    """Run the command and return its exit status, as a shell would."""
    try:
        process = subprocess.Popen(command, env=environment)  # noqa: S603 - the user's own command
    except FileNotFoundError:
        _cannot_run(command, _NOT_FOUND, say("找不到该程序", "there is no such program"))
    except OSError as error:
        _cannot_run(command, _NOT_EXECUTABLE, say_text(localize_reason(error)))
    previous = {
        number: signal.signal(number, lambda sent, _frame: process.send_signal(sent))
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    # The terminal sends Ctrl-C to the command as well; the sandbox stays until it has ended.
    previous[signal.SIGINT] = signal.signal(signal.SIGINT, lambda _sent, _frame: None)
    try:
        status = process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _cannot_run(command: list[str], status: int, reason: str) -> NoReturn:
    typer.echo(f"{ascii(command[0])[1:-1]}: {reason}", err=True)
    raise typer.Exit(status)
