"""Environments of the peers: separate, locked, cached, and built once."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peers.peer import PASSWORD, Account, Unavailable

APPS = Path(__file__).parent / "apps"
INSTALL_SECONDS = 420.0
FILL_SECONDS = 240.0
ACCOUNTS = "accounts.json"
LAST_LINES = 3


def python_environment(cache: Path, name: str) -> Path:
    """Return the interpreter of a virtual environment built from requirements.txt.

    Raises:
        Unavailable: the registry, a wheel or uv is missing.
    """
    place, lock = cache / name, APPS / name / "requirements.txt"
    python = place / "bin" / "python"
    if not _is_made(place, lock):
        uv = Path(sys.executable).with_name("uv")
        run([str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(place)])
        wheels = ["--require-hashes", "--only-binary", ":all:", "--python", str(python)]
        run([str(uv), "pip", "install", "--quiet", *wheels, "-r", str(lock)])
        _mark_made(place, lock)
    return python


def node_environment(cache: Path, name: str) -> Path:
    """Return a folder with server.mjs and the packages of package-lock.json.

    Raises:
        Unavailable: Node, the registry or a compiler is missing.
    """
    place, lock = cache / name, APPS / name / "package-lock.json"
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Unavailable("node and npm are not on the path")
    place.mkdir(parents=True, exist_ok=True)
    if not _is_made(place, lock):
        for one in ("package.json", "package-lock.json"):
            shutil.copy(APPS / name / one, place)
        run([npm, "ci", "--no-audit", "--no-fund", "--silent"], place)
        _mark_made(place, lock)
    shutil.copy(APPS / name / "server.mjs", place)
    return place


def accounts_of(command: list[str], cache: Path, folder: Path, count: int) -> list[Account]:
    """Copy a filled store of an app into a folder, after filling it if needed; return its accounts.

    Raises:
        Unavailable: it failed.
    """
    app = next(Path(word) for word in command if Path(word).suffix in {".py", ".mjs"})
    kept = cache / "stores" / f"{app.parent.name}-{count}-{_mark(app)[:16]}"
    if not (kept / ACCOUNTS).exists():
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        run([*command, "fill", str(count), PASSWORD], kept, FILL_SECONDS)
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    return [Account(*one) for one in json.loads((folder / ACCOUNTS).read_text("utf-8"))]


def run(command: list[str], folder: Path | None = None, seconds: float = INSTALL_SECONDS) -> str:
    """Run a command to its end; return its output.

    Raises:
        Unavailable: it failed (with the end of its output) or timed out.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{Path(command[0]).name}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-LAST_LINES:]
        raise Unavailable(f"{Path(command[0]).name}: {' '.join(said)}")
    return done.stdout


def _is_made(place: Path, lock: Path) -> bool:
    stamp = place / "made-of"
    return stamp.exists() and stamp.read_text("ascii") == _mark(lock)


def _mark_made(place: Path, lock: Path) -> None:
    (place / "made-of").write_text(_mark(lock), "ascii")


def _mark(file: Path) -> str:
    """Return a file's hash: another lock means another environment, another app another store."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
