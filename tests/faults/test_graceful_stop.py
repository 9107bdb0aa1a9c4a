"""A stop with much work in progress (security R17)."""

import contextlib
import signal
import socket
from pathlib import Path

import pytest

from tests.support import pb
from tests.support.client import WireClient
from tests.support.code_requests import GATEWAY_THREADS, asking, until
from tests.support.fault_clients import connect, is_whole, post, rest
from tests.support.servers import Server
from tests.support.slow_senders import failing, silent_gateway

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

PASSWORD = "correct horse battery"
SIGN_INS, WRITES, HALVES, IDLE = 16, 17, 17, 8
LATE = 3
"""Bytes of a half request that follow the signal."""
PATIENCE_SECONDS = 60.0


def served(port: int) -> socket.socket:
    """Return a connection that the server has accepted, not just its system."""
    connection = connect(port)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(4096)
    return connection


def renaming(token: str, name: str) -> bytes:
    """Return a complete request that changes the nickname."""
    return b"".join(post("user/edit-nickname", pb.text(3, name), token))


def test_every_request_that_came_whole_is_answered_whole(tmp_path: Path) -> None:
    """Complete requests among fifty in flight get whole replies; the stop is clean."""
    with (
        Server("sandbox", "--data-dir", str(tmp_path)) as server,
        WireClient(server, is_kept=False) as wire,
    ):
        email = wire.fresh_email()
        wire.account(email=email, password=PASSWORD)
        login = b"".join(post("user/email-login", {"email": email, "password": PASSWORD}))
        tokens = [wire.account().token for _ in range(WRITES + HALVES)]
        lines = [served(server.port) for _ in range(SIGN_INS + WRITES + HALVES + IDLE)]
        asked = [login] * SIGN_INS + [renaming(token, "whole") for token in tokens]
        halves = lines[SIGN_INS + WRITES : SIGN_INS + WRITES + HALVES]
        for line, request in zip(lines, asked, strict=False):
            line.sendall(request[:-LATE] if line in halves else request)
        server.process.send_signal(signal.SIGTERM)
        for line, request in zip(halves, asked[-HALVES:], strict=True):
            with contextlib.suppress(OSError):
                line.sendall(request[-LATE:])
        answers = [rest(line) for line in lines]
        assert server.process.wait(PATIENCE_SECONDS) == 0
        assert all(is_whole(answer) for answer in answers[: SIGN_INS + WRITES])
        # Whether the second half arrived in time is open; the response is complete.
        assert all(is_whole(answer) or not answer for answer in answers[SIGN_INS + WRITES :])
        assert answers[-IDLE:] == [b""] * IDLE
        assert list(tmp_path.glob("*-wal")) == []
        server.start()
        named = [wire.own_info(token).pb_data.text(2) == "whole" for token in tokens]
        answered = [bool(answer) for answer in answers[SIGN_INS:-IDLE]]
        assert [name or not told for name, told in zip(named, answered, strict=True)] == [
            True
        ] * len(tokens)


def test_what_was_not_sent_is_kept(tmp_path: Path) -> None:
    """Codes that wait for a hanging gateway are in the outbox after the stop."""
    with failing(silent_gateway) as gateway, asking(tmp_path, gateway.port) as our:
        for _ in range(40):
            our.request_code("verification/get-verification-code")
        until(lambda: gateway.open == GATEWAY_THREADS)
        assert our.server.stop() == 0
        # Messages that were in flight to the gateway may or may not have been sent.
        assert our.waiting() == 40 - GATEWAY_THREADS


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """After a second SIGTERM the process ends while a request waits; stored data remains."""
    with (
        Server("sandbox", "--data-dir", str(tmp_path)) as server,
        WireClient(server, is_kept=False) as wire,
    ):
        token = wire.account(nickname="kept").token
        with served(server.port) as waiting, served(server.port) as idle:
            waiting.sendall(b"GET /sandbox/outbox/wait?timeout=50 HTTP/1.1\r\nhost: [::1]\r\n\r\n")
            server.process.send_signal(signal.SIGTERM)
            assert rest(idle) == b""  # this shows that it has received the first signal
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(PATIENCE_SECONDS) == -signal.SIGTERM
            assert rest(waiting) == b""
        server.start()
        assert wire.own_info(token).pb_data.text(2) == "kept"
