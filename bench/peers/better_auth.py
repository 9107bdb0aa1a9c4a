"""better-auth, for Node."""

import json
from pathlib import Path

from bench.peers.asking import JSON, bearer, packed
from bench.peers.environments import accounts_of, node_environment, run
from bench.peers.peer import PASSWORD, Account, Call


class BetterAuth:
    """better-auth on Node's own HTTP server."""

    name = "better-auth"
    unequal = (
        "hashes off its event loop by a native module, where its own default is scrypt",
        "another's profile is a route of ours, as the library has none",
    )

    def prepare(self, cache: Path) -> str:
        """Install it; its SQLite module may need a compiler and two minutes."""
        self._cache = cache
        place = node_environment(cache, "better_auth")
        self._server = ["node", str(place / "server.mjs")]
        node = run(["node", "--version"]).strip()
        locked = json.loads((place / "package.json").read_text("utf-8"))["dependencies"]
        return " ".join(f"{name} {version}" for name, version in locked.items()) + f" node {node}"

    def command(self, port: int) -> list[str]:
        """Return the command that starts it."""
        return ["env", "NODE_ENV=production", *self._server, "serve", str(port)]

    def fill(self, folder: Path, count: int) -> list[Account]:
        """Create a store."""
        return accounts_of(self._server, self._cache, folder, count)

    def own(self, caller: Account) -> Call:
        """Use its own endpoint."""
        path = "/api/auth/get-session"
        return Call("GET", path, bearer(caller), b"", f'"name":"{caller.name}"')

    def profile(self, caller: Account, other: Account) -> Call:
        """Use an endpoint that we add."""
        path = f"/profiles/{other.id}"
        return Call("GET", path, bearer(caller), b"", f'"name":"{other.name}"')

    def rename(self, caller: Account, name: str) -> Call:
        """Use its own endpoint; the response does not contain the name."""
        headers, body = {**bearer(caller), **JSON}, packed({"name": name})
        return Call("POST", "/api/auth/update-user", headers, body, '"status":true')

    def sign_in(self, account: Account) -> Call:
        """Use its own endpoint."""
        body = packed({"email": account.login, "password": PASSWORD})
        return Call("POST", "/api/auth/sign-in/email", JSON, body, '"token":"')
