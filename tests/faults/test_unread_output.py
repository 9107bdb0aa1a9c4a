"""A server works when its output is not read (security X6)."""

import os
import pty
import re
import signal
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.fault_clients import connect
from tests.support.forks import PROGRAM, Fork, can_fork, fork
from tests.support.ports import LOOPBACK, free_port, ports_in_a_row
from tests.support.servers import FEW_PICTURES

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

REQUESTS, FILLING, ROUND = 30_000, 3_000, 100
"""Of the lines of the first also the queue is full, of those of the second the pipe."""
START_SECONDS, STOP_SECONDS = 30.0, 15.0
ASKING = b"GET /v1/user/info HTTP/1.1\r\nhost: a\r\n\r\n"
NUMBER = re.compile(rb"request=([0-9]+) ")
GAP = re.compile(rb"([0-9]+) lines dropped")


class UnreadServer:
    """A server whose output the test reads late, or never."""

    def __init__(self, folder: Path, out: int, *arguments: str) -> None:
        self.metrics_port, self.port = ports_in_a_row(), free_port()  # one for each worker
        command = [PROGRAM, *arguments]
        command += ["--port", str(self.port), "--data-dir", str(folder / "data")]
        environment = {**os.environ, **FEW_PICTURES, "HUPAN_METRICS_PORT": str(self.metrics_port)}
        self.process: subprocess.Popen[bytes] | Fork
        if can_fork(command, environment):
            with Path(os.devnull).open("rb") as nothing:
                self.process = fork(command, environment, folder, nothing.fileno(), out, out)
            return
        self.process = subprocess.Popen(  # noqa: S603 - our own executable
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, cwd=folder
        )

    def healthy(self) -> bool:
        """Return whether the server answers."""
        try:
            url = f"http://{LOOPBACK}:{self.port}/healthz"
            return httpx.get(url, trust_env=False, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def await_health(self) -> None:
        """Wait until the server answers."""
        deadline = time.monotonic() + START_SECONDS
        while not self.healthy():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def send(self, count: int) -> None:
        """Send requests that log a line each, and wait for their responses."""
        with connect(self.port) as client:
            for _ in range(count // ROUND):
                client.sendall(ASKING * ROUND)
                found = b""
                while found.count(b"HTTP/1.1 ") < ROUND or not found.endswith(b"}"):
                    part = client.recv(1 << 20)
                    assert part, f"the server ended the connection: {self.process.poll()}"
                    found += part

    def dropped(self) -> int:
        """Return the number of dropped lines from the metrics."""
        url = f"http://{LOOPBACK}:{self.metrics_port}/metrics"
        told = re.search(
            r"^hupan_log_lines_dropped_total (\d+)",
            httpx.get(url, trust_env=False, timeout=20).text,
            re.MULTILINE,
        )
        assert told
        return int(told[1])


@contextmanager
def running(folder: Path, out: int, arguments: Sequence[str]) -> Iterator[UnreadServer]:
    """Yield a server that answers; stop it afterwards."""
    server = UnreadServer(folder, out, *arguments)
    try:
        server.await_health()
        yield server
    finally:
        server.process.kill()
        server.process.wait(STOP_SECONDS)


COMMANDS = {("sandbox",): FILLING, ("serve",): REQUESTS, ("serve", "--workers", "2"): FILLING}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_without_a_reader(tmp_path: Path, command: Sequence[str]) -> None:
    """Every request is answered, and the server ends on SIGTERM."""
    reader, writer = os.pipe()
    with running(tmp_path, writer, command) as server:
        server.send(COMMANDS[tuple(command)])
        assert server.healthy()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(STOP_SECONDS) == 0
    os.close(reader)
    os.close(writer)


def test_lines_are_written_or_counted(tmp_path: Path) -> None:
    """Once the pipe is read, the kept lines come in order, with the number of dropped ones."""
    reader, writer = os.pipe()
    with running(tmp_path, writer, ("sandbox",)) as server:
        os.close(writer)
        asked = 0
        while not server.dropped():
            server.send(REQUESTS)
            asked += REQUESTS
            assert server.healthy()
            assert asked < 10 * REQUESTS
        server.process.send_signal(signal.SIGTERM)
        with os.fdopen(reader, "rb") as stream:
            said = stream.read()
        assert server.process.wait(STOP_SECONDS) == 0
    numbers = [int(number) for number in NUMBER.findall(said)]
    dropped = sum(int(count) for count in GAP.findall(said))
    assert dropped > 0
    assert len(numbers) + dropped == asked
    assert numbers == sorted(numbers)
    assert "湖畔 ".encode() in said.splitlines()[0]


def test_a_full_disk(tmp_path: Path) -> None:
    """Lines are lost and counted, requests are not lost."""
    full = os.open("/dev/full", os.O_WRONLY)
    with running(tmp_path, full, ("sandbox",)) as server:
        server.send(ROUND)
        deadline = time.monotonic() + START_SECONDS
        while server.dropped() < ROUND:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(STOP_SECONDS) == 0
    os.close(full)


def test_a_stopped_terminal(tmp_path: Path) -> None:
    """Ctrl-S stops the terminal, not the server; Ctrl-Q shows the lines of the meantime."""
    master, terminal = pty.openpty()
    with running(tmp_path, terminal, ("sandbox",)) as server:
        termios.tcflow(terminal, termios.TCOOFF)
        server.send(3000)
        assert server.healthy()
        termios.tcflow(terminal, termios.TCOON)
        found = b""
        while len(NUMBER.findall(found)) < 3000:
            found += os.read(master, 65536)
    os.close(master)
    os.close(terminal)
