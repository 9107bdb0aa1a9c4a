"""Asks the public database which packages of a lock have known holes: `make audit`.

pip-audit passes over what the database does not know, and ends as if all were well; so that a
database out of reach is never taken for a clean lock, this counts what was looked at.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CLEAN, HOLES, NOT_LOOKED_AT = 0, 1, 2


def audit(tool: str, lock: Path) -> int:
    """Audit one lock and print the result; return the exit status."""
    ran = subprocess.run(  # noqa: S603 - a tool of our own lock, with fixed arguments
        [tool, "--requirement", lock, "--require-hashes", "--disable-pip", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError):
        lines = ran.stderr.strip().splitlines() or [f"status {ran.returncode}"]
        sys.stdout.write(f"{lock.name}: the database is out of reach: {lines[-1][:200]}\n")
        return NOT_LOOKED_AT
    return told(lock.name, found)


def told(name: str, found: Sequence[dict[str, Any]]) -> int:
    """Print the findings of a lock; return the exit status."""
    passed_over = [one["name"] for one in found if "skip_reason" in one]
    holes = [(one, hole) for one in found for hole in one.get("vulns", [])]
    for one, hole in holes:
        fixed = ", ".join(hole["fix_versions"]) or "no version so far"
        sys.stdout.write(f"{name}: {one['name']} {one['version']}: {hole['id']}, fixed: {fixed}\n")
    looked_at = len(found) - len(passed_over)
    sys.stdout.write(
        f"{name}: {looked_at} of {len(found)} packages looked at, {len(holes)} holes\n"
    )
    if passed_over:
        sys.stdout.write(f"{name}: the database did not tell of {', '.join(passed_over)}\n")
    if holes:
        return HOLES
    return NOT_LOOKED_AT if passed_over or not found else CLEAN


if __name__ == "__main__":
    sys.exit(max(audit(sys.argv[1], Path(lock)) for lock in sys.argv[2:]))
