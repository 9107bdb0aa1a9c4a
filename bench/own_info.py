"""Own info by token beside a bare answer on the same listener, in one run.

    python bench/own_info.py [ACCOUNTS] [ROUNDS]

Needs Linux, two cores, `wrk` and `taskset`. Servers have core 0, the load core 1; rounds alternate,
medians count. The tokens of a thousand accounts, spread over the store, take turns.
"""

import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from filling import fill

SECONDS = 4
BARE_PORT, OWN_PORT = 18481, 18482
START_SECONDS = 30.0
SCRIPT = """
local tokens = {%s}
local at = 0
request = function()
  at = at %% #tokens + 1
  return wrk.format("GET", "/v1/user/info", {token = tokens[at]})
end
"""


def rate(port: int, script: str | None) -> tuple[float, float]:
    """Requests per second and p99 in ms of one round."""
    lua = ["-s", script] if script else []
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{SECONDS}", "--latency", *lua]
    said = subprocess.run(  # noqa: S603 - our own words
        [*command, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", said)[0]
    p99_ms = float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]), p99_ms


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """Starts a server on core 0; its log goes nowhere."""
    nowhere = subprocess.DEVNULL
    pinned = ["taskset", "-c", "0", *command]
    return subprocess.Popen(pinned, stdout=nowhere, stderr=nowhere)  # noqa: S603 - our own words


def await_start(port: int) -> None:
    """Returns when a server answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def check(token: str) -> None:
    """Refuses to measure refusals: they come with HTTP 200 as well."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{OWN_PORT}/v1/user/info", headers={"token": token}
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 - likewise
        if answer.headers["x-result"] != "ok":
            raise SystemExit(answer.headers["x-result"])


def main() -> None:
    """Measures and prints both rates and their ratio."""
    accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3  # noqa: PLR2004 - the second argument
    here = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        sample = fill(pathlib.Path(folder), accounts)
        script = pathlib.Path(folder) / "own_info.lua"
        script.write_text(SCRIPT % ", ".join(f'"{token}"' for _, token in sample), "utf-8")
        hupan = pathlib.Path(sys.executable).with_name("hupan")
        own = f"{hupan} serve --port {OWN_PORT} --data-dir {folder}".split()
        bare = [sys.executable, str(here / "listeners.py"), "--serve", str(BARE_PORT)]
        running = [start(command) for command in (bare, own)]
        found: dict[str, list[tuple[float, float]]] = {"bare": [], "own info": []}
        try:
            await_start(BARE_PORT)
            await_start(OWN_PORT)
            check(sample[0][1])
            for _ in range(rounds):
                found["bare"].append(rate(BARE_PORT, None))
                found["own info"].append(rate(OWN_PORT, str(script)))
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(START_SECONDS)
    medians = {name: statistics.median(r for r, _ in rows) for name, rows in found.items()}
    for name, rows in found.items():
        p99_ms = statistics.median(p99 for _, p99 in rows)
        sys.stdout.write(f"{name:9} {medians[name]:7.0f} /s  p99 {p99_ms:5.1f} ms\n")
    ratio = medians["own info"] / medians["bare"]
    sys.stdout.write(f"{accounts} accounts: own info is {ratio:.2f} of a bare answer\n")


if __name__ == "__main__":
    main()
