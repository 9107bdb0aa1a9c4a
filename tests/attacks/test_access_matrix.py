"""Roles and states of callers, endpoint by endpoint (security Z1).

An endpoint needs the token of a live session, unless it is listed here as an exception (wire.md 4).
For each kind of endpoint `CELLS` says what a role gets: `open` where the guard passes it, even if
the rest of the request fails, else the code of the refusal.
"""

from collections.abc import Callable
from typing import Any, cast

import pytest

from hupan.api.app import Services, build_route, build_routes
from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import Endpoint, IgnoredBody, NoData, Public, Surface
from tests.support.channels import PHONE
from tests.support.client import WireClient
from tests.support.endpoint_calls import CALLS, Call

pytestmark = pytest.mark.slow

REFUSALS = {-101, -1, 7100}
OPEN = "nobody junk member vip banned cancelled replaced left"
CELLS: dict[str, dict[str, str]] = {
    "public": {"open": OPEN},
    "any token": {"-101": "nobody", "open": "junk member vip banned cancelled replaced left"},
    "session": {
        "-101": "nobody junk cancelled replaced left",
        "7100": "banned",
        "open": "member vip",
    },
    "VIP": {
        "-101": "nobody junk cancelled replaced left",
        "7100": "banned",
        "-1": "member",
        "open": "vip",
    },
    "logged out too": {
        "-101": "nobody junk replaced",
        "7100": "banned",
        "open": "member vip cancelled left",
    },
}
"""Kind of endpoint -> cell -> its roles."""
EXCEPTIONS: dict[str, str] = {
    "POST /v1/user/captcha": "public",
    "POST /v1/captcha/get": "public",
    "POST /v1/verification/get-verification-code": "public",
    "POST /v1/verification/get-email-verification-code": "public",
    "POST /v1/user/verification-login": "public",
    "POST /v1/user/email-login": "public",
    "POST /v1/user/forget-password": "public",
    "GET /v1/misc/setting": "public",
    "GET /v1/misc/gray-status": "public",
    "POST /web/v1/group/group-info": "public",
    "POST /web/v1/bot/bot-info": "public",
    "GET /web/v1/user/homepage": "public",
    "POST /v1/user/get-user": "any token",
    "POST /v1/user/logout": "logged out too",
    "POST /v1/user/module-ignore-info": "VIP",
    "POST /v1/user/module-ignore": "VIP",
}
"""The endpoints that need something other than a live session."""


def expected(key: str, role: str) -> str:
    """Return the cell of an endpoint and a role."""
    cells = CELLS[EXCEPTIONS.get(key, "session")]
    return next(cell for cell, roles in cells.items() if role in roles.split())


def nobody(_wire: WireClient) -> None:
    """Return no token."""


def junk(_wire: WireClient) -> str:
    """Return a token that was never issued."""
    return "01234567-89ab-4cde-8f01-23456789abcd"


def member(wire: WireClient) -> str:
    """Return an ordinary user."""
    return wire.account().token


def vip(wire: WireClient) -> str:
    """Return a user with VIP."""
    return wire.account(vipDays=3).token


def banned(wire: WireClient) -> str:
    """Return the token of a banned user with VIP."""
    return wire.account(banDays=1, vipDays=3).token


def cancelled(wire: WireClient) -> str:
    """Return the token of a user that cancelled the account."""
    phone = wire.fresh_phone()
    token = wire.account(phone=phone, vipDays=3).token
    assert PHONE.cancel(wire, token, phone, PHONE.code(wire, phone)).code == 1
    return token


def replaced(wire: WireClient) -> str:
    """Return a session whose device signed in again."""
    phone = wire.fresh_phone()
    token = wire.account(phone=phone, deviceId="one", vipDays=3).token
    wire.signed_in(phone, deviceId="one")
    return token


def left(wire: WireClient) -> str:
    """Return a session that signed out."""
    token = wire.account(vipDays=3).token
    assert wire.post("user/logout", token=token).code == 1
    return token


# For each role: whether its token survives any call.
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
    """Return what the guard decided about a caller."""
    code = call.answer(wire, token).code
    return str(code) if code in REFUSALS else "open"


@pytest.mark.one_engine
def test_every_endpoint_and_role_has_a_cell() -> None:
    """The table has every endpoint, and each exception names an existing endpoint (Z1)."""
    keys = {call.key for call in CALLS}
    assert len(keys) == len(ENDPOINTS)
    assert set(EXCEPTIONS) <= keys
    for cells in CELLS.values():
        assert sorted(" ".join(cells.values()).split()) == sorted(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_the_role_gets_what_the_table_says(wire: WireClient, role: str) -> None:
    """Each endpoint admits or refuses each role as `CELLS` says (security Z1)."""
    make, lasts = ROLES[role]
    kept = make(wire) if lasts else None
    found = {call.key: cell(wire, call, kept if lasts else make(wire)) for call in CALLS}
    assert found == {key: expected(key, role) for key in found}


def test_what_ends_a_session_spares_the_others(wire: WireClient) -> None:
    """Naming another account's session by id, number or device does not affect it (security Z1)."""
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
    """Services that all fail: every access raises."""

    def __getattr__(self, name: str) -> object:
        """Fail for every service.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(name)


class Unguarded:
    """An access level that no guard handles."""


@pytest.mark.one_engine
def test_a_route_without_a_guard_does_not_start() -> None:
    """Deny by default: an endpoint without an access guard stops the start (security Z1)."""
    access = cast("Any", Unguarded())
    line: Endpoint[Any, Any, Any] = Endpoint(
        "app", "POST", "/v1/new", access, IgnoredBody, NoData, source="D"
    )
    with pytest.raises(TypeError, match="no guard"):
        build_route(line, cast("Any", None), cast("Services", Broken()))


@pytest.mark.one_engine
async def test_an_accident_in_a_guard_is_no_way_in() -> None:
    """If a guard raises, it fails closed: no request is served (security Z1)."""
    table = build_routes(cast("Services", Broken()))
    guarded = [line for line in ENDPOINTS if not isinstance(line.access, Public)]
    assert len(guarded) > 25

    async def knock(key: tuple[Surface, str, str]) -> None:
        await table[key].handle(table[key].codec, _with_token(), b"{}")

    for line in guarded:
        with pytest.raises(RuntimeError):
            await knock(line.key)


def _with_token() -> Any:  # noqa: ANN401 - the guard only reads the token of a call
    class Carrying:
        token = "a token"

    return Carrying()
