"""The requests of many signed-in clients: mostly reads, some writes, a few sign-ins."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.lines import Request
from tests.support import pb
from tests.support.client import WireClient

PASSWORD = "a long enough pass phrase"


@dataclass(frozen=True, slots=True)
class Member:
    """An account; `email` is "" for those that have no password."""

    id: str
    token: str
    email: str


@dataclass(frozen=True, slots=True)
class Share:
    """One kind of request: its frequency, its kind and its form.

    Attributes:
        weight: of a thousand requests.
        kind: `read`, `write`, `captcha` or `sign-in`.
    """

    weight: int
    kind: str
    method: str
    path: str
    body: Callable[[Member, int], bytes] = lambda _member, _serial: b""


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def _nickname(member: Member, serial: int) -> bytes:
    return pb.text(3, f"m{member.id}-{serial}")


def _remark(member: Member, serial: int) -> bytes:
    friend = str(int(member.id) + (1 if int(member.id) % 2 else -1))
    return _json(friendId=friend, name=f"r{serial}", phone="", others="")


MIX = (
    Share(460, "read", "GET", "/v1/user/info"),
    Share(160, "read", "POST", "/v1/user/get-user", lambda m, _: pb.text(2, m.id)),
    Share(40, "read", "POST", "/v1/user/medal"),
    Share(40, "read", "GET", "/v1/user/clients"),
    Share(
        40,
        "read",
        "POST",
        "/v1/user/gold-coin-increase-decrease-record",
        lambda _m, _s: _json(size=20, page=1),
    ),
    Share(40, "read", "POST", "/v1/user/get-user-data"),
    Share(
        28,
        "read",
        "POST",
        "/v1/user/recommend-list",
        lambda _m, _s: _json(category="", keyword="", size=20, page=1),
    ),
    Share(40, "read", "POST", "/v1/user/get-user-show-adv"),
    Share(60, "write", "POST", "/v1/user/edit-nickname", _nickname),
    Share(
        50,
        "write",
        "POST",
        "/v1/user/save-user-data",
        lambda _m, serial: _json(introduction=f"line {serial}", gender=serial % 3),
    ),
    Share(20, "write", "POST", "/v1/user/save-user-remarks", _remark),
    Share(
        20,
        "write",
        "POST",
        "/v1/user/notification-info",
        lambda _m, serial: _json(
            deviceId="soak", registrationId=f"r{serial}", isOpen=serial % 2, type=0
        ),
    ),
    Share(1, "captcha", "POST", "/v1/user/captcha"),
    Share(
        1,
        "sign-in",
        "POST",
        "/v1/user/email-login",
        lambda m, serial: _json(
            email=m.email, password=PASSWORD, deviceId=f"soak{serial % 4}", platform="soak"
        ),
    ),
)


def crowd(wire: WireClient, count: int, *, with_password: int) -> list[Member]:
    """Make the accounts through the endpoints of a sandbox."""
    members = []
    for number in range(count):
        email = f"soak{number}@example.com" if number < with_password else ""
        secret = {"email": email, "password": PASSWORD} if email else {}
        made = wire.account(phone=f"137{number:08d}", **secret)
        members.append(Member(made.id, made.token, email))
    return members


class Mix:
    """Draw requests, the same ones in each run."""

    def __init__(self, members: list[Member]) -> None:
        self._chance = random.Random(7)  # noqa: S311 - a load, no secret
        self._members = members
        self._with_password = [member for member in members if member.email]
        self._serial = 0
        self._cards = [share for share in MIX for _ in range(share.weight)]

    def draw(self) -> Request:
        """Return the next request."""
        share = self._chance.choice(self._cards)
        members = self._with_password if share.kind == "sign-in" else self._members
        self._serial += 1
        member = members[self._serial % len(members)]
        body = share.body(member, self._serial)
        head = f"{share.method} {share.path} HTTP/1.1\r\nhost: a\r\ntoken: {member.token}\r\n"
        return Request(share.kind, f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
