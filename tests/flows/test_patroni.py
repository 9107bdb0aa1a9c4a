"""Patroni decides which database is the primary: a server follows, and loses nothing (R06)."""

import time
from pathlib import Path

import pytest

from tests.support.fault_clients import Asker, seconds_until_writes
from tests.support.invariants import (
    broken_codes,
    broken_coins,
    broken_identities,
    differences,
    wrong_answers,
)
from tests.support.load_clients import ENVIRONMENT, Crowd
from tests.support.patroni import ETCD, PATRONI, WAIT_SECONDS, Patroni
from tests.support.replicas import rows_on
from tests.support.servers import Server

pytestmark = [
    pytest.mark.one_engine,
    pytest.mark.slow,
    pytest.mark.skipif(not (PATRONI and ETCD), reason="patroni and etcd are not installed"),
]
CLIENTS = 4
WRITES = 20
LOOKED_AT = 60


def await_writes(crowd: Crowd) -> None:
    """Wait until the clients' next writes were acknowledged."""
    deadline, before = time.monotonic() + WAIT_SECONDS, crowd.journal.acknowledged
    while crowd.journal.acknowledged < before + WRITES:
        assert time.monotonic() < deadline, "nothing is written"
        time.sleep(0.1)


def test_switchovers_and_a_lost_primary(tmp_path: Path) -> None:
    """After two switchovers and a killed machine under load no write is lost (J1, J2)."""
    crowd = Crowd(seed=3, doubts_failures=True)
    environment = {**ENVIRONMENT, "HUPAN_DATABASE_TIMEOUT_SECONDS": "2"}
    with Patroni() as patroni:
        places = ("--data-dir", str(tmp_path), "--database", patroni.url())
        with Server("sandbox", *places, environment=environment) as server:
            with crowd.at_work(server.port, CLIENTS):
                await_writes(crowd)
                for _ in range(2):
                    patroni.switch_over()
                    seconds_until_writes(server.port)
                    await_writes(crowd)
                    patroni.await_standby()
                patroni.kill_primary()
                seconds_until_writes(server.port)
                await_writes(crowd)
            rows = rows_on(patroni.leader_url())
            assert differences(crowd.journal, rows) == []
            assert [*broken_coins(rows), *broken_identities(rows), *broken_codes(rows)] == []
            assert crowd.wrong == []
            with Asker(server.port) as asker:
                live, ended = crowd.live(LOOKED_AT), crowd.ended(LOOKED_AT)
                assert wrong_answers(asker, live=live, ended=ended) == []
