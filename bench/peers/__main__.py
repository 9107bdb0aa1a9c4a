"""Hupan compared with alternatives, in one run.

    python -m bench.peers [--quick] [--json FILE] [--accounts N] [--cache FOLDER] [--only NAME]

Requires Linux, two cores, wrk and taskset; for better-auth Node 20 or later with npm. README.md
describes the method.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from bench.peers.better_auth import BetterAuth
from bench.peers.comparing import Comparison, Lengths
from bench.peers.django_knox import DjangoKnox
from bench.peers.fastapi_users import FastapiUsers
from bench.peers.hupan_itself import Hupan
from bench.peers.peer import Peer
from bench.peers.report import OURS, Report
from bench.peers.synapse import Synapse

FULL = Lengths(rounds=3, seconds=5, warm_up_seconds=3)
QUICK = Lengths(rounds=3, seconds=2, warm_up_seconds=1)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="rounds of 2 s instead of 5")
    parser.add_argument("--json", type=Path, help="where the figures go, for machines")
    parser.add_argument("--accounts", type=int, default=1_000, help="in each store (1,000)")
    parser.add_argument("--cache", type=Path, default=home / "hupan-bench" / "peers")
    parser.add_argument("--only", action="append", help="a peer's name; may be said again")
    return parser.parse_args()


def main() -> None:
    """Measure, print and write the results."""
    asked = arguments()
    everybody: tuple[Peer, ...] = (Hupan(), FastapiUsers(), DjangoKnox(), Synapse(), BetterAuth())
    peers = tuple(p for p in everybody if not asked.only or p.name in {"Hupan", *asked.only})
    lengths = QUICK if asked.quick else FULL
    asked.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=asked.cache) as folder:
        comparison = Comparison(asked.cache.resolve(), Path(folder), asked.accounts, lengths)
        try:
            for peer in peers:
                print(f"{peer.name} ...", file=sys.stderr)
                comparison.start(peer)
            if OURS in comparison.left_out:
                sys.exit(f"{OURS}: {comparison.left_out[OURS]}")
            comparison.measure()
        finally:
            comparison.stop()
    report = Report(
        peers,
        asked.accounts,
        lengths,
        comparison.versions,
        comparison.stats,
        comparison.left_out,
    )
    print(report.text())
    if asked.json:
        asked.json.write_text(json.dumps(report.machine_form(), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
