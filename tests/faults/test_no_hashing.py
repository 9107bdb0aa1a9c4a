"""If no password can be hashed, sign-ins fail with a server error (security E2, P5)."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

EMAIL, PASSWORD = "owner@example.com", "correct horse 湖畔"
LOGIN = "/v1/user/email-login"
MORE_THAN_MAY_BE_WRONG = 25
FAILED, WRONG = 1000, 1301


def sign_in(wire: WireClient, password: str = PASSWORD) -> object:
    """Try to sign in; return the code of the response, which may be an error's."""
    return wire.request("POST", LOGIN, {"email": EMAIL, "password": password}).json()["code"]


def children(pid: int) -> list[int]:
    """Return the child processes of a process (Linux)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text("ascii").split())
    return found


@contextlib.contextmanager
def childless(pid: int) -> Iterator[None]:
    """Kill every child of a process, as a machine without memory does."""
    is_over = threading.Event()

    def hunt() -> None:
        while not is_over.wait(0.002):
            for child in children(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        yield
    finally:
        is_over.set()
        hunter.join()


def test_a_failure_is_no_wrong_password() -> None:
    """Repeated failures neither answer "wrong password" nor lock the owner out."""
    with Server("sandbox", "--limits") as server, WireClient(server, is_kept=False) as wire:
        wire.account(email=EMAIL, password=PASSWORD)
        with childless(server.process.pid):
            answers = [sign_in(wire) for _ in range(MORE_THAN_MAY_BE_WRONG)]
        assert answers == [FAILED] * MORE_THAN_MAY_BE_WRONG
        assert sign_in(wire) == 1
        assert {sign_in(wire, "wrong") for _ in range(MORE_THAN_MAY_BE_WRONG)} == {WRONG}
        assert sign_in(wire) == WRONG


def test_a_stop_waits_for_no_hanging_process(own_sandbox: Server) -> None:
    """A hanging hash process is ended with the server, which stops in time (R17)."""
    with WireClient(own_sandbox, is_kept=False) as wire:
        wire.account(email=EMAIL, password=PASSWORD)
        assert sign_in(wire) == 1
        (hashing,) = children(own_sandbox.process.pid)
        os.kill(hashing, signal.SIGSTOP)
        asking = threading.Thread(target=lambda: ask_in_vain(wire))
        asking.start()
        asking.join(0.5)
        assert asking.is_alive()
        assert own_sandbox.stop() == 0
        asking.join()
    assert not Path(f"/proc/{hashing}").exists()


def ask_in_vain(wire: WireClient) -> None:
    """Sign in and ignore the result."""
    with contextlib.suppress(httpx.TransportError), wire:
        sign_in(wire)
