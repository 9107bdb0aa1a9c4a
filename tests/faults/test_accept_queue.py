"""How many connections may wait to be accepted (security R22)."""

import contextlib
import os
import resource
import selectors
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hupan.server.serve import BACKLOG
from tests.support.ports import LOOPBACK, free_port, ports_in_a_row
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

AT_ONCE = 1500
PATIENCE_SECONDS = 20.0
# linux/inet_diag.h and linux/sock_diag.h
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLMSG_DONE = 4, 20, 3
NLM_F_REQUEST_DUMP = 0x301
TCP_LISTEN = 10
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


def processes(pid: int) -> list[int]:
    """Return a process and its children."""
    told = subprocess.run(  # noqa: S603 - our own arguments
        ["ps", "-o", "pid=", "--ppid", str(pid)],  # noqa: S607 - the system's
        capture_output=True,
        text=True,
        check=False,
    )
    children = [int(line) for line in told.stdout.split()]
    return [pid, *(below for child in children for below in processes(child))]


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Stop a server's processes, so that it accepts nothing for a while."""
    stopped = processes(pid)
    for one in stopped:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Allow as many files as the test has connections."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], AT_ONCE + 200), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def connected(port: int, opened: contextlib.ExitStack) -> int:
    """Start 1,500 connections at once; return how many are established."""
    waiting = selectors.DefaultSelector()
    for _ in range(AT_ONCE):
        client = opened.enter_context(socket.socket())
        client.setblocking(False)  # noqa: FBT003 - the library's own
        client.connect_ex((LOOPBACK, port))
        waiting.register(client, selectors.EVENT_WRITE)
    count, deadline = 0, time.monotonic() + PATIENCE_SECONDS
    while count < AT_ONCE and time.monotonic() < deadline:
        for key, _ in waiting.select(0.1):
            waiting.unregister(key.fileobj)
            count += 1
    return count


def backlogs() -> dict[int, int]:
    """Return the backlog of each listening port of IPv4, as the kernel reports it."""
    ask = struct.pack("=BBBxI48x", socket.AF_INET, socket.IPPROTO_TCP, 0, 1 << TCP_LISTEN)
    head = struct.pack("=IHHII", 16 + len(ask), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0)
    found: dict[int, int] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(PATIENCE_SECONDS)
        kernel.send(head + ask)
        while True:
            answer = kernel.recv(1 << 20)
            while answer:
                size, kind = struct.unpack_from("=IH", answer)
                if kind == NLMSG_DONE:
                    return found
                (port,) = struct.unpack_from("!H", answer, 16 + 4)
                (backlog,) = struct.unpack_from("=I", answer, 16 + 4 + 48 + 8)
                found[port] = backlog
                answer = answer[size:]


@pytest.mark.skipif(not SOMAXCONN.exists(), reason="another system keeps its queues elsewhere")
@pytest.mark.parametrize("mode", ["serve", "sandbox"])
def test_each_listener_has_the_queue_that_is_meant(tmp_path: Path, mode: str) -> None:
    """The kernel reports 2,048, or what the system allows."""
    metrics_port = free_port()
    environment = {"HUPAN_METRICS_PORT": str(metrics_port)}
    with Server(mode, "--data-dir", str(tmp_path), environment=environment) as server:
        found = backlogs()
    meant = min(BACKLOG, int(SOMAXCONN.read_text("ascii")))
    assert (found[server.port], found[metrics_port]) == (meant, meant)


@pytest.mark.skipif(
    not SOMAXCONN.exists() or int(SOMAXCONN.read_text("ascii")) < AT_ONCE,
    reason="the system lets fewer wait",
)
@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("listener", ["own", "metrics"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_fifteen_hundred_may_wait(tmp_path: Path, workers: str, listener: str) -> None:
    """While none is accepted on a listener, none of them is refused."""
    metrics_port = ports_in_a_row()  # one for each worker
    environment = {"HUPAN_METRICS_PORT": str(metrics_port)}
    arguments = ("--data-dir", str(tmp_path), "--workers", workers)
    with (
        Server("serve", *arguments, environment=environment) as server,
        contextlib.ExitStack() as opened,
        standing_still(server.process.pid),
    ):
        port = server.port if listener == "own" else metrics_port
        assert connected(port, opened) == AT_ONCE
