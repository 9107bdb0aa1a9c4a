"""Two PostgreSQL servers controlled by Patroni and etcd: real processes on loopback.

Patroni and etcd are Debian's, PostgreSQL comes from the development package. Each node is a
machine. A commit waits for the other node if there is one.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

import httpx

from tests.support.ports import LOOPBACK, free_port
from tests.support.postgres import USER, Binaries

PATRONI, ETCD = shutil.which("patroni"), shutil.which("etcd")
STORE = "lake"
WAIT_SECONDS = 120.0
STOP_SECONDS = 20.0
_TIMES: dict[str, object] = {"ttl": 8, "loop_wait": 1, "retry_timeout": 3}
"""How soon a lost primary is noticed; at least a loop and two attempts."""
_PARAMETERS = {"max_connections": 100, "shared_buffers": "32MB", "unix_socket_directories": ""}
_TRUSTED = ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]


class Node:
    """One machine: Patroni, and its PostgreSQL."""

    def __init__(self, name: str, binaries: Binaries, etcd_port: int) -> None:
        self.name = name
        self.port, self._rest_port = free_port(), free_port()
        self.rest_url = f"http://{LOOPBACK}:{self._rest_port}"
        self._binaries = binaries
        self._home = binaries.home / name
        self._data = self._home / "data"
        self._home.mkdir()
        if binaries.user is not None:
            os.chown(self._home, binaries.user, -1)
        settings = self._settings(etcd_port)
        (self._home / "patroni.json").write_text(json.dumps(settings), "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start Patroni."""
        assert PATRONI is not None
        self._process = run(
            self._binaries, PATRONI, str(self._home / "patroni.json"), log=self._home / "output.txt"
        )

    def kill(self) -> None:
        """Kill Patroni and its PostgreSQL at once, as the loss of the machine would."""
        postmaster = self._postmaster()
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process = None
        if postmaster:
            with suppress(ProcessLookupError, FileNotFoundError):
                children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text("ascii")
                for pid in (postmaster, *map(int, children.split())):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def output(self) -> str:
        """Return the output of Patroni."""
        log = self._home / "output.txt"
        return log.read_text("utf-8", "replace")[-4000:] if log.exists() else ""

    def _postmaster(self) -> int:
        file = self._data / "postmaster.pid"
        return int(file.read_text("utf-8").splitlines()[0]) if file.exists() else 0

    def _settings(self, etcd_port: int) -> dict[str, object]:
        rest, own = f"{LOOPBACK}:{self._rest_port}", f"{LOOPBACK}:{self.port}"
        return {
            "scope": STORE,
            "name": self.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"host": f"{LOOPBACK}:{etcd_port}"},
            "bootstrap": {
                "dcs": _TIMES
                | {
                    "synchronous_mode": True,
                    "postgresql": {"use_pg_rewind": True, "parameters": _PARAMETERS},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"auth": "trust"}, "no-sync"],
            },
            "postgresql": {
                "listen": own,
                "connect_address": own,
                "data_dir": str(self._data),
                "bin_dir": str(self._binaries.folder / "bin"),
                "pgpass": str(self._home / "pgpass"),
                "pg_hba": _TRUSTED,
                "basebackup": {"checkpoint": "fast"},
                "parameters": _PARAMETERS,
                "authentication": {
                    "superuser": {"username": USER},
                    "replication": {"username": "replicator"},
                    "rewind": {"username": USER},
                },
            },
        }


