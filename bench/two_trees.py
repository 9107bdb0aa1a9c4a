"""Own info and get-user on PostgreSQL by two checkouts in turn: rate, and CPU time of a request.

    python -m bench.two_trees OTHER [ROUNDS] [SECONDS]

OTHER is a checkout with its own environment (`make setup`). Both serve 2,000 accounts from one
PostgreSQL. Other work on the machine disturbs CPU times less than rates, and the minimum of all
rounds less than the median: a request cannot take less than it needs.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from bench.loading import await_start, stop
from tests.support.ports import LOOPBACK, free_port
from tests.support.postgres import Cluster

ACCOUNTS: Final = 2_000
CLIENTS: Final = 16
FILL: Final = """
import json, pathlib, sys
from bench.filling import fill
print(json.dumps(fill(pathlib.Path(sys.argv[1]), int(sys.argv[2]))))
"""
_DURABLE: Final = {"max_connections": "60", "shared_buffers": "64MB"}
OWN_INFO: Final = """
request = function()
  at = at % #tokens + 1
  return wrk.format("GET", "/v1/user/info", {token = tokens[at]})
end
"""
GET_USER: Final = """
request = function()
  at = at % #tokens + 1
  local headers = {token = tokens[at], ["Content-Type"] = "application/x-protobuf"}
  return wrk.format("POST", "/v1/user/get-user", headers, "\\18\\7" .. ids[at % #ids + 1])
end
"""
SCRIPTS: Final = {"own info": OWN_INFO, "get-user": GET_USER}


class Round(NamedTuple):
    """The results of a round; CPU times in microseconds a request."""

    rate: float
    server: float
    postgres: float


class Tree:
    """A checkout that serves a separate store.

    Args:
        checkout: its folder.
        name: the name of its database.
        cluster: contains the database.
        folder: for its files.
    """

    def __init__(self, checkout: Path, name: str, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        python = checkout / ".venv" / "bin" / "python"
        hupan = str(python.with_name("hupan"))
        filled = subprocess.run(  # noqa: S603 - of the checkout
            [str(python), "-c", FILL, str(folder), str(ACCOUNTS)],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=True,
        )
        sample: list[tuple[int, str]] = json.loads(filled.stdout)
        cluster.sql(f"CREATE DATABASE {name}")
        url = cluster.url(name)
        environment = {
            **os.environ,
            "HUPAN_DATA_DIR": str(folder),
            "HUPAN_LIMITS_ENABLED": "false",
            "HUPAN_LOG_LEVEL": "error",
        }
        subprocess.run(  # noqa: S603 - as above
            [hupan, "database", "copy", str(folder / "hupan.db"), url],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        cluster.sql("VACUUM ANALYZE", name)
        self.port = free_port()
        self.process = subprocess.Popen(  # noqa: S603 - as above
            [hupan, "serve", "--port", str(self.port), "--database", url], env=environment
        )
        self.scripts = {what: folder / f"{what}.lua" for what in SCRIPTS}
        tokens = ", ".join(f'"{token}"' for _, token in sample)
        ids = ", ".join(f'"{account}"' for account, _ in sample[::7])
        for what, script in self.scripts.items():
            head = f"local tokens, ids, at = {{{tokens}}}, {{{ids}}}, 0\n"
            script.write_text(head + SCRIPTS[what])

    def load(self, what: str, seconds: int) -> Round:
        """Run one round."""
        server, postgres = seconds_of(self.process.pid), self.postgres_seconds()
        command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}", "-s", str(self.scripts[what])]
        done = subprocess.run(  # noqa: S603 - wrk
            [*command, f"http://{LOOPBACK}:{self.port}"],
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.search(r"(\d+) requests in", done.stdout)
        if found is None or "Non-2xx" in done.stdout:
            raise SystemExit(done.stdout)
        count = int(found[1])
        return Round(
            count / seconds,
            (seconds_of(self.process.pid) - server) / count * 1e6,
            (self.postgres_seconds() - postgres) / count * 1e6,
        )

    def postgres_seconds(self) -> float:
        """Return the CPU time of the running child processes of PostgreSQL's main process."""
        master = self.cluster.process.pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return sum(seconds_of(int(pid)) for pid in children)


def seconds_of(pid: int) -> float:
    """Return the CPU time of a process; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(name: str, unit: str, rounds: list[list[Round]], of: Callable[[Round], float]) -> str:
    """Return the other checkout's figure, this one's, and their ratio."""
    other, this = ([of(one) for one in found] for found in rounds)
    least = min(this) / min(other)
    pairs = statistics.median(after / before for before, after in zip(other, this, strict=True))
    median = statistics.median
    return (
        f"  {name}: {median(other):.1f} {unit} -> {median(this):.1f}, ratio of pairs {pairs:.3f}, "
        f"least {min(other):.1f} -> {min(this):.1f}: {least:.3f}\n"
    )


def main() -> None:
    """Measure and print the figures of both."""
    other = Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 10  # noqa: PLR2004 - the second argument
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 2  # noqa: PLR2004 - the third argument
    this = Path(__file__).resolve().parents[1]
    with ExitStack() as stack:
        cluster = stack.enter_context(Cluster(_DURABLE))
        trees = []
        for name, checkout in (("other", other), ("this", this)):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            trees.append(Tree(checkout, name, cluster, folder))
            stack.callback(stop, [trees[-1].process])
            await_start(trees[-1].port)
        for what in SCRIPTS:
            found: list[list[Round]] = [[], []]
            for number in range(rounds + 1):
                for index in (0, 1) if number % 2 else (1, 0):
                    one = trees[index].load(what, seconds)
                    if number:  # the first warms both up
                        found[index].append(one)
            sys.stdout.write(f"{what}, {rounds} rounds of {seconds} s\n")
            sys.stdout.write(compare("rate", "/s", found, lambda one: one.rate))
            sys.stdout.write(compare("CPU of the server", "us", found, lambda one: one.server))
            sys.stdout.write(compare("CPU of PostgreSQL", "us", found, lambda one: one.postgres))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
