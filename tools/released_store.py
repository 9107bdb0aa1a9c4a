"""Write the stores of this version for tests of later versions: one for each engine.

    .venv/bin/python -m tools.released_store tests/released/0.1.0-20

The name is the version and its newest migration. Run it once for each release, and never again for
the same one: each store has the accounts and coins of the sandbox's packs, written by that server.
"""

import gzip
import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.client import WireClient
from tests.support.postgres import Cluster
from tests.support.servers import CHEAP_HASHES, Server

PACKS = ("minimal", "vip", "coins", "unicode")
ACCOUNTS = 5


def live(folder: Path, *options: str) -> None:
    """Create activity on a new store in a folder."""
    arguments = ("--data-dir", str(folder), *options)
    with (
        Server("sandbox", *arguments, environment=CHEAP_HASHES) as server,
        WireClient(server) as wire,
    ):
        for pack in PACKS:
            made = wire.request("POST", "/sandbox/seed", {"pack": pack, "number": ACCOUNTS})
            made.raise_for_status()
        for number in range(ACCOUNTS):
            wire.account(phone=wire.fresh_phone(), email=wire.fresh_email(), coins=number)


def write(path: Path, data: bytes) -> None:
    """Write a file whose bytes only depend on its content."""
    path.write_bytes(gzip.compress(data, mtime=0))


def main(target: Path) -> None:
    """Write both stores."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="hupan-released-"))
    try:
        live(folder / "file")
        write(Path(f"{target}.db.gz"), (folder / "file" / "hupan.db").read_bytes())
        with Cluster() as cluster:
            live(folder / "server", "--database", cluster.url())
            dump = cluster.binaries.run("pg_dump", "--inserts", "--no-owner", cluster.url())
            lines = [line for line in dump.splitlines() if not line.startswith(("\\", "--"))]
            write(Path(f"{target}.postgres.sql.gz"), "\n".join(lines).encode())
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
