"""The end of a server: what has come whole is answered, nobody waits for what has not."""

import asyncio
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.flows.solving import solve
from tests.servers import Server
from tests.wire.client import WireClient

PATIENCE_SECONDS = 6.0


def test_half_a_body_holds_nobody_up() -> None:
    """A client that never sends the rest of its body is closed; the server ends at once (R17)."""
    with Server("sandbox") as server, socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(b"POST /v1/user/captcha HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc")
        asyncio.run(asyncio.sleep(0.1))
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < PATIENCE_SECONDS
        half.settimeout(PATIENCE_SECONDS)
        assert half.recv(1000) == b""
        assert "Traceback" not in server.output()


def test_a_long_poll_is_told() -> None:
    """Whoever waits for a message when the server stops gets 503 in the contract's form."""
    with Server("sandbox") as server, ThreadPoolExecutor(1) as pool, WireClient(server) as client:
        waiting = pool.submit(client.http.get, "/sandbox/outbox/wait?timeout=60")
        asyncio.run(asyncio.sleep(0.5))
        assert server.stop() == 0
        answer = waiting.result(timeout=PATIENCE_SECONDS)
        assert answer.status_code == 503
        assert answer.json() == {"code": 1003, "msg": "服务器正在停止，请稍后再试"}
        assert "Traceback" not in server.output()


def test_every_request_has_its_line(tmp_path: Path) -> None:
    """The id of an answer stands in its header, in its status and in the log (wire.md 1.8)."""
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
    """Settings that name a store are not for the sandbox: its reset forgets everything."""
    real = tmp_path / "real.db"
    environment = {"HUPAN_DATABASE": str(real), "HUPAN_SECRET_KEY_FILE": str(tmp_path / "key")}
    with Server("sandbox", environment=environment) as server, WireClient(server) as client:
        client.account()
        assert client.http.post("/sandbox/reset").status_code == 200
    assert list(tmp_path.iterdir()) == []
