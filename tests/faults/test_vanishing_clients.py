"""Clients that disconnect in the middle of a write (security R21)."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from tests.soak.body import size
from tests.support import pb
from tests.support.answers import Account
from tests.support.client import WireClient
from tests.support.fault_clients import connect, post, vanish
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

ROUNDS = 6
PATIENCE_SECONDS = 60.0
PHASES = ("half head", "head", "half body", "whole", "whole, a moment later", "answered")
WRITES: dict[str, bytes | dict[str, object]] = {
    "user/edit-nickname": pb.text(3, "a new name"),
    "user/edit-avatar": pb.text(2, "https://a.example/b.png"),
    "user/save-user-data": {"introduction": "a line", "gender": 1},
    "user/save-user-remarks": {"friendId": "1000001", "name": "n", "phone": "", "others": ""},
    "user/module-ignore": {"deviceId": "d", "ignore": ",30"},
    "user/notification-info": {"deviceId": "d", "registrationId": "r", "isOpen": 1, "type": 0},
    "user/bing-phone": {"phone": "13800138000", "captcha": "000000"},
    "user/bing-email": {"email": "a@b.example", "captcha": "000000"},
    "user/change-phone-check": {"phone": "13800138000", "captcha": "000000"},
    "user/change-email-check": {"email": "a@b.example", "captcha": "000000"},
    "user/forget-password": {"email": "a@b.example", "captcha": "000000", "password": "p" * 12},
    "user/verification-login": {"mobile": "13800138000", "captcha": "000000"},
    "user/email-login": {"email": "a@b.example", "password": "p" * 12},
    "user/invite/change-user-invite-code": {"code": "VANISHED"},
    "user/cancel-user": {"phone": "13800138000", "captcha": "000000"},
    "user/device-offline": {"deviceId": "another"},
    "user/logout": b"",
    "verification/get-verification-code": {"mobile": "13800138000", "code": "0", "id": "0"},
    "verification/get-email-verification-code": {"email": "a@b.example", "code": "0", "id": "0"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the sandbox's store."""
    return tmp_path_factory.mktemp("vanishing")


@pytest.fixture(scope="module")
def wire(folder: Path) -> Iterator[WireClient]:
    """Yield a client of a sandbox whose store the test may read."""
    with (
        Server("sandbox", "--data-dir", str(folder)) as server,
        WireClient(server, is_kept=False) as client,
    ):
        yield client
        assert server.is_running
        assert "Traceback" not in server.output()


def leave(port: int, head: bytes, body: bytes, phase: str) -> None:
    """Send a request up to a phase, then disconnect."""
    sent = {
        "half head": head[: len(head) // 2],
        "head": head,
        "half body": head + body[: len(body) // 2],
    }
    connection = connect(port)
    connection.sendall(sent.get(phase, head + body))
    if phase == "whole, a moment later":
        time.sleep(0.002)
    if phase == "answered":
        connection.recv(1)
    vanish(connection)


def settle(wire: WireClient, base: int) -> None:
    """Wait until the server has no more connections than at the beginning."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while size(wire.server.process.pid).descriptors > base + 2:
        assert time.monotonic() < deadline, "connections are never closed"
        time.sleep(0.02)


def write_at_once(folder: Path) -> None:
    """Begin a write on another connection: the store is not locked."""
    with contextlib.closing(apsw.Connection(str(folder / "hupan.db"))) as store:
        store.set_busy_timeout(5000)
        store.execute("BEGIN IMMEDIATE").fetchall()
        store.execute("ROLLBACK").fetchall()


@pytest.mark.parametrize("phase", PHASES)
def test_a_write_is_done_or_not(wire: WireClient, folder: Path, phase: str) -> None:
    """Each interrupted change of the nickname counts once, with its name, or not at all."""
    account = wire.account(nickname="name 0")
    base = size(wire.server.process.pid).descriptors
    done = 0
    for number in range(1, ROUNDS + 1):
        before = seen(wire, account)
        leave(
            wire.server.port,
            *post("user/edit-nickname", pb.text(3, f"name {number}"), account.token),
            phase,
        )
        settle(wire, base)
        name, changes = settled(lambda: seen(wire, account))
        assert (name, changes) in {before, (f"name {number}", before[1] + 1)}
        done += changes - before[1]
    if phase in {"half head", "head", "half body"}:
        assert done == 0
    if phase == "answered":
        assert done == ROUNDS
    write_at_once(folder)


def seen(wire: WireClient, account: Account) -> tuple[str, int]:
    """Return the nickname, and how often it was changed."""
    data = wire.get_user(account.id).pb_data
    return data.text(2), data.number(3)


def settled(look: Callable[[], tuple[str, int]]) -> tuple[str, int]:
    """Return the state once two reads in a row agree."""
    before = look()
    while True:
        time.sleep(0.05)
        if (now := look()) == before:
            return now
        before = now


@pytest.mark.parametrize("path", WRITES)
def test_nothing_is_held_afterwards(wire: WireClient, folder: Path, path: str) -> None:
    """After clients disconnected in every phase of a route, no connection and no lock is left."""
    base = size(wire.server.process.pid).descriptors
    for phase in PHASES:
        token = wire.account(vipDays=1).token
        leave(wire.server.port, *post(path, WRITES[path], token), phase)
    settle(wire, base)
    write_at_once(folder)
    assert wire.own_info(wire.account().token).code == 1


def test_a_code_is_spent_once(wire: WireClient) -> None:
    """A sign-in of a client that disconnects leaves the code used or unused, never both."""
    for _ in range(ROUNDS):
        phone = wire.fresh_phone()
        code = wire.sms_code(phone)
        login = {"mobile": phone, "captcha": code}
        leave(wire.server.port, *post("user/verification-login", login), "whole")
        answers = [wire.sign_in(phone, code).code for _ in range(3)]
        assert answers.count(1) <= 1
        assert answers[1:] == [1202, 1202]
        token = wire.signed_in(phone)
        assert wire.own_info(token).pb_data.text(6) == phone
