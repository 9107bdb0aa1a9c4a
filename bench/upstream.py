"""The time that forwarding to a message server adds to a request.

    python -m bench.upstream [REQUESTS]

Two servers answer at once on this machine: a bare one, and a sandbox in front of it. Requests
alternate between them, each over a connection that stays open; medians are reported.
"""

import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from bench.loading import await_start, stop

BARE_PORT, OWN_PORT = 18483, 18484
HOST = "127.0.0.1"
BODY = b'{"chatId": "1", "text": "hello"}'
WARM_UP = 200
MILLISECONDS = 1000


def ask(connection: http.client.HTTPConnection, token: str) -> float:
    """Send one request; return its duration in milliseconds."""
    began = time.perf_counter()
    connection.request("POST", "/v1/msg/send-message", BODY, {"token": token})
    reply = connection.getresponse()
    reply.read()
    if reply.status != http.client.OK or reply.getheader("x-result") not in (None, "ok"):
        raise SystemExit(f"status {reply.status}")
    return (time.perf_counter() - began) * MILLISECONDS


def make_account() -> str:
    """Make an account in the sandbox; return its token."""
    connection = http.client.HTTPConnection(HOST, OWN_PORT, timeout=30)
    connection.request("POST", "/sandbox/accounts", b"{}")
    return str(json.loads(connection.getresponse().read())["token"])


def main() -> None:
    """Measure and print both durations and their difference."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    hupan = pathlib.Path(sys.executable).with_name("hupan")
    behind = {
        "HUPAN_UPSTREAM": f"http://{HOST}:{BARE_PORT}",
        "HUPAN_UPSTREAM_SECRET": "a key for a measurement",
    }
    commands: list[list[str]] = [
        [sys.executable, "-m", "bench.harness.bare", "answer", str(BARE_PORT)],
        [str(hupan), "sandbox", "--port", str(OWN_PORT)],
    ]
    root = pathlib.Path(__file__).parents[1]
    running = [
        subprocess.Popen(  # noqa: S603 - our own servers
            command,
            cwd=root,
            env={**os.environ, **behind},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        await_start(BARE_PORT)
        await_start(OWN_PORT)
        token = make_account()
        direct, through = (
            http.client.HTTPConnection(HOST, port, timeout=30) for port in (BARE_PORT, OWN_PORT)
        )
        times: dict[str, list[float]] = {"direct": [], "through": []}
        for number in range(WARM_UP + requests):
            for name, connection in (("direct", direct), ("through", through)):
                taken = ask(connection, token)
                if number >= WARM_UP:
                    times[name].append(taken)
    finally:
        stop(running)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, every in times.items():
        p99 = statistics.quantiles(every, n=100)[-1]
        sys.stdout.write(f"{name:8} median {medians[name]:.2f} ms  p99 {p99:.2f} ms\n")
    added = medians["through"] - medians["direct"]
    sys.stdout.write(f"{requests} requests: handing on adds {added:.2f} ms at the median\n")


if __name__ == "__main__":
    main()
