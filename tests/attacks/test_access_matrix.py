"""Who may call what: roles and their states, endpoint by endpoint (security Z1).

access_matrix.csv is the table: `open` where the guard lets the role pass, whatever the rest of the
request leads to, else the code that the role is refused with. A route that the file does not list,
and a role that an endpoint does not name, would be refused by nobody: so the file is complete.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from hupan.api.routes import build_router
from hupan.api.routing import Router, Services
from hupan.contract.endpoints import ENDPOINTS, Endpoint, IgnoredBody, NoData, Public, Surface
from tests.support.channels import PHONE
from tests.support.client import WireClient
from tests.support.endpoint_calls import CALLS, Call

pytestmark = pytest.mark.slow

FILE = Path(__file__).with_name("access_matrix.csv")
REFUSALS = {-101, -1, 7100}


def matrix() -> dict[str, dict[str, str]]:
    """The table: endpoint -> role -> cell."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {row.pop("endpoint"): row for row in csv.DictReader(file)}


def nobody(_wire: WireClient) -> None:
    """No token at all."""


def junk(_wire: WireClient) -> str:
    """A token that never was."""
    return "01234567-89ab-4cde-8f01-23456789abcd"


def member(wire: WireClient) -> str:
    """A user like any other."""
    return wire.account().token


def vip(wire: WireClient) -> str:
    """A user with VIP."""
    return wire.account(vipDays=3).token


def banned(wire: WireClient) -> str:
    """A user who is banned, whatever else he has."""
    return wire.account(banDays=1, vipDays=3).token


def cancelled(wire: WireClient) -> str:
    """A user who cancelled the account."""
    phone = wire.fresh_phone()
    token = wire.account(phone=phone, vipDays=3).token
    assert PHONE.cancel(wire, token, phone, PHONE.code(wire, phone)).code == 1
    return token


def replaced(wire: WireClient) -> str:
    """A session whose device signed in again."""
    phone = wire.fresh_phone()
    token = wire.account(phone=phone, deviceId="one", vipDays=3).token
    wire.signed_in(phone, deviceId="one")
    return token


def left(wire: WireClient) -> str:
    """A session that signed out."""
    token = wire.account(vipDays=3).token
    assert wire.post("user/logout", token=token).code == 1
    return token


# For each role whether its token outlives any call.
ROLES: dict[str, tuple[Callable[[WireClient], str | None], bool]] = {
    "nobody": (nobody, True),
    "junk": (junk, True),
    "member": (member, False),
    "vip": (vip, False),
    "banned": (banned, True),
    "cancelled": (cancelled, True),
    "replaced": (replaced, True),
    "left": (left, True),
}


def cell(wire: WireClient, call: Call, token: str | None) -> str:
    """What the guard made of a caller."""
    code = call.answer(wire, token).code
    return str(code) if code in REFUSALS else "open"


@pytest.mark.one_engine
def test_the_file_lists_every_endpoint_and_role() -> None:
    """A new endpoint needs a line before it is served to anybody (Z1)."""
    rows = matrix()
    keys = {f"{line.method} {'/web' * (line.surface == 'web')}{line.path}" for line in ENDPOINTS}
    assert set(rows) ^ keys == set(), "add a line to tests/attacks/access_matrix.csv"
    assert {call.key for call in CALLS} ^ keys == set(), "add it to tests/support/endpoint_calls.py"
    assert {frozenset(row) for row in rows.values()} == {frozenset(ROLES)}


@pytest.mark.parametrize("role", ROLES)
def test_the_role_gets_what_the_file_says(wire: WireClient, role: str) -> None:
    """Each endpoint lets each role pass or refuses it, as the file has it (security Z1)."""
    make, lasts = ROLES[role]
    kept = make(wire) if lasts else None
    rows = matrix()
    found = {call.key: cell(wire, call, kept if lasts else make(wire)) for call in CALLS}
    assert found == {key: row[role] for key, row in rows.items()}


def test_what_ends_a_session_spares_the_others(wire: WireClient) -> None:
    """Naming what is another's, by id, number or device, reaches nothing of his (security Z1)."""
    phone = wire.fresh_phone()
    victim = wire.account(phone=phone, deviceId="d", nickname="victim", vipDays=3)
    before = wire.own_info(victim.token).body[20:]
    thief = wire.account(deviceId="mine", vipDays=3).token
    named = {"userId": victim.id, "id": victim.id, "phone": phone, "deviceId": "d", "token": "x"}
    for call in CALLS:
        if isinstance(call.body, dict) and "/user/" in call.path:
            Call(call.method, call.path, {**call.body, **named}).answer(wire, thief)
    after = wire.own_info(victim.token)
    assert after.code == 1
    assert after.body[20:] == before


class Broken:
    """Services of which nothing works: whatever is asked of them is an accident."""

    def __getattr__(self, name: str) -> object:
        """No service is there.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(name)


class Unguarded:
    """An access that no guard knows."""


@pytest.mark.one_engine
def test_a_route_without_a_guard_does_not_start() -> None:
    """Deny by default: a line whose access nobody guards stops the start (security Z1)."""
    access = cast("Any", Unguarded())
    line: Endpoint[Any, Any, Any] = Endpoint(
        "app", "POST", "/v1/new", access, IgnoredBody, NoData, source="D"
    )
    with pytest.raises(TypeError, match="no guard"):
        Router(cast("Services", Broken())).add(line, cast("Any", None))


@pytest.mark.one_engine
async def test_an_accident_in_a_guard_is_no_way_in() -> None:
    """A guard that fails, fails closed: nobody is served (security Z1)."""
    table = build_router(cast("Services", Broken())).table
    guarded = [line for line in ENDPOINTS if not isinstance(line.access, Public)]
    assert len(guarded) > 25

    async def knock(key: tuple[Surface, str, str]) -> None:
        await table[key].handle(table[key].codec, _with_token(), b"{}")

    for line in guarded:
        with pytest.raises(RuntimeError):
            await knock(line.key)


def _with_token() -> Any:  # noqa: ANN401 - of a call the guard reads the token alone
    class Carrying:
        token = "a token"

    return Carrying()
