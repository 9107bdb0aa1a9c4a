"""fastapi-users: tokens in the database."""

from pathlib import Path
from urllib.parse import urlencode

from bench.peers.asking import FORM, JSON, bearer, packages, packed
from bench.peers.environments import APPS, accounts_of, python_environment
from bench.peers.peer import PASSWORD, Account, Call


class FastapiUsers:
    """fastapi-users with tokens in the database, behind uvicorn."""

    name = "fastapi-users"
    unequal = (
        "hashes on its event loop, as the library does",
        "has an index on lower(email), which the library does not make of itself",
        "another's profile is a route of ours, as the library has one for administrators alone",
    )

    def prepare(self, cache: Path) -> str:
        """Install it."""
        self._cache = cache
        self._python = python_environment(cache, "fastapi_users")
        return packages(self._python, "fastapi-users", "fastapi", "uvicorn", "sqlalchemy")

    def command(self, port: int) -> list[str]:
        """Return the command that starts it."""
        return [*self._app(), "serve", str(port)]

    def fill(self, folder: Path, count: int) -> list[Account]:
        """Create a store."""
        return accounts_of(self._app(), self._cache, folder, count)

    def own(self, caller: Account) -> Call:
        """Use its own endpoint."""
        return Call("GET", "/users/me", bearer(caller), b"", f'"name":"{caller.name}"')

    def profile(self, caller: Account, other: Account) -> Call:
        """Use an endpoint that we add."""
        path = f"/profiles/{other.id}"
        return Call("GET", path, bearer(caller), b"", f'"name":"{other.name}"')

    def rename(self, caller: Account, name: str) -> Call:
        """Use its own endpoint."""
        headers = {**bearer(caller), **JSON}
        return Call("PATCH", "/users/me", headers, packed({"name": name}), f'"name":"{name}"')

    def sign_in(self, account: Account) -> Call:
        """Use its own endpoint, which takes a form."""
        body = urlencode({"username": account.login, "password": PASSWORD}).encode()
        return Call("POST", "/auth/login", FORM, body, '"access_token":"')

    def _app(self) -> list[str]:
        return [str(self._python), str(APPS / "fastapi_users" / "app.py")]
