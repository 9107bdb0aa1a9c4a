"""The rate of healthy accounts while others' node does not answer, on plain PostgreSQL.

    python -m bench.silent_accounts [ROUNDS] [SECONDS] [silent|lost|both]

A view stands in for the node: a row of `sessions` that belongs to an account in `away` exceeds the
statement timeout, or fails with 08006 as from a coordinator that lost the node; `both` is one half
each. Rounds with and without it alternate; the report has medians, and the ratio of each pair. The
clients of the healthy accounts send without a pause, those of the others `OTHERS_PER_SECOND` each.
"""

import asyncio
import statistics
import sys
import time
from collections import Counter
from typing import Final

import httpx

from tests.support.ports import LOOPBACK
from tests.support.postgres import Cluster
from tests.support.servers import Server

HEALTHY, OTHERS = 16, 64
OTHER_CLIENTS: Final = 16
OTHERS_PER_SECOND: Final = 20
STAND_IN: Final = """
CREATE TABLE away (id bigint PRIMARY KEY, is_lost boolean);
CREATE FUNCTION reach(asked bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE COST 100000 AS $$
BEGIN
  IF EXISTS (SELECT FROM away WHERE id = asked AND is_lost) THEN
    RAISE EXCEPTION 'connection to the remote node failed' USING ERRCODE = '08006';
  END IF;
  IF EXISTS (SELECT FROM away WHERE id = asked) THEN PERFORM pg_sleep(60); END IF;
  RETURN true;
END $$;
ALTER TABLE sessions RENAME TO sessions_rows;
CREATE VIEW sessions AS SELECT * FROM sessions_rows WHERE reach(account_id);
"""
_DURABLE: Final = {"max_connections": "50", "shared_buffers": "64MB"}


class Asker:
    """Connections that request own info, and their responses."""

    def __init__(self, port: int, tokens: list[str], pause_seconds: float = 0.0) -> None:
        self._port, self._tokens, self._pause_seconds = port, tokens, pause_seconds
        self.results: Counter[str] = Counter()
        self.slowest_ms: Counter[str] = Counter()

    async def run(self, clients: int, until: float) -> None:
        """Send requests until a time, on this number of connections."""
        await asyncio.gather(*(self._ask(number, clients, until) for number in range(clients)))

    async def _ask(self, number: int, clients: int, until: float) -> None:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        asked = 0
        while time.monotonic() < until:
            token = self._tokens[(number + asked * clients) % len(self._tokens)]
            head = f"GET /v1/user/info HTTP/1.1\r\nHost: {LOOPBACK}\r\ntoken: {token}\r\n\r\n"
            began = time.monotonic()
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length:")[2].partition(b"\r")[0])
            await reader.readexactly(length)
            result = answer.partition(b"x-result: ")[2].partition(b"\r")[0].decode()
            took_ms = round((time.monotonic() - began) * 1000)
            self.results[result] += 1
            self.slowest_ms[result] = max(self.slowest_ms[result], took_ms)
            asked += 1
            await asyncio.sleep(self._pause_seconds)
        writer.close()


def measure(port: int, healthy: list[str], others: list[str], seconds: float) -> tuple[float, str]:
    """Run one round: return the rate of the healthy accounts, and all results."""
    first = Asker(port, healthy)
    second = Asker(port, others, 1 / OTHERS_PER_SECOND)

    async def both() -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(first.run(HEALTHY, until), second.run(OTHER_CLIENTS, until))

    asyncio.run(both())
    told = f"healthy {dict(first.results)} slowest ms {dict(first.slowest_ms)}"
    told += f", others {dict(second.results)} slowest ms {dict(second.slowest_ms)}"
    return first.results["ok"] / seconds, told


def main() -> None:
    """Measure and print both rates and their ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0  # noqa: PLR2004 - the second argument
    fault = sys.argv[3] if len(sys.argv) > 3 else "silent"  # noqa: PLR2004 - the third argument
    if fault not in ("silent", "lost", "both"):
        sys.exit("the third argument is silent, lost or both")
    environment = {"HUPAN_LIMITS_ENABLED": "false", "HUPAN_LOG_LEVEL": "error"}
    with (
        Cluster(_DURABLE) as cluster,
        Server("sandbox", "--database", cluster.url(), environment=environment) as server,
    ):
        with httpx.Client(base_url=server.url, trust_env=False) as http:
            made = [http.post("/sandbox/accounts", json={}).json() for _ in range(HEALTHY + OTHERS)]
        cluster.sql(STAND_IN)
        healthy = [one["token"] for one in made[:HEALTHY]]
        others = [one["token"] for one in made[HEALTHY:]]
        is_lost = {"silent": [False], "lost": [True], "both": [True, False]}[fault]
        ids = ", ".join(
            f"({one['id']}, {is_lost[number % len(is_lost)]})"
            for number, one in enumerate(made[HEALTHY:])
        )
        measure(server.port, healthy, others, 2.0)
        rates: dict[str, list[float]] = {"all answer": [], f"others {fault}": []}
        for _ in range(rounds):
            for name, found in rates.items():
                if name != "all answer":
                    cluster.sql(f"INSERT INTO away VALUES {ids}")  # noqa: S608 - numbers
                rate, told = measure(server.port, healthy, others, seconds)
                cluster.sql("DELETE FROM away")
                found.append(rate)
                sys.stdout.write(f"{name:14} {rate:7.0f} /s  {told}\n")
                time.sleep(
                    2 if fault == "silent" else 0
                )  # after both: a pause makes machines faster
        pairs = " ".join(
            f"{after / before:.2f}" for before, after in zip(*rates.values(), strict=True)
        )
        sys.stdout.write(f"ratios of the pairs: {pairs}\n")
        before, after = (statistics.median(found) for found in rates.values())
        middle = statistics.median(b / a for a, b in zip(*rates.values(), strict=True))
        sys.stdout.write(f"median of the pairs: {middle:.2f}\n")
        sys.stdout.write(
            f"healthy accounts: {before:.0f} /s, {after:.0f} /s: {after / before:.2f}\n"
        )


if __name__ == "__main__":
    main()