class Patroni:
    """Both nodes, and the etcd that stores which one is the primary."""

    def __init__(self) -> None:
        self._home = Path(mkdtemp(prefix="hupan-patroni-"))
        self._binaries = Binaries(self._home)
        self._etcd_port = free_port()
        self._etcd: subprocess.Popen[bytes] | None = None
        self.nodes = [Node(name, self._binaries, self._etcd_port) for name in ("one", "two")]

    def __enter__(self) -> Self:
        """Start all, and wait until commits wait for the standby."""
        try:
            self._start_etcd()
            self.nodes[0].start()
            self.await_fact(lambda: self.roles().get("one") == "leader")
            self.nodes[1].start()
            self.await_standby()
            self.sql(f"CREATE DATABASE {STORE}", "postgres")
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
        """End all."""
        self.close()

    def url(self) -> str:
        """Return the URL with both hosts, and the store."""
        hosts = ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes)
        return f"postgresql://{USER}@{hosts}/{STORE}"

    def leader_url(self) -> str:
        """Return the URL of the store on the primary."""
        return f"postgresql://{USER}@{LOOPBACK}:{self._leader().port}/{STORE}"

    def sql(self, statement: str, database: str = STORE) -> str:
        """Run a statement on the primary; return its output."""
        url = f"postgresql://{USER}@{LOOPBACK}:{self._leader().port}/{database}"
        return self._binaries.run("psql", "-X", "-A", "-t", "-d", url, "-c", statement).strip()

    def switch_over(self) -> None:
        """Switch the primary to the standby, in order."""
        before = self._leader()
        (after,) = (node for node in self.nodes if node is not before)
        asked = {"leader": before.name, "candidate": after.name}
        answer = httpx.post(f"{before.rest_url}/switchover", json=asked, timeout=WAIT_SECONDS)
        assert answer.status_code == httpx.codes.OK, answer.text
        self.await_fact(lambda: self.roles().get(after.name) == "leader")

    def kill_primary(self) -> None:
        """Kill the primary's machine, and wait until the other one takes over."""
        before = self._leader()
        (after,) = (node for node in self.nodes if node is not before)
        before.kill()
        self.await_fact(lambda: self.roles().get(after.name) == "leader")

    def await_standby(self) -> None:
        """Wait until the standby has each commit before the client gets its response."""
        self.await_fact(lambda: sorted(self.roles().values()) == ["leader", "sync_standby"])

    def roles(self) -> dict[str, str]:
        """Return the role of each running node, as Patroni sees it; {} if none answers."""
        for node in self.nodes:
            with suppress(httpx.TransportError, ValueError, KeyError):
                members = httpx.get(f"{node.rest_url}/cluster", timeout=5).json()["members"]
                return {
                    str(one["name"]): str(one["role"])
                    for one in members
                    if one["state"] in ("running", "streaming")
                }
        return {}

    def await_fact(self, fact: Callable[[], bool]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not fact():
            told = "\n".join(node.output() for node in self.nodes)
            assert time.monotonic() < deadline, f"{self.roles()}\n{told}"
            time.sleep(0.2)

    def close(self) -> None:
        """End all and remove their folders."""
        for node in self.nodes:
            node.kill()
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait(STOP_SECONDS)
        shutil.rmtree(self._home, ignore_errors=True)

    def _leader(self) -> Node:
        self.await_fact(lambda: "leader" in self.roles().values())
        (name,) = (name for name, role in self.roles().items() if role == "leader")
        return next(node for node in self.nodes if node.name == name)

    def _start_etcd(self) -> None:
        assert ETCD is not None
        clients, peers = (f"http://{LOOPBACK}:{port}" for port in (self._etcd_port, free_port()))
        self._etcd = run(
            self._binaries,
            ETCD,
            *("--data-dir", str(self._home / "etcd"), "--name", "one"),
            *("--listen-client-urls", clients, "--advertise-client-urls", clients),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"one={peers}"),
            log=self._home / "etcd.txt",
        )

        def is_healthy() -> bool:
            with suppress(httpx.TransportError):
                return httpx.get(f"{clients}/health", timeout=5).text.count('"true"') == 1
            return False

        self.await_fact(is_healthy)


def run(binaries: Binaries, program: str, *arguments: str, log: Path) -> "subprocess.Popen[bytes]":
    """Start a system program as PostgreSQL's user, without the tests' environment."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - a program of the system, our own arguments
            [program, *arguments],
            user=binaries.user,
            env={"PATH": "/usr/bin:/bin", "HOME": str(binaries.home), "LC_ALL": "C", "TZ": "UTC"},
            cwd=binaries.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
