"""Parts of requests to peers that accept bearer tokens and JSON."""

import json
from collections.abc import Mapping
from pathlib import Path

from bench.peers.environments import run
from bench.peers.peer import Account

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def packages(python: Path, *names: str) -> str:
    """Return the versions of packages in an environment."""
    asked = f"import importlib.metadata as m; print(*(n + ' ' + m.version(n) for n in {names!r}))"
    return run([str(python), "-c", asked]).strip()


def bearer(account: Account, scheme: str = "Bearer") -> dict[str, str]:
    """Return the header that authenticates the caller."""
    return {"authorization": f"{scheme} {account.token}"}


def packed(value: Mapping[str, object]) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()
