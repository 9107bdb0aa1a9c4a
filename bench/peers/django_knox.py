"""Django REST framework with knox."""

from pathlib import Path

from bench.peers.asking import JSON, bearer, packages, packed
from bench.peers.environments import APPS, accounts_of, python_environment
from bench.peers.peer import PASSWORD, Account, Call


class DjangoKnox:
    """Django REST framework with knox, behind granian."""

    name = "Django REST + knox"
    unequal = ("another's profile and one's own are views of ours, as the framework has none",)

    def prepare(self, cache: Path) -> str:
        """Install it."""
        self._cache = cache
        self._python = python_environment(cache, "django_knox")
        return packages(
            self._python, "django", "djangorestframework", "django-rest-knox", "granian"
        )

    def command(self, port: int) -> list[str]:
        """Return the command that starts it."""
        return [*self._app(), "serve", str(port)]

    def fill(self, folder: Path, count: int) -> list[Account]:
        """Create a store."""
        return accounts_of(self._app(), self._cache, folder, count)

    def own(self, caller: Account) -> Call:
        """Use a view that we add."""
        return Call("GET", "/me", bearer(caller, "Token"), b"", f'"first_name":"{caller.name}"')

    def profile(self, caller: Account, other: Account) -> Call:
        """Use a view that we add."""
        path, proof = f"/profiles/{other.id}", f'"first_name":"{other.name}"'
        return Call("GET", path, bearer(caller, "Token"), b"", proof)

    def rename(self, caller: Account, name: str) -> Call:
        """Use a view that we add."""
        headers, body = {**bearer(caller, "Token"), **JSON}, packed({"first_name": name})
        return Call("PATCH", "/me", headers, body, f'"first_name":"{name}"')

    def sign_in(self, account: Account) -> Call:
        """Use knox's view with the serializer from its documentation."""
        body = packed({"username": account.login, "password": PASSWORD})
        return Call("POST", "/sign-in", JSON, body, '"token":"')

    def _app(self) -> list[str]:
        return [str(self._python), str(APPS / "django_knox" / "app.py")]
