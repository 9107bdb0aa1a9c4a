"""`hupan serve` imports only what it needs: its start stays quick, its memory small.

Measured with `python -X importtime -c "import hupan.cli.serve"`, warm, on one core.
"""

import subprocess
import sys

import pytest

HEAVY = {
    "PIL": "12 MB and 40 ms; the thread that draws captchas loads it, beside the start",
    "aiosmtplib": "30 ms; when the first message goes by SMTP",
    "asyncpg": "50 ms and 7 MB; only with a store on PostgreSQL",
    "click": "uvicorn's command line would bring it",
    "dns": "40 ms; email-validator would bring it, to ask name servers",
    "email_validator": "60 ms; when the first address is read",
    "grpc_tools": "generates code, never runs",
    "httpx": "for tests and the client alone",
    "hupan.web": "pages are for those commands that show some; the sandbox's never for a server",
    "jinja2": "40 ms; with the first page",
    "hupan.sandbox": "shows codes and tokens: no server can have it (K-3)",
    "hupan.sandbox_application": "likewise",
    "phonenumbers": "30 ms and 10 MB of tables; when the first foreign number is read",
    "rich": "100 ms; typer would bring it",
    "sqlite3": "apsw is used",
    "urllib.request": "20 ms; nobody here asks through it",
    "uvicorn.main": "40 ms; its command line and its supervisors",
    "uvicorn.supervisors": "likewise",
    "websockets.asyncio": "its own listener and client; only its frames are used",
}


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    """Return the modules loaded before `hupan serve` reads its settings."""
    program = "import sys, hupan.cli.main, hupan.cli.serve; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    return frozenset(subprocess.check_output(command, text=True).split())  # noqa: S603 - our own arguments


@pytest.mark.parametrize("module", HEAVY)
def test_a_heavy_module_is_loaded_when_it_is_needed(loaded: frozenset[str], module: str) -> None:
    """A module that is costly, and not needed by every server, is not imported at the start."""
    assert not {name for name in loaded if f"{name}.".startswith(f"{module}.")}, HEAVY[module]


def test_the_server_is_looked_at(loaded: frozenset[str]) -> None:
    """The list is measured on a loaded server."""
    assert loaded >= {"hupan.application", "hupan.server.workers", "apsw", "uvloop"}
