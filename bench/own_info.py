"""Own info by token compared with a bare response of the same listener, in one run.

    python -m bench.own_info [ACCOUNTS] [ROUNDS]

Requires Linux, two cores, `wrk` and `taskset`. Servers run on core 0, the load on core 1; rounds
alternate, and medians are reported. The tokens of a thousand accounts, spread over the store,
alternate.
"""

import pathlib
import statistics
import sys
import tempfile
import urllib.request

from bench.filling import fill
from bench.loading import Round, await_start, load, start, stop

BARE_PORT, OWN_PORT = 18481, 18482
SCRIPT = """
local tokens = {%s}
local at = 0
request = function()
  at = at %% #tokens + 1
  return wrk.format("GET", "/v1/user/info", {token = tokens[at]})
end
"""


def check(token: str) -> None:
    """Raise if the responses are refusals, which have status 200 as well."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{OWN_PORT}/v1/user/info", headers={"token": token}
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 - as above
        if answer.headers["x-result"] != "ok":
            raise SystemExit(answer.headers["x-result"])


def main() -> None:
    """Measure and print both rates and their ratio."""
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
        found: dict[str, list[Round]] = {"bare": [], "own info": []}
        try:
            await_start(BARE_PORT)
            await_start(OWN_PORT)
            check(sample[0][1])
            for _ in range(rounds):
                found["bare"].append(load(BARE_PORT))
                found["own info"].append(load(OWN_PORT, "-s", str(script)))
        finally:
            stop(running)
    medians = {name: statistics.median(r.per_second for r in found[name]) for name in found}
    for name, rows in found.items():
        p99_ms = statistics.median(one.p99_ms for one in rows)
        sys.stdout.write(f"{name:9} {medians[name]:7.0f} /s  p99 {p99_ms:5.1f} ms\n")
    ratio = medians["own info"] / medians["bare"]
    sys.stdout.write(f"{accounts} accounts: own info is {ratio:.2f} of a bare answer\n")


if __name__ == "__main__":
    main()
