"""A server that starts before its database (R06)."""

import time
from pathlib import Path

import pytest

from tests.postgres import Cluster
from tests.servers import Server
from tests.wire.client import WireClient

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]
WAIT_SECONDS = 60.0


def test_red_then_green(tmp_path: Path) -> None:
    """It is up and not ready, says so to clients, and serves as soon as the database is there."""
    cluster = Cluster()
    try:
        cluster.initialise()
        places = ("--data-dir", str(tmp_path), "--database", cluster.url())
        with Server("sandbox", *places) as server, WireClient(server) as wire:
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
