"""A server whose file was damaged while it was stopped (security R05, J8)."""

import random
from collections import Counter
from pathlib import Path

import apsw
import pytest

from tests.support.fault_clients import Asker
from tests.support.servers import Server
from tests.support.stored_accounts import enrol

MEMBERS, ROUNDS = 120, 8
PAGE_BYTES = 4096
STORE_UNAVAILABLE = 1001
LEAVES = "SELECT pageno FROM dbstat WHERE name IN ('accounts', 'sessions') AND pagetype = 'leaf'"
pytestmark = [pytest.mark.slow, pytest.mark.one_engine]


def pages(database: Path) -> list[int]:
    """Return the pages with accounts and sessions."""
    connection = apsw.Connection(str(database), vfs="unix")
    found = [int(str(row[0])) for row in connection.execute(LEAVES).fetchall()]
    connection.close()
    return found


def test_damage_is_reported_and_the_rest_is_served(tmp_path: Path) -> None:
    """Requests for a damaged row fail, others are served, and no response mixes accounts.

    The process continues, `/readyz` is red, and the log names the table without a number.
    """
    folder = tmp_path / "data"
    tokens = enrol(folder, MEMBERS)
    whole = (folder / "hupan.db").read_bytes()
    chance, seen = random.Random(3), Counter[int]()  # noqa: S311 - where to damage
    where = pages(folder / "hupan.db")
    for _ in range(ROUNDS):
        content = bytearray(whole)
        at = (chance.choice(where) - 1) * PAGE_BYTES + chance.randrange(PAGE_BYTES)
        content[at] ^= 1 << chance.randrange(8)
        (folder / "hupan.db").write_bytes(content)
        with Server("serve", "--data-dir", str(folder)) as server:
            told = ask_all(server, tokens)
            seen += told
            assert told[STORE_UNAVAILABLE] > 0
            with Asker(server.port) as asker:
                assert asker.status("/readyz") == 503
            assert server.is_running
            assert server.stop() == 0
            output = server.output()
        assert "damage found in sessions, accounts" in output
        assert not any(phone in output for phone in tokens)
    assert seen[1] > ROUNDS * MEMBERS / 10, seen


def ask_all(server: Server, tokens: dict[str, str]) -> Counter[int]:
    """Let every member read their own account; return the responses."""
    codes = Counter[int]()
    with Asker(server.port) as asker:
        for phone, token in tokens.items():
            reply = asker.own_info(token)
            codes[reply.code] += 1
            assert reply.private() <= {phone}
            assert reply.code == STORE_UNAVAILABLE or reply.data.text(6) == phone
    return codes


def test_a_damaged_log_ends_the_start(tmp_path: Path) -> None:
    """Commits that a start would drop are reported, and the start is refused once."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server:
        with Asker(server.port) as asker:
            for _ in range(10):
                asker.call_sandbox("accounts", {"coins": 5})
        server.kill()
        log = folder / "hupan.db-wal"
        content = bytearray(log.read_bytes())
        content[len(content) // 8] ^= 1
        log.write_bytes(content)
        with pytest.raises(RuntimeError, match=r"已损坏.*[0-9]+ 次提交"):
            server.start()
        assert log.read_bytes() == content
