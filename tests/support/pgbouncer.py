"""PgBouncer in front of a PostgreSQL server: Debian's, in transaction mode, on loopback."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK, free_port
from tests.support.postgres import USER, Cluster

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SERVER_CONNECTIONS = 8
"""Fewer than the clients of a test: transactions wait for each other."""
START_SECONDS = 30.0
SETTINGS = """
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr = {host}
listen_port = {own_port}
unix_socket_dir =
auth_type = trust
auth_file = {home}/users.txt
admin_users = {user}
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
"""


class PgBouncer:
    """A pooler for a cluster; stopped by its own process id."""

    def __init__(self, cluster: Cluster) -> None:
        assert PROGRAM is not None
        self.port = free_port()
        self._cluster = cluster
        self._home = Path(tempfile.mkdtemp(prefix="hupan-pgbouncer-"))
        settings = SETTINGS.format(
            host=LOOPBACK,
            port=cluster.port,
            own_port=self.port,
            user=USER,
            home=self._home,
            connections=SERVER_CONNECTIONS,
        )
        (self._home / "pgbouncer.ini").write_text(settings, "utf-8")
        (self._home / "users.txt").write_text(f'"{USER}" ""\n', "utf-8")
        user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None  # it refuses root
        if user is not None:
            os.chown(self._home, user, -1)
        with (self._home / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a program of the system, our own file
                [PROGRAM, str(self._home / "pgbouncer.ini")],
                user=user,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        """Wait until it accepts connections."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection((LOOPBACK, self.port), timeout=1):
                    return self
            except OSError:
                time.sleep(0.05)
        told = (self._home / "output.txt").read_text("utf-8", "replace")
        self.close()
        raise AssertionError(f"PgBouncer did not start:\n{told}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.close()

    def url(self, database: str) -> str:
        """Return the URL of a database through it."""
        return f"postgresql://{USER}@{LOOPBACK}:{self.port}/{database}"

    def command(self, command: str) -> str:
        """Run a command of its console; return its output."""
        return self._cluster.binaries.run(
            "psql", "-X", "-A", "-t", "-d", self.url("pgbouncer"), "-c", command
        )

    def close(self) -> None:
        """Stop it and remove its folder."""
        self._process.kill()
        self._process.wait(START_SECONDS)
        shutil.rmtree(self._home, ignore_errors=True)
