"""`hupan serve` as its operator sees it.

On a stop, complete requests are answered and incomplete ones do not delay it.
"""

import asyncio
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.captchas import solve
from tests.support.client import WireClient
from tests.support.ports import LOOPBACK, free_port
from tests.support.servers import Server
from tests.support.two_workers import one_of_each

pytestmark = pytest.mark.slow

PHONE = "13800138000"
MOST_SECONDS = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the data folder of the server."""
    return tmp_path / "data"


def ask(client: WireClient, folder: Path, path: str, **target: str) -> int:
    """Request a code with a solved captcha; return the code of the response."""
    captcha_id = client.post("user/captcha").text("id")
    answer = solve(folder, captcha_id)
    return client.post(path, {**target, "code": answer, "id": captcha_id}).code


def printed(server: Server, phone: str) -> str:
    """Return the code for a number, from the terminal output."""
    for _ in range(500):
        if found := re.search(rf"{phone}.*?(\d{{6}})", server.output()):
            return found[1]
        asyncio.run(asyncio.sleep(0.01))
    raise AssertionError(server.output())


@pytest.mark.one_engine
def test_codes_are_printed_until_a_sender_is_set(folder: Path) -> None:
    """Without a sender the code is printed after a plain warning, and works."""
    with Server("serve", "--data-dir", str(folder)) as server, WireClient(server) as client:
        assert str(folder / "hupan.db") in server.output()
        assert "⚠ 仅打印" in server.output()
        assert ask(client, folder, "verification/get-verification-code", mobile=PHONE) == 1
        token = client.sign_in(PHONE, printed(server, PHONE)).text("token")
        assert client.own_info(token).pb_data.text(6) == PHONE
        assert token not in server.output()


@pytest.mark.one_engine
@pytest.mark.parametrize(("seconds", "stays"), [("1", False), ("60", True)])
def test_idle_connections_stay_as_long_as_is_set(
    folder: Path, seconds: str, *, stays: bool
) -> None:
    """A proxy may keep its connections longer than the default."""
    environment = {"HUPAN_CONNECTION_IDLE_SECONDS": seconds}
    request = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
    with (
        Server("serve", "--data-dir", str(folder), environment=environment) as server,
        socket.create_connection((LOOPBACK, server.port), MOST_SECONDS) as client,
    ):
        client.sendall(request)
        answer = b""
        while not answer.endswith(b"}"):
            answer += client.recv(4096)
        client.settimeout(8)
        if stays:
            with pytest.raises(TimeoutError):
                client.recv(4096)
            client.sendall(request)
        assert bool(client.recv(4096)) is stays


def test_everything_is_there_after_a_restart(folder: Path) -> None:
    """Sessions remain after a restart of the server."""
    with Server("serve", "--data-dir", str(folder)) as server, WireClient(server) as client:
        assert ask(client, folder, "verification/get-verification-code", mobile=PHONE) == 1
        token = client.sign_in(PHONE, printed(server, PHONE)).text("token")
        assert server.stop() == 0
        assert [file.name for file in folder.glob("*.db-*")] == []
        server.start()
        assert client.own_info(token).code == 1


def test_the_sandbox_has_no_route_here(folder: Path) -> None:
    """The sandbox endpoints are 404 in `hupan serve`."""
    with Server("serve", "--data-dir", str(folder)) as server, WireClient(server) as client:
        for door in ("outbox", "outbox/wait", "accounts", "reset", "clock", "seed"):
            assert client.http.get(f"/sandbox/{door}").status_code == 404
            assert client.http.post(f"/sandbox/{door}", json={}).status_code == 404


@pytest.mark.one_engine
def test_a_second_server_is_refused(folder: Path) -> None:
    """The second of two servers on one file says why and ends at once (security R14)."""
    with (
        Server("serve", "--data-dir", str(folder)),
        pytest.raises(RuntimeError, match="另一个湖畔进程正在使用该数据库"),
    ):
        Server("serve", "--data-dir", str(folder)).start()


def test_sign_up_may_be_closed(folder: Path) -> None:
    """With sign-up closed a new number gets a code; the right one is refused with the reason."""
    environment = {"HUPAN_SIGN_UP_OPEN": "false"}
    with (
        Server("serve", "--data-dir", str(folder), environment=environment) as server,
        WireClient(server) as client,
    ):
        assert ask(client, folder, "verification/get-verification-code", mobile=PHONE) == 1
        code = printed(server, PHONE)
        assert client.sign_in(PHONE, client.wrong_code(code)).code == 1202
        assert client.sign_in(PHONE, code).code == 1302
        assert client.sign_in(PHONE, code).code == 1202


class Mailbox:
    """Records what a mail server receives."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(  # noqa: N802 - the mail server's name for it
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Accept one mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(content)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    """Yield a real mail server on loopback, and its port."""
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def test_codes_leave_by_mail(folder: Path, mailbox: tuple[Mailbox, int]) -> None:
    """With SMTP configured, a code reaches the mail server, once."""
    box, port = mailbox
    environment = {
        "HUPAN_EMAIL_SENDER": "smtp",
        "HUPAN_SMTP_HOST": "127.0.0.1",
        "HUPAN_SMTP_PORT": str(port),
        "HUPAN_SMTP_SECURITY": "none",
        "HUPAN_SMTP_FROM": "hupan@example.com",
    }
    with (
        Server("serve", "--data-dir", str(folder), environment=environment) as server,
        WireClient(server) as client,
    ):
        path = "verification/get-email-verification-code"
        assert ask(client, folder, path, email="Someone@Example.com") == 1
        for _ in range(500):
            if box.mails:
                break
            asyncio.run(asyncio.sleep(0.01))
        assert server.stop() == 0
        (mail,) = [message_from_bytes(raw, policy=default) for raw in box.mails]
        assert mail["To"] == "Someone@example.com"
        body = mail.get_body()
        assert body is not None
        assert re.search(r"\b\d{6}\b", body.get_content())
        assert not re.search(r"\b\d{6}\b", server.output().replace("hupan.db", ""))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_idle_server_is_small(folder: Path) -> None:
    """An idle server uses less than 80 MB."""
    with Server("serve", "--data-dir", str(folder), is_forked=False) as server:
        asyncio.run(asyncio.sleep(2.0))
        status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
        resident = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert resident is not None
        assert int(resident[1]) < 80_000


