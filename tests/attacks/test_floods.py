"""Floods and bombs: expensive work is bounded, others are served (security P5, I1, I6, I8)."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.parallel import at_once
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

THREADS, ROUNDS = 100, 5
HASH_MIB, HASHES_AT_ONCE, SLACK_MIB = 19, 2, 20
PAGE_KIB = 4
WRONG, BUSY = 1301, 1002
BOMBS: list[tuple[str, bytes]] = [
    ("user/get-user-data", gzip.compress(b"{" * 10**7)),
    ("user/edit-nickname", b"\x0a\x00" * 8_000),
    ("user/edit-nickname", b"\x0b" * 8_000),
    ("user/edit-nickname", b"\x1a\x01n" * 5_000),
    ("user/save-user-data", b"{" + b",".join(b'"k%d":0' % key for key in range(6_000)) + b"}"),
    ("user/save-user-data", b'{"introduction":"' + b"\\u0041" * 9_000 + b'"}'),
    ("user/save-user-data", b'{"introduction":"' + b"\\u0301" * 9_000 + b'"}'),
    ("user/save-user-data", b'{"gender":' + b"9" * 60_000 + b"}"),
    ("user/save-user-data", b'{"gender":1e999999}'),
    ("user/save-user-remarks", b'{"friendId":"1","name":"n","phone":"","others":"[[[[[[[[[[["}'),
    ("user/recommend-list", json.dumps({"category": "%" * 64, "keyword": "%_" * 16}).encode()),
    ("user/recommend-list", b'{"category":"","keyword":"a","size":100,"page":10000}'),
]


@pytest.fixture
def flooded() -> Iterator[WireClient]:
    """Yield a sandbox that hashes two passwords at once."""
    environment = {"HUPAN_PASSWORD_THREADS": str(HASHES_AT_ONCE)}
    with (
        Server("sandbox", environment=environment) as server,
        WireClient(server, is_kept=False) as client,
    ):
        yield client


def resident_mib(wire: WireClient) -> float:
    """Return the resident memory of the server, from the system."""
    pages = Path(f"/proc/{wire.server.process.pid}/statm").read_text().split()[1]
    return int(pages) * PAGE_KIB / 1024


def test_five_hundred_sign_ins_at_once(flooded: WireClient) -> None:
    """Sign-ins beyond the hash queue get Busy; memory stays bounded (security P5)."""
    account = flooded.account(email="known@example.com", password="the lake at seven")
    for email in ("known@example.com", "unknown@example.com") * 4:
        assert flooded.email_login(email, "wrong one here").code == WRONG
    before = resident_mib(flooded)
    codes = []
    for _ in range(ROUNDS):
        answers = at_once(
            lambda at: flooded.email_login(f"visitor{at}@example.com", "wrong one here"),
            range(THREADS),
        )
        codes += [answer.code for answer in answers]
        assert flooded.own_info(account.token).code == 1
    assert set(codes) == {WRONG, BUSY}
    assert resident_mib(flooded) - before <= HASHES_AT_ONCE * HASH_MIB + SLACK_MIB
    assert flooded.email_login("known@example.com", "the lake at seven").code == 1


def test_bombs_leave_no_trace(flooded: WireClient) -> None:
    """Compressed, repeated, nested and endless bodies leave no memory in use (I1, I6, I8)."""
    token = flooded.account().token
    for path, bomb in BOMBS:
        flooded.request("POST", f"/v1/{path}", bomb, token=token)
    before = resident_mib(flooded)
    for path, bomb in BOMBS * 10:
        reply = flooded.request("POST", f"/v1/{path}", bomb, token=token)
        assert reply.status_code in {200, 413}, path
        assert reply.headers["x-result"] != "error", path
    assert resident_mib(flooded) - before <= SLACK_MIB
    assert flooded.own_info(token).code == 1
