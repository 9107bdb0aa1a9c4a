"""kill -9 at any moment of mixed work: no acknowledged write is lost (security R01, J1-J8).

It shows that transactions are atomic, not that they were synced: the system's cache survives a
killed process (security D7). test_power_cuts.py covers that.
"""

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.fault_clients import Asker
from tests.support.invariants import Rows, broken, differences, rows_of, wrong_answers
from tests.support.load_clients import ENVIRONMENT, Crowd
from tests.support.servers import Server
from tests.support.stores import STORES

pytestmark = pytest.mark.slow

ROUNDS_OF_A_TEST = {"sqlite": 15, "postgres": 3}
ROUNDS = int(os.environ.get("KILL_ROUNDS", "60"))
SOAK_ROUNDS = int(os.environ.get("SOAK_KILL_ROUNDS", "2000"))
SOONEST_SECONDS, LATEST_SECONDS = 0.05, 0.5
LOOKED_AT = 25
WAIT_SECONDS = 60.0


class Kills:
    """One server that is killed again and again, and the clients that use it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.crowd = Crowd(seed)
        self.rows: Rows = rows_of(folder / "hupan.db")
        self.server = Server("sandbox", "--data-dir", str(folder), environment=ENVIRONMENT)
        self.struck: Counter[bool] = Counter()
        self._chance = random.Random(seed)  # noqa: S311 - when to kill

    def strike(self) -> None:
        """Kill the server during work, and restart it."""
        told = self.crowd.journal.acknowledged
        with self.crowd.at_work(self.server.port):
            self._await_work(told)
            time.sleep(self._chance.uniform(SOONEST_SECONDS, LATEST_SECONDS))
            self.server.kill()
        self.struck[self.crowd.journal.acknowledged > told] += 1
        self.server.start()

    def _await_work(self, told: int) -> None:
        """Wait for a response: killing an idle server shows nothing."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.crowd.journal.acknowledged == told:
            assert time.monotonic() < deadline, "no work was answered"
            time.sleep(0.01)

    def check(self) -> None:
        """Compare store and responses with the journal of the clients."""
        assert differences(self.crowd.journal, self.rows) == []
        assert broken(self.rows) == []
        assert self.crowd.wrong == []
        with Asker(self.server.port) as asker:
            live, ended = self.crowd.live(LOOKED_AT), self.crowd.ended(LOOKED_AT)
            assert wrong_answers(asker, live=live, ended=ended) == []

    def run(self, rounds: int) -> None:
        """Kill this number of times; each must interrupt work, and some a request."""
        with self.server:
            for _ in range(rounds):
                self.strike()
                self.check()
        assert self.struck[True] == rounds, self.struck
        if rounds < ROUNDS_OF_A_TEST["sqlite"]:  # too few for each kind of work to occur
            return
        assert self.crowd.journal.in_doubt > rounds / 2
        assert {("rename", 1), ("sign in", 1), ("logout", 1)} <= set(self.crowd.answers_by_code)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(ROUNDS // ROUNDS_OF_A_TEST["sqlite"]))
def test_nothing_answered_is_lost(disk_path: Path, part: int) -> None:
    """After each kill the store has all acknowledged writes, and is consistent (security R01)."""
    Kills(disk_path / "data", seed=part).run(ROUNDS_OF_A_TEST[STORES.engine])


@pytest.mark.soak
def test_nothing_answered_is_lost_in_thousands_of_kills(disk_path: Path) -> None:
    """The same holds in a long run (security R01)."""
    for part in range(SOAK_ROUNDS // 100):
        Kills(disk_path / str(part), seed=1000 + part).run(100)
