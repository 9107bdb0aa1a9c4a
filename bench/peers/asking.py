"""Parts of requests to peers that take bearer tokens and JSON."""

import json
from collections.abc import Mapping
from pathlib import Path

from bench.peers.environments import run
from bench.peers.peer import Account

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def packages(python: Path, *names: str) -> str:
    """The versions of packages in an environment."""
    asked = f"import importlib.metadata as m; print(*(n + ' ' + m.version(n) for n in {names!r}))"
    return run([str(python), "-c", asked]).strip()


def bearer(account: Account, scheme: str = "Bearer") -> dict[str, str]:
    """The header that says who calls."""
    return {"authorization": f"{scheme} {account.token}"}


def packed(value: Mapping[str, object]) -> bytes:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":")).encode()
