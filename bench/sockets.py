"""Sockets: memory and cost of idle ones, heartbeats compared with a bare echo, the delay of a ban.

    python -m bench.sockets [--sockets 20000] [--seconds 4] [--database URL]

Each part starts a server on loopback, with limits off, and stops it. The number of sockets is at
most `ulimit -Hn`.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import uvloop
from websockets.frames import Opcode
from websockets.protocol import SERVER
from websockets.protocol import Protocol as Framing

from hupan.config import Settings
from hupan.crypto import SecretBox, load_existing_key
from hupan.domain.accounts import Bans
from hupan.domain.provisioning import NewAccount, SandboxAccount, SandboxAccounts
from hupan.domain.sessions import Device
from hupan.domain.timekeeping import load_store_clock
from hupan.environment import make_operator_environment
from hupan.opening import open_for_admin
from hupan.server.websocket import accept_upgrade
from hupan.wiring import Infrastructure

HOST = "127.0.0.1"
SPARE_FILES = 600
PER_ACCOUNT = 10
BEATING = 50
ROUNDS = 3
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\1\2\3\4"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)
START_SECONDS = 60.0
MOST_SECONDS = 10.0


def frame(message: object) -> bytes:
    """Return a text frame as a client sends it."""
    payload = json.dumps(message).encode()
    masked = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    size = len(payload)
    head = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)  # noqa: PLR2004 - RFC 6455 5.2
    return b"\x81" + head + MASK + masked


def login(token: str) -> bytes:
    """Return the frame of a login, which has no response."""
    return frame({"seq": "1", "cmd": "login", "data": {"token": token}})


BEAT = frame({"seq": "1234567", "cmd": "heartbeat", "data": {}})


def free_port() -> int:
    """Return a free port."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(command: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """Run a server; yield its port and its process id."""
    port = free_port()
    hupan = str(Path(sys.executable).with_name("hupan"))
    process = subprocess.Popen(  # noqa: S603 - our own executable
        [hupan, command, "--port", str(port), *arguments],
        env={**os.environ, "HUPAN_LIMITS_ENABLED": "false", "HUPAN_LOG_LEVEL": "error"},
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def resident_mb(process: int) -> float:
    """Return the memory of a process in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (line,) = (one for one in lines if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def make_token(port: int) -> str:
    """Return a new account's token."""
    request = urllib.request.Request(
        f"http://{HOST}:{port}/sandbox/accounts", b"{}", {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - ours
        return str(json.load(reply)["token"])


class Client(asyncio.Protocol):
    """Send the same bytes after each response, while enabled."""

    def __init__(self, opening: bytes, again: bytes = b"") -> None:
        self.opening = opening
        self.again = again
        self.answers = 0
        self.opened = asyncio.get_running_loop().create_future()
        self.closed_at = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.opening)

    def data_received(self, data: bytes) -> None:
        """Count a response; each is read in one piece."""
        if not self.opened.done():
            self.opened.set_result(None)
            return
        if data[:1] == b"\x88":
            self.closed_at = time.monotonic()
        self.answers += 1
        self.write(self.again)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if data:
            self.transport.write(data)


async def connect(port: int, opening: bytes, again: bytes = b"") -> Client:
    """Open a connection and wait for the first response."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Client(opening, again), HOST, port)
    await asyncio.wait_for(client.opened, 60)
    return client


def processor_seconds(process: int) -> float:
    """Return the CPU time of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def rate(clients: list[Client], first: bytes, seconds: float, process: int) -> float:
    """Return the responses per second of the server's CPU time.

    Other work of the machine affects neither side. Each client sends again after each response.
    """
    for client in clients:
        client.again = first
        client.write(first)
    await asyncio.sleep(0.2)
    began, before = processor_seconds(process), sum(client.answers for client in clients)
    await asyncio.sleep(seconds)
    total = sum(client.answers for client in clients) - before
    elapsed = processor_seconds(process) - began
    for client in clients:
        client.again = b""
    await asyncio.sleep(0.2)
    return total / elapsed


async def own_info_rate(port: int, token: str, seconds: float, process: int) -> float:
    """Return the rate of own info on a few kept connections."""
    request = f"GET /v1/user/info HTTP/1.1\r\nHost: a\r\ntoken: {token}\r\n\r\n".encode()
    clients = [await connect(port, request) for _ in range(8)]
    try:
        return await rate(clients, request, seconds, process)
    finally:
        for client in clients:
            client.transport.close()


async def keep_beating(sockets: list[Client]) -> None:
    """Send regular heartbeats, as clients do: a silent socket is closed."""
    while True:
        await asyncio.sleep(30)
        for number, client in enumerate(tuple(sockets)):
            client.write(BEAT)
            if number % 500 == 0:
                await asyncio.sleep(0)


async def idle(count: int, seconds: float) -> None:
    """Open idle sockets, each logged in, and measure own info meanwhile."""
    with running("sandbox") as (port, process):
        tokens = [make_token(port) for _ in range(-(-count // PER_ACCOUNT))]
        alone = [await own_info_rate(port, tokens[0], seconds, process) for _ in range(ROUNDS)]
        before = resident_mb(process)
        sockets: list[Client] = []
        beating = asyncio.create_task(keep_beating(sockets))
        for number in range(count):
            sockets.append(await connect(port, UPGRADE))
            sockets[-1].write(login(tokens[number // PER_ACCOUNT]))
        await asyncio.sleep(3)
        after = resident_mb(process)
        beside = [await own_info_rate(port, tokens[0], seconds, process) for _ in range(ROUNDS)]
        lost = 1 - statistics.median(beside) / statistics.median(alone)
        beating.cancel()
        open_now = sum(not one.closed_at for one in sockets)
    sys.stdout.write(
        f"idle sockets: {open_now:,} open and logged in; memory {before:.0f} MB before, "
        f"{after:.0f} MB with them ({(after - before) * 1024 / count:.1f} KB each); "
        f"own info per second of processor time "
        f"{statistics.median(alone):,.0f} alone, {statistics.median(beside):,.0f} beside "
        f"them ({lost:+.1%} lost)\n"
    )


class Echo(asyncio.Protocol):
    """A bare echo of frames with the same library."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the upgrade."""
        self.transport = cast("asyncio.Transport", transport)
        self.framing: Framing | None = None

    def data_received(self, data: bytes) -> None:
        """Accept the upgrade, then echo."""
        if self.framing is None:
            lines = [line.split(b": ") for line in data.split(b"\r\n")[1:] if line]
            response = accept_upgrade("/ws", [(name.lower(), value) for name, value in lines])
            self.framing = Framing(SERVER)
            self.transport.write(response or b"")
            return
        self.framing.receive_data(data)
        for one in self.framing.events_received():
            if getattr(one, "opcode", None) is Opcode.TEXT:
                self.framing.send_binary(one.data)  # type: ignore[union-attr]  # a frame, as it has an opcode
        self.transport.write(b"".join(self.framing.data_to_send()))


def serve_echo(port: int) -> None:
    """Run the bare echo until the process ends."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, HOST, port)
        await server.serve_forever()

    uvloop.run(serve())


async def heartbeats(seconds: float) -> None:
    """Alternate heartbeats and the bare echo."""
    port = free_port()
    echo = multiprocessing.get_context("spawn").Process(
        target=serve_echo, args=(port,), daemon=True
    )
    echo.start()
    await asyncio.sleep(3)
    try:
        with running("sandbox") as (ours, process):
            await asyncio.sleep(5)  # pictures are rendered at the start
            bare = [await connect(port, UPGRADE) for _ in range(BEATING)]
            beating = [await connect(ours, UPGRADE) for _ in range(BEATING)]
            tokens = [make_token(ours) for _ in range(BEATING // PER_ACCOUNT)]
            for number, client in enumerate(beating):
                client.write(login(tokens[number // PER_ACCOUNT]))
            rounds = [
                (
                    await rate(beating, BEAT, seconds, process),
                    await rate(bare, BEAT, seconds, echo.pid or 0),
                )
                for _ in range(ROUNDS)
            ]
    finally:
        echo.terminate()
    mine, theirs = (statistics.median(values) for values in zip(*rounds, strict=True))
    sys.stdout.write(
        f"heartbeats per second of processor time: {mine:,.0f}; bare echo: {theirs:,.0f}; "
        f"ratio {mine / theirs:.2f}\n"
    )


async def ban(database: str) -> None:
    """Measure the ban of another process for ten sockets of an account on four processes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database=database)
        store = ("--data-dir", folder, *(("--database", database) if database else ()))
        with running("serve", "--workers", "4", *store) as (port, _):
            async with open_for_admin(settings) as engine:
                key = SecretBox(load_existing_key(settings.secret_key_path))
                clock = await load_store_clock(engine)
                here = Infrastructure(
                    settings, make_operator_environment(clock), engine, lambda: key
                )
                accounts = SandboxAccounts(engine, here.provisioner, here.sessions)
                waits = []
                for number in range(ROUNDS):
                    device = Device(f"bench {number}", "linux")
                    account = await accounts.create(NewAccount(), device)
                    waits.append(await close_by_ban(port, account, Bans(engine, clock)))
                here.password_hasher.close()
    sys.stdout.write(
        f"a ban in another process closes ten sockets over four processes within "
        f"{max(waits):.2f} s, at worst of {ROUNDS}\n"
    )


async def close_by_ban(port: int, account: SandboxAccount, bans: Bans) -> float:
    """Connect ten sockets and ban their account; return the seconds until all are closed."""
    sockets = [await connect(port, UPGRADE) for _ in range(PER_ACCOUNT)]
    for one in sockets:
        one.write(login(account.token))
    await asyncio.sleep(2)
    await bans.ban(account.id, "bench")
    began = time.monotonic()
    while not all(one.closed_at for one in sockets):
        if time.monotonic() > began + MOST_SECONDS:
            raise TimeoutError
        await asyncio.sleep(0.005)
    return max(one.closed_at for one in sockets) - began


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--database", default="", help="a PostgreSQL URL for the ban")
    parser.add_argument("--only", choices=("idle", "heartbeats", "ban"))
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        options.sockets = min(options.sockets, hard - SPARE_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (options.sockets + SPARE_FILES, hard))
    if options.only in (None, "heartbeats"):
        uvloop.run(heartbeats(options.seconds))
    if options.only in (None, "ban"):
        uvloop.run(ban(options.database))
    if options.only in (None, "idle"):
        uvloop.run(idle(options.sockets, options.seconds))


if __name__ == "__main__":
    main()
