"""A full disk: nothing is falsely acknowledged; reads work, later writes too (R03)."""

import os
import resource
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from tests.support import pb
from tests.support.fault_clients import Asker
from tests.support.invariants import broken, rows_of
from tests.support.servers import Server
from tests.support.stored_accounts import enrol

MEMBERS = 6
WRITES = 12
WAIT_SECONDS = 60.0
STORE_UNAVAILABLE = 1001
LEAST_BYTES = 2048
"""Less than a page: no page is written to any file."""
SMALL = """mount -t tmpfs -o size=3m tmpfs "$0" && cp -a "$1"/. "$0" && shift 1 && exec "$@" """
pytestmark = [pytest.mark.slow, pytest.mark.one_engine]


class Writers:
    """Accounts that change their names one after the other, and the responses."""

    def __init__(self, server: Server, tokens: dict[str, str]) -> None:
        self.server = server
        self.tokens = tokens
        self.names: dict[str, str] = {}
        self.codes: list[int] = []
        self.serial = count()

    def write(self, phone: str, times: int) -> None:
        """Change one name again and again; record each response."""
        with Asker(self.server.port) as asker:
            for _ in range(times):
                name = f"n{next(self.serial)}"  # never an existing one
                reply = asker.post("user/edit-nickname", pb.text(3, name), self.tokens[phone])
                self.codes.append(reply.code)
                if reply.code == 1:
                    self.names[phone] = name

    def write_all(self) -> list[int]:
        """Write as all members at once; return the code of each response."""
        self.codes = []
        with ThreadPoolExecutor(MEMBERS) as pool:
            for part in [pool.submit(self.write, phone, WRITES) for phone in self.tokens]:
                part.result(timeout=WAIT_SECONDS * 2)
        return self.codes

    def check(self) -> None:
        """Check that reads work, and show exactly the acknowledged writes."""
        with Asker(self.server.port) as asker:
            for phone, token in self.tokens.items():
                reply = asker.own_info(token)
                assert reply.code == 1
                assert reply.data.text(2) == self.names[phone]

    def come_back(self) -> None:
        """Wait until writes succeed again, without a restart."""
        deadline = time.monotonic() + WAIT_SECONDS
        while set(self.write_all()) != {1}:
            assert time.monotonic() < deadline, self.server.output()[-2000:]
        with Asker(self.server.port) as asker:
            assert asker.status("/readyz") == 200


def check_full_disk(writers: Writers, fill: Callable[[], None], free: Callable[[], None]) -> None:
    """Fill the disk, check the server, and free it again."""
    assert set(writers.write_all()) == {1}
    pid = writers.server.process.pid
    fill()
    codes = writers.write_all()
    assert len(codes) == MEMBERS * WRITES  # every request was answered
    assert codes.count(STORE_UNAVAILABLE) > MEMBERS, codes  # the fault occurred
    assert set(codes) <= {1, STORE_UNAVAILABLE}
    writers.check()
    with Asker(writers.server.port) as asker:
        # Where the log restarts a small write still fits, and the server is ready for it.
        assert asker.status("/readyz") == 503 or 1 in codes
        assert asker.status("/healthz") == 200
    free()
    writers.come_back()
    writers.check()
    assert writers.server.process.pid == pid
    assert writers.server.is_running


def test_files_that_cannot_grow(tmp_path: Path) -> None:
    """No file grows, the log included: EFBIG, reported as SQLITE_IOERR_WRITE (R03)."""
    folder = tmp_path / "data"
    tokens = enrol(folder, MEMBERS)
    with Server("serve", "--data-dir", str(folder)) as server:
        pid, most = server.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill() -> None:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (LEAST_BYTES, most[1]))

        writers = Writers(server, tokens)
        check_full_disk(writers, fill, lambda: _unlimit(pid, most))
        fill()
        assert set(writers.write_all()) == {STORE_UNAVAILABLE}
        with Asker(server.port) as asker:
            assert asker.status("/readyz") == 503
        assert server.stop() == 0
        assert broken(rows_of(folder / "hupan.db")) == []
        server.start()  # the new process has no limit
        writers.come_back()
        writers.check()


def _unlimit(pid: int, most: tuple[int, int]) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, most)


def may_mount() -> bool:
    """Return whether this user may mount a private file system."""
    tried = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(tried, check=False, capture_output=True).returncode == 0  # noqa: S603 - a fixed command
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount, as root has it")
def test_no_space_left(tmp_path: Path) -> None:
    """A file system of three megabytes is full: ENOSPC, reported as SQLITE_FULL (R03)."""
    source, folder = tmp_path / "source", tmp_path / "data"
    tokens = enrol(source, MEMBERS)
    folder.mkdir()
    within = ["unshare", "-m", "sh", "-c", SMALL, str(folder), str(source)]
    with Server("serve", "--data-dir", str(folder), within=within) as server:
        seen = Path(f"/proc/{server.process.pid}/root{folder}")

        def fill() -> None:
            with (seen / "filler").open("wb") as filler:
                while _grows(filler.fileno()):
                    pass

        check_full_disk(Writers(server, tokens), fill, (seen / "filler").unlink)
        assert server.stop() == 0


def _grows(descriptor: int) -> bool:
    """Return whether the file can still grow."""
    try:
        return os.write(descriptor, bytes(4096)) > 0
    except OSError:
        return False
