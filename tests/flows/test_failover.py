"""Loss of the primary: the server continues without help, and loses nothing it answered (R06).

A server may start before its database (R06).
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.fault_clients import Asker, seconds_until_writes
from tests.support.invariants import (
    broken_codes,
    broken_coins,
    broken_identities,
    differences,
    wrong_answers,
)
from tests.support.load_clients import Crowd
from tests.support.postgres import Cluster
from tests.support.replicas import STORE, Pair, rows_on, server_on
from tests.support.servers import Server

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]
ROUNDS = int(os.environ.get("FAILOVER_ROUNDS", "1"))
WAIT_SECONDS = 60.0
STORE_UNAVAILABLE = 1001
LOOKED_AT = 60


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Yield a primary with its synchronous standby."""
    with Pair() as pair:
        yield pair


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_lost_primary(
    pair: Pair, tmp_path: Path, round_: int, record_property: Callable[[str, object], None]
) -> None:
    """After SIGKILL of the primary under load and a promotion no write is lost (J1, J2)."""
    crowd = Crowd(seed=round_, doubts_failures=True)
    with server_on(pair, tmp_path) as server:
        with crowd.at_work(server.port):
            time.sleep(1.0)
            told = crowd.journal.acknowledged
            pair.primary.kill()
            pair.promote()
            seconds = seconds_until_writes(server.port)
            time.sleep(1.0)
        record_property("seconds until it wrote again", round(seconds, 2))
        assert told > 0
        assert crowd.journal.acknowledged > told, "nothing was written after the promotion"
        assert crowd.journal.in_doubt > 0, "the kill fell into no request"
        rows = rows_on(pair.standby.url(STORE))
        assert differences(crowd.journal, rows) == []
        assert [*broken_coins(rows), *broken_identities(rows), *broken_codes(rows)] == []
        assert crowd.wrong == []
        with Asker(server.port) as asker:
            live, ended = crowd.live(LOOKED_AT), crowd.ended(LOOKED_AT)
            assert wrong_answers(asker, live=live, ended=ended) == []


def test_a_primary_that_became_read_only(pair: Pair, tmp_path: Path) -> None:
    """After a switch the connections to the old primary are dropped, although they work (25006)."""
    with server_on(pair, tmp_path) as server, WireClient(server, is_kept=False) as wire:
        assert wire.own_info(wire.account().token).code == 1
        pair.primary.sql("ALTER SYSTEM SET default_transaction_read_only = on")
        pair.promote()
        pair.primary.sql("SELECT pg_reload_conf()")
        seconds_until_writes(server.port)
        account = wire.account()
        assert wire.own_info(account.token).code == 1
        found = pair.standby.sql(f"SELECT count(*) FROM accounts WHERE id = {account.id}", STORE)  # noqa: S608 - a number
        assert found == "1"


def test_a_primary_that_stands_still(pair: Pair, tmp_path: Path) -> None:
    """After SIGSTOP requests end with the store's own error, `/readyz` is red; then all works."""
    with server_on(pair, tmp_path) as server, WireClient(server, is_kept=False) as wire:
        account = wire.account()
        pair.primary.signal(signal.SIGSTOP)
        try:
            assert wire.own_info(account.token).code == STORE_UNAVAILABLE
            assert wire.request("GET", "/readyz").status_code == 503
            assert wire.request("GET", "/healthz").status_code == 200
        finally:
            pair.primary.signal(signal.SIGCONT)
        seconds_until_writes(server.port)
        assert wire.own_info(account.token).code == 1
        assert wire.request("GET", "/readyz").status_code == 200


def test_a_primary_that_fell_silent(pair: Pair, tmp_path: Path) -> None:
    """It accepts connections and never answers: the promoted server is found anyway."""
    with server_on(pair, tmp_path) as server, WireClient(server, is_kept=False) as wire:
        before = wire.account()
        pair.primary.signal(signal.SIGSTOP)
        pair.promote()
        try:
            seconds_until_writes(server.port)
            assert wire.own_info(before.token).code == 1
        finally:
            pair.primary.signal(signal.SIGCONT)


def test_connections_that_died(pair: Pair, tmp_path: Path) -> None:
    """A pool with only dead connections serves the next read and the next write."""
    with server_on(pair, tmp_path) as server, WireClient(server, is_kept=False) as wire:
        account = wire.account()
        for _ in range(5):
            cut = pair.primary.sql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE application_name = 'hupan'"
            )
            assert int(cut) > 0
            assert wire.own_info(account.token).code == 1
            assert wire.account().token


def test_red_then_green(tmp_path: Path) -> None:
    """The server is up but not ready, tells clients so, and serves once the database is there."""
    cluster = Cluster()
    try:
        cluster.initialise()
        places = ("--data-dir", str(tmp_path), "--database", cluster.url())
        with Server("sandbox", *places) as server, WireClient(server, is_kept=False) as wire:
            assert wire.request("GET", "/readyz").status_code == 503
            reply = wire.request("GET", "/v1/user/info", token="x")
            assert (reply.status_code, reply.json()["code"]) == (200, 1001)
            cluster.start()
            deadline = time.monotonic() + WAIT_SECONDS
            while wire.request("GET", "/readyz").status_code != 200:
                assert time.monotonic() < deadline, server.output()
                time.sleep(0.1)
            assert wire.own_info(wire.account().token).code == 1
    finally:
        cluster.close()
