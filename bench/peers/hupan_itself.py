"""Hupan itself, asked as its peers are."""

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
    """`hupan serve` on SQLite with its own limits on."""

    name = "Hupan"
    unequal = (
        "answers in protobuf, but for signing in; the others answer in JSON",
        "signing in counts tries durably, tells the owner of a new device and keeps its limits on",
        "counts what one address does too, with bounds that the load of one does not reach",
        "logs warnings alone, as the others do",
    )

    def prepare(self, cache: Path) -> str:
        """It is there."""
        del cache
        return packages(Path(sys.executable), "hupan", "uvicorn", "apsw")

    def command(self, port: int) -> list[str]:
        """How it is started."""
        hupan = Path(sys.executable).with_name("hupan")
        serve = [str(hupan), "serve", "--port", str(port), "--data-dir", "."]
        roomy = [f"HUPAN_{name.upper()}={value}" for name, value in ROOMY.items()]
        return ["env", "HUPAN_LOG_LEVEL=warning", *roomy, *serve]

    def fill(self, folder: Path, count: int) -> list[Account]:
        """Makes a store, each account with an address and a password."""
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
        """Own info."""
        return Call("GET", "/v1/user/info", {"token": caller.token}, b"", caller.name)

    def profile(self, caller: Account, other: Account) -> Call:
        """get-user, which tells medals, days and remarks as well."""
        body = GetUser(id=other.id).SerializeToString()
        headers = {"token": caller.token, **PROTOBUF}
        return Call("POST", "/v1/user/get-user", headers, body, other.name)

    def rename(self, caller: Account, name: str) -> Call:
        """edit-nickname; its answer has not the name in it."""
        body = EditNickname(name=name).SerializeToString()
        headers = {"token": caller.token, **PROTOBUF}
        return Call("POST", "/v1/user/edit-nickname", headers, body, "success")

    def sign_in(self, account: Account) -> Call:
        """email-login, on a device of its own."""
        told = {"email": account.login, "password": PASSWORD}
        body = packed({**told, "deviceId": DEVICE, "platform": DEVICE})
        return Call("POST", "/v1/user/email-login", JSON, body, '"token":"')
