"""Synapse alone on SQLite: no federation, no limits, minimal logging.

    python app.py fill COUNT PASSWORD | python app.py serve PORT

Everything is stored in the working directory.
"""

import hmac
import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bcrypt

SERVER = "bench.invalid"
BCRYPT_ROUNDS = 12  # Synapse's default; it does not support argon2
FREELY = {"per_second": 1_000_000, "burst_count": 1_000_000}
START_SECONDS = 60
LOG = {"version": 1, "root": {"level": "CRITICAL"}, "disable_existing_loggers": True}


def configuration(port: int, shared_secret: str) -> dict[str, Any]:
    """Return the settings of a standalone server."""
    return {
        "server_name": SERVER,
        "listeners": [
            {
                "port": port,
                "type": "http",
                "bind_addresses": ["127.0.0.1"],
                "resources": [{"names": ["client"]}],
            }
        ],
        "database": {"name": "sqlite3", "args": {"database": "store.db"}},
        "bcrypt_rounds": BCRYPT_ROUNDS,
        "enable_registration": False,
        "form_secret": shared_secret,
        "log_config": "log.yaml",
        "macaroon_secret_key": shared_secret,
        "media_store_path": "media",
        "presence": {"enabled": False},
        "rc_login": {"address": FREELY, "account": FREELY, "failed_attempts": FREELY},
        "registration_shared_secret": shared_secret,
        "report_stats": False,
        "signing_key_path": "signing.key",
        "trusted_key_servers": [],
        "user_directory": {"enabled": False},
    }


def command(port: int) -> list[str]:
    """Write the settings as JSON, a subset of YAML; return the command that starts the server."""
    kept = Path("shared-secret")
    if not kept.exists():
        kept.write_text(secrets.token_hex(), "ascii")
    Path("log.yaml").write_text(json.dumps(LOG), "utf-8")
    settings = configuration(port, kept.read_text("ascii"))
    Path("homeserver.yaml").write_text(json.dumps(settings), "utf-8")
    return [sys.executable, "-m", "synapse.app.homeserver", "-c", "homeserver.yaml"]


def ask(port: int, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send one request, with a body if there is one."""
    sent = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", sent)
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - our own server
        found: dict[str, Any] = json.loads(answer.read())
        return found


def await_start(port: int) -> None:
    """Wait until the server responds."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            ask(port, "/_matrix/client/versions")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def register(port: int, shared_secret: str, number: int) -> tuple[str, str, str, str]:
    """Register an account through the admin API: id, name, address and token."""
    door, name = "/_synapse/admin/v1/register", f"bench-{number}"
    nonce = ask(port, door)["nonce"]
    password = secrets.token_hex()
    parts = [nonce, name, password, "notadmin"]
    mac = hmac.new(shared_secret.encode(), "\0".join(parts).encode(), "sha1").hexdigest()
    told = {"nonce": nonce, "username": name, "displayname": name, "password": password}
    made = ask(port, door, {**told, "admin": False, "mac": mac})
    return made["user_id"], name, name, made["access_token"]


def fill(count: int, password: str) -> None:
    """Create the store and accounts.json, with one session per account."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    start = command(port)
    subprocess.run([*start, "--generate-keys"], check=True)  # noqa: S603 - our own arguments
    settings = json.loads(Path("homeserver.yaml").read_text("utf-8"))
    Path("homeserver.yaml").write_text(json.dumps({**settings, "bcrypt_rounds": 4}), "utf-8")
    server = subprocess.Popen(start)  # noqa: S603 - our own arguments
    try:
        await_start(port)
        shared_secret = settings["registration_shared_secret"]
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda n: register(port, shared_secret, n), range(count)))
    finally:
        server.terminate()
        server.wait(60)
    _set_passwords(bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode())
    Path("accounts.json").write_text(json.dumps(made), "utf-8")


def _set_passwords(hashed: str) -> None:
    """Set one password for all accounts at full cost; registering with it would take minutes."""
    connection = sqlite3.connect("store.db")
    with connection:
        connection.execute("UPDATE users SET password_hash = ?", (hashed,))
    connection.close()


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]), sys.argv[3])
    else:
        words = command(int(sys.argv[2]))
        os.execv(words[0], words)  # noqa: S606 - our own arguments
