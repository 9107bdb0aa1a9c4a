"""Nodes behind nginx are replaced one by one, and no request fails (security R13)."""

import http.client
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.support import pb
from tests.support.captchas import solve
from tests.support.certificates import issue
from tests.support.client import WireClient
from tests.support.ports import LOOPBACK, free_port
from tests.support.proxies import NAMES, nginx
from tests.support.servers import CHEAP_HASHES, Server
from tests.support.stores import Databases

pytestmark = [
    pytest.mark.slow,
    pytest.mark.one_engine,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]
NAME, PHONE = NAMES[0], "13800138000"
VISITORS = 4
ANSWERS_BETWEEN_STEPS = 40
PATIENCE_SECONDS = 60.0


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait for a condition that must become true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Balancer:
    """An nginx that reloads its list of nodes, as `systemctl reload nginx` does."""

    def __init__(self, folder: Path, nodes: list[int], chain: Path) -> None:
        self.port = free_port()
        self._folder = folder
        nginx(folder, self.port, nodes[0], chain)
        self._path = folder / "nginx.conf"
        text = self._path.read_text("utf-8").replace(
            "daemon off; master_process off;", "daemon off;"
        )
        self._server = f"server {LOOPBACK}:{nodes[0]};"
        assert text.count(self._server) == 1
        self._text = f"user root; worker_processes 1;\n{text}"
        self._write(nodes)

    def _write(self, nodes: list[int]) -> None:
        servers = " ".join(f"server {LOOPBACK}:{node};" for node in nodes)
        self._path.write_text(self._text.replace(self._server, servers), "utf-8")

    @contextmanager
    def run(self) -> Iterator[None]:
        """Run nginx."""
        command = ["nginx", "-p", str(self._folder), "-c", str(self._path)]
        with (self._folder / "output.txt").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own
            try:
                wait_until(self._workers)
                yield
            finally:
                self._process.terminate()
                self._process.wait(PATIENCE_SECONDS)

    def use(self, nodes: list[int]) -> None:
        """Route requests to these nodes; return when no worker uses others."""
        before = self._workers()
        self._write(nodes)
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: self._workers() and not self._workers() & before)

    def _workers(self) -> set[str]:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return set(children.read_text("ascii").split())


class Visitors:
    """Clients that read and rename their accounts in a loop, each request once."""

    def __init__(self, port: int, authority: Path, token: str) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._port = port
        self._context = ssl.create_default_context(cafile=str(authority))
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._live, args=[token]) for _ in range(VISITORS)]

    def __enter__(self) -> Self:
        """Start the clients."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the clients."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def wait(self) -> None:
        """Wait for some more responses."""
        wanted = self.answered + ANSWERS_BETWEEN_STEPS
        wait_until(lambda: self.answered >= wanted or self.failures)

    def _live(self, token: str) -> None:
        number = 0
        while not self._is_over.is_set():
            number += 1
            self._ask("POST", "/v1/user/edit-nickname", pb.text(3, f"n{number}"), token)
            self._ask("GET", "/v1/user/info", b"", token)

    def _ask(self, method: str, path: str, body: bytes, token: str) -> None:
        connection = http.client.HTTPSConnection(
            LOOPBACK, self._port, timeout=PATIENCE_SECONDS, context=self._context
        )
        try:
            connection.request(method, path, body, {"Host": NAME, "token": token})
            reply = connection.getresponse()
            reply.read()
            if reply.getheader("x-result") != "ok":
                self.failures.append(f"{path}: {reply.status} {reply.getheader('x-result')}")
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{path}: {error!r}")
        finally:
            connection.close()
        self.answered += 1


def node(folder: Path, database: str) -> Server:
    """Return a node with its own folder and the shared key."""
    options = ("--data-dir", str(folder), "--database", database)
    return Server("serve", *options, environment=CHEAP_HASHES | {"HUPAN_LIMITS_ENABLED": "false"})


def sign_up(server: Server, folder: Path) -> str:
    """Create an account at a node; return its token."""
    with WireClient(server) as client:
        captcha_id = client.post("user/captcha").text("id")
        answer = solve(folder, captcha_id)
        body = {"mobile": PHONE, "code": answer, "id": captcha_id}
        assert client.post("verification/get-verification-code", body).code == 1
        printed = re.compile(rf"{PHONE}.*?(\d{{6}})")
        wait_until(lambda: printed.search(server.output()))
        (code,) = printed.findall(server.output())
        return client.sign_in(PHONE, code).text("token")


def test_nodes_are_replaced_one_by_one(tmp_path: Path, databases: Databases) -> None:
    """As in docs/postgresql.md: remove from nginx, SIGTERM, start, add to nginx."""
    database = databases.cluster.url(databases.make())
    folder, issued = tmp_path / "data", issue(tmp_path, LOOPBACK)
    with ExitStack() as running:
        nodes = [running.enter_context(node(folder, database)) for _ in range(2)]
        token = sign_up(nodes[0], folder)
        balancer = Balancer(tmp_path, [server.port for server in nodes], issued.chain)
        running.enter_context(balancer.run())
        with Visitors(balancer.port, issued.authority, token) as visitors:
            visitors.wait()
            for number in range(2):
                balancer.use([server.port for server in nodes if server is not nodes[number]])
                visitors.wait()
                assert nodes[number].stop() == 0
                nodes[number] = running.enter_context(node(folder, database))
                balancer.use([server.port for server in nodes])
                visitors.wait()
    assert visitors.failures == [], (tmp_path / "output.txt").read_text("utf-8")[:2500]
