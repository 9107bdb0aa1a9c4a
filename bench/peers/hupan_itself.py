"""Hupan itself, measured like its peers."""

import sys
from pathlib import Path

import argon2

from bench.filling import fill
from bench.harness.servers import ROOMY
from bench.peers.asking import JSON, packages, packed
from bench.peers.peer import PASSWORD, Account, Call
from hupan.contract.pb.hupan_pb2 import EditNickname, GetUser
from hupan.store.sqlite import connect

PROTOBUF = {"content-type": "application/x-protobuf"}
DEVICE = "peers"


class Hupan:
    """`hupan serve` on SQLite with its rate limits on."""

    name = "Hupan"
    unequal = (
        "answers in protobuf, but for signing in; the others answer in JSON",
        "signing in counts tries durably, tells the owner of a new device and keeps its limits on",
        "counts what one address does too, with bounds that the load of one does not reach",
        "logs warnings alone, as the others do",
    )

    def prepare(self, cache: Path) -> str:
        """Return its version; it needs no installation."""
        del cache
        return packages(Path(sys.executable), "hupan", "uvicorn", "apsw")

    def command(self, port: int) -> list[str]:
        """Return the command that starts it."""
        hupan = Path(sys.executable).with_name("hupan")
        serve = [str(hupan), "serve", "--port", str(port), "--data-dir", "."]
        roomy = [f"HUPAN_{name.upper()}={value}" for name, value in ROOMY.items()]
        return ["env", "HUPAN_LOG_LEVEL=warning", *roomy, *serve]

    def fill(self, folder: Path, count: int) -> list[Account]:
        """Create a store; each account has an address and a password."""
        sample = fill(folder, count)
        hashed = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        made = [
            Account(str(n), f"bench-{n}", f"bench-{n}@example.org", token) for n, token in sample
        ]
        one = hashed.hash(PASSWORD)
        connection = connect(folder / "hupan.db")
        with connection:
            connection.executemany(
                "UPDATE accounts SET name = ?, email = ?, password_hash = ? WHERE id = ?",
                [(account.name, account.login, one, int(account.id)) for account in made],
            )
            connection.executemany(
                "INSERT INTO identities (kind, value, account_id) VALUES ('email', ?, ?)",
                [(account.login, int(account.id)) for account in made],
            )
        connection.close()
        return made

    def own(self, caller: Account) -> Call:
        """Use own info."""
        return Call("GET", "/v1/user/info", {"token": caller.token}, b"", caller.name)

    def profile(self, caller: Account, other: Account) -> Call:
        """Use get-user, whose response also has medals, days and remarks."""
        body = GetUser(id=other.id).SerializeToString()
        headers = {"token": caller.token, **PROTOBUF}
        return Call("POST", "/v1/user/get-user", headers, body, other.name)

    def rename(self, caller: Account, name: str) -> Call:
        """Use edit-nickname; the response does not contain the name."""
        body = EditNickname(name=name).SerializeToString()
        headers = {"token": caller.token, **PROTOBUF}
        return Call("POST", "/v1/user/edit-nickname", headers, body, "success")

    def sign_in(self, account: Account) -> Call:
        """Use email-login, on a separate device."""
        told = {"email": account.login, "password": PASSWORD}
        body = packed({**told, "deviceId": DEVICE, "platform": DEVICE})
        return Call("POST", "/v1/user/email-login", JSON, body, '"token":"')
