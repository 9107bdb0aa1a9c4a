"""The examples of the client run as they stand; `make check` type-checks them strictly."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import Server

EXAMPLES = Path(__file__).parents[2] / "clients/hupan-client/examples"
TOLD = {
    "presence.py": "being written: 你好\n",
    "sign_in.py": (
        "signed in as 小湖\n"
        "refused: 4402 This user does not exist\n"
        "refused: 1100 Bad request: the value of size is not valid\n"
    ),
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: str(path.name))
def test_it_runs(path: Path, sandbox: Server) -> None:
    """Each prints what it is about."""
    done = subprocess.run(  # noqa: S603 - our own example
        [sys.executable, "-W", "error", "-X", "utf8", path, sandbox.url],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, TOLD[path.name]), done.stderr