def test_two_processes_serve_one_store(folder: Path) -> None:
    """With --workers 2 a session opened in one process works in the other."""
    options = ("--data-dir", str(folder), "--workers", "2")
    with Server("serve", *options) as server, WireClient(server) as client:
        assert ask(client, folder, "verification/get-verification-code", mobile=PHONE) == 1
        token = client.sign_in(PHONE, printed(server, PHONE)).text("token")
        with one_of_each(server) as others:
            assert [other.own_info(token).code for other in others] == [1, 1]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(MOST_SECONDS) == 0


PATIENCE_SECONDS = 7.5


@pytest.mark.one_engine
def test_half_a_body_does_not_delay_the_stop() -> None:
    """A client that never sends the rest of its body is closed; the server stops at once (R17)."""
    with Server("sandbox") as server, socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(b"POST /v1/user/captcha HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc")
        asyncio.run(asyncio.sleep(0.1))
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < PATIENCE_SECONDS
        half.settimeout(PATIENCE_SECONDS)
        assert half.recv(1000) == b""
        assert "Traceback" not in server.output()


def test_a_long_poll_is_answered() -> None:
    """A waiting long poll gets 503 in the contract's form when the server stops."""
    with Server("sandbox") as server, ThreadPoolExecutor(1) as pool, WireClient(server) as client:
        waiting = pool.submit(client.http.get, "/sandbox/outbox/wait?timeout=60")
        asyncio.run(asyncio.sleep(0.5))
        assert server.stop() == 0
        answer = waiting.result(timeout=PATIENCE_SECONDS)
        assert answer.status_code == 503
        assert answer.json() == {"code": 1003, "msg": "服务器正在停止，请稍后再试"}
        assert "Traceback" not in server.output()


def test_every_request_has_its_line(tmp_path: Path) -> None:
    """The header, the status and the log have the id of a response (wire.md 1.8)."""
    with Server("serve", "--data-dir", str(tmp_path)) as server, WireClient(server) as client:
        refused = client.own_info("no token")
        answered = client.post("user/captcha")
        captcha_id = answered.text("id")
        solve(tmp_path, captcha_id)
        assert server.stop() == 0
        output = server.output()
    assert re.search(rf"request={refused.request_id} /v1/user/info unauthenticated -101", output)
    assert re.search(rf"request={answered.request_id} /v1/user/captcha ok 1\b", output)
    assert captcha_id not in output


def test_the_sandbox_never_opens_a_servers_store(tmp_path: Path) -> None:
    """A sandbox refuses settings that name a store: its reset deletes everything."""
    real = tmp_path / "real.db"
    environment = {"HUPAN_DATABASE": str(real), "HUPAN_SECRET_KEY_FILE": str(tmp_path / "key")}
    with Server("sandbox", environment=environment) as server, WireClient(server) as client:
        client.account()
        assert client.http.post("/sandbox/reset").status_code == 200
    assert list(tmp_path.iterdir()) == []
