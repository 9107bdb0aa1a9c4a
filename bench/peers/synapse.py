"""Synapse, the Matrix server."""

from pathlib import Path
from urllib.parse import quote

from bench.peers.asking import JSON, bearer, packages, packed
from bench.peers.environments import APPS, accounts_of, python_environment
from bench.peers.peer import PASSWORD, Account, Call


class Synapse:
    """Synapse, the Matrix server, without federation."""

    name = "Synapse"
    unequal = (
        "hashes with bcrypt at 12 rounds, its default, as it knows no argon2",
        "keeps 500 tokens and profiles in memory: read from there when few accounts take turns",
        "whoami tells the id and the device, not the name",
        "notes the addresses of callers every few seconds, in a batch",
        "on SQLite as the others, while it advises PostgreSQL for more than a trial",
    )

    def prepare(self, cache: Path) -> str:
        """Install it."""
        self._cache = cache
        self._python = python_environment(cache, "synapse")
        return packages(self._python, "matrix-synapse", "twisted")

    def command(self, port: int) -> list[str]:
        """Return the command that starts it."""
        return [*self._app(), "serve", str(port)]

    def fill(self, folder: Path, count: int) -> list[Account]:
        """Create a store; takes a minute for a thousand accounts."""
        return accounts_of(self._app(), self._cache, folder, count)

    def own(self, caller: Account) -> Call:
        """Use whoami."""
        path, proof = "/_matrix/client/v3/account/whoami", f'"user_id":"{caller.id}"'
        return Call("GET", path, bearer(caller), b"", proof)

    def profile(self, caller: Account, other: Account) -> Call:
        """Use the profile: name and picture."""
        path, proof = self._path(other), f'"displayname":"{other.name}"'
        return Call("GET", path, bearer(caller), b"", proof)

    def rename(self, caller: Account, name: str) -> Call:
        """Use the profile; the response is empty, so the change only shows in the profile."""
        path, headers = f"{self._path(caller)}/displayname", {**bearer(caller), **JSON}
        return Call("PUT", path, headers, packed({"displayname": name}), "{}")

    def sign_in(self, account: Account) -> Call:
        """Use the password login."""
        who = {"type": "m.id.user", "user": account.login}
        body = {"type": "m.login.password", "identifier": who, "password": PASSWORD}
        return Call("POST", "/_matrix/client/v3/login", JSON, packed(body), '"access_token":"')

    def _path(self, account: Account) -> str:
        return f"/_matrix/client/v3/profile/{quote(account.id)}"

    def _app(self) -> list[str]:
        return [str(self._python), str(APPS / "synapse" / "app.py")]
