"""A day with a package: set up, serve, sign up, back up, lose the machine, restore."""

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

from tests.support import pb
from tests.support.captchas import solve
from tests.support.client import MESSAGE_SECONDS, WireClient
from tests.support.pictures import IMAGE_HOST, picture, upload
from tests.support.servers import Server

ACCOUNTS = 100
WITH_PICTURES = 12
PASSPHRASE = {"HUPAN_BACKUP_PASSPHRASE": "herons stand in the reeds"}
BACKUP = "day.backup"
_PHONES = [f"139{number:08}" for number in range(ACCOUNTS)]
_SETTINGS = ("--host-name", "lake.example", "--set", "limits_enabled=false")
_AVATAR = 4
# A sign-in is an activity, so the second machine has a later one.
_CHANGING = ("lastActiveAt",)


class HasKeys(Protocol):
    """A machine with the server's secret key."""

    @property
    def keys(self) -> Path:
        """Return the folder, which can be read from outside."""


class Place(HasKeys, Protocol):
    """A machine with the package."""

    def hupan(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a command of the package; return its output."""

    def serve(self) -> Server:
        """Return its server, not started yet."""

    def place_of(self, name: str) -> str:
        """Return the path at which a command finds a file."""

    def get(self, name: str) -> bytes:
        """Read a file."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file."""

    def lose(self) -> None:
        """Purge the package and remove the machine."""


def sign_in_all(
    place: HasKeys, server: Server, client: WireClient, phones: Sequence[str]
) -> dict[str, str]:
    """Sign in with the codes on the terminal; return the tokens of the numbers.

    The server must not have shown another code for these numbers.
    """
    for phone in phones:
        captcha = client.post("user/captcha").text("id")
        fields = {"mobile": phone, "code": solve(place.keys, captcha), "id": captcha}
        assert client.post("verification/get-verification-code", fields).code == 1
    codes: dict[str, str] = {}
    deadline = time.monotonic() + MESSAGE_SECONDS
    while codes.keys() != set(phones):  # until the outbox has sent them
        assert time.monotonic() < deadline, server.output()
        shown = server.output()
        found = {phone: re.search(rf"{phone}.*?(\d{{6}})", shown) for phone in phones}
        codes = {phone: code[1] for phone, code in found.items() if code}
    return {phone: client.sign_in(phone, codes[phone]).text("token") for phone in phones}


def _everything(place: Place, client: WireClient, tokens: Mapping[str, str]) -> dict[str, Any]:
    """Return what operators and clients see of all accounts; pictures as digests."""
    listed = place.hupan("account", "list", "--json", "--limit", "10000")
    # The count on the other stream comes before or after.
    told, _ = json.JSONDecoder().raw_decode(listed[listed.index("[") :])
    accounts: dict[str, Any] = {account["id"]: account for account in told}
    for account in accounts.values():
        for name in _CHANGING:
            del account[name]
    for phone, token in tokens.items():
        seen = client.own_info(token).pb_data
        account = accounts[seen.text(1)]
        assert account["phone"] == phone
        account["avatar"] = seen.text(_AVATAR)
        reply = client.request("GET", urlsplit(account["avatar"]).path)
        account["picture"] = (reply.status_code, hashlib.sha256(reply.content).hexdigest())
    return accounts


def _give_pictures_and_coins(place: Place, client: WireClient, tokens: Mapping[str, str]) -> None:
    for number, (phone, token) in enumerate(list(tokens.items())[:WITH_PICTURES]):
        name = f"a{number}.png"
        drawn = picture(colour=f"hsl({number * 25}, 60%, 50%)")
        assert upload(client, token, name, drawn).status_code == 200
        url = f"https://{IMAGE_HOST['host']}/{name}"
        assert client.post("user/edit-avatar", pb.text(2, url), token=token).code == 1
        coins = ("--give", str(100 + number), "--reason", "welcome")
        place.hupan("account", "coins", phone, *coins)


def play_a_day(place: Place, other: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """R20: the second machine has every account, coin and picture of the first."""
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)
    place.hupan("setup", "--yes", *_SETTINGS)
    with place.serve() as server, WireClient(server) as client:
        tokens = sign_in_all(place, server, client, _PHONES)
        _give_pictures_and_coins(place, client, tokens)
        before = _everything(place, client, tokens)
        place.hupan("backup", "create", place.place_of(BACKUP), environment=PASSPHRASE)
        assert server.stop() == 0
    assert len(before) == ACCOUNTS
    pictures = {account["picture"] for account in before.values()}
    assert len([status for status, _ in pictures if status == 200]) == ACCOUNTS
    assert sum(account["coins"] for account in before.values()) >= 100 * WITH_PICTURES

    backup = place.get(BACKUP)
    place.lose()

    other.hupan("setup", "--yes", *_SETTINGS)
    other.put(BACKUP, backup)
    other.hupan("restore", other.place_of(BACKUP), environment=PASSPHRASE)
    with other.serve() as server, WireClient(server) as client:
        for token in tokens.values():
            assert client.own_info(token).code == -101  # security L6
        tokens = sign_in_all(other, server, client, _PHONES)
        assert _everything(other, client, tokens) == before
    assert "No faults" in other.hupan("coins", "check")
