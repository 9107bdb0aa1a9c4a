"""Every authentication and change of credentials logs one line, whatever its result (L2, D3)."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hupan.contract import ENDPOINTS
from hupan.logs import TOKEN_REFUSED
from tests.support.answers import Answer
from tests.support.audit_events import event_of
from tests.support.channels import EMAIL, PHONE, ContactChannel, forget
from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = pytest.mark.slow

PASSWORD = "the lake at seven"
DEVICE = "a desk by the lake"
MARK = hashlib.sha256(DEVICE.encode()).hexdigest()[:8]
JUNK = "01234567-89ab-4cde-8f01-23456789abcd"
SECRETS = {"captcha", "password", "code", "token"}
EVENTS = {line.event.name for line in ENDPOINTS if line.event}
NO_SECRETS = {"/v1/user/invite/change-user-invite-code"}  # its `code` is shared with friends


@dataclass(frozen=True)
class ExpectedEvent:
    """The content of a line, except for time, address and request.

    Attributes:
        target: the masked target, `-` for none.
        account: the account's id, `-` if it is not known for sure.
    """

    event: str
    result: str
    answer: Answer
    target: str = "-"
    account: str = "-"
    device: str = "-"
    reason: str = "-"


def seen(phone: str) -> str:
    """Return a number as logs show it."""
    return f"{phone[:3]}****{phone[-4:]}"


def sign_in_by_code(wire: WireClient) -> list[ExpectedEvent]:
    """Sign in by SMS with a right code and a wrong one."""
    phone, name = wire.fresh_phone(), "sign-in-by-code"
    account = wire.account(phone=phone)
    code = wire.sms_code(phone)
    wrong = wire.sign_in(phone, wire.wrong_code(code), deviceId=DEVICE)
    right = wire.sign_in(f"+86{phone}", code, deviceId=DEVICE)
    return [
        ExpectedEvent(name, "refused", wrong, seen(phone), device=MARK, reason="WrongCode"),
        ExpectedEvent(name, "ok", right, seen(phone), account.id, MARK),
    ]


def sign_in_by_password(wire: WireClient) -> list[ExpectedEvent]:
    """Sign in with a right password, with a wrong one, and to a banned account."""
    email, name = wire.fresh_email(), "sign-in-by-password"
    account = wire.account(email=email, password=PASSWORD)
    banned = wire.fresh_email()
    wire.account(email=banned, password=PASSWORD, banDays=1)
    mine, theirs = f"{email[0]}***@example.com", f"{banned[0]}***@example.com"
    wrong = wire.email_login(email, "no such one", deviceId=DEVICE)
    right = wire.email_login(email, PASSWORD, deviceId=DEVICE)
    shut = wire.email_login(banned, PASSWORD)
    return [
        ExpectedEvent(name, "refused", wrong, mine, device=MARK, reason="WrongEmailOrPassword"),
        ExpectedEvent(name, "ok", right, mine, account.id, MARK),
        ExpectedEvent(name, "refused", shut, theirs, reason="Banned"),
    ]


def ask(way: ContactChannel, name: str) -> Callable[[WireClient], list[ExpectedEvent]]:
    """Request a code with a right captcha, with a wrong one, and for an invalid target."""

    def asked(wire: WireClient) -> list[ExpectedEvent]:
        target = way.fresh(wire)
        mask = seen(target) if way is PHONE else f"{target[0]}***@example.com"
        path = "verification/get-verification-code"
        if way is EMAIL:
            path = "verification/get-email-verification-code"
        key = "mobile" if way is PHONE else "email"
        wrong = wire.post(path, {key: target, "code": "WRONG", "id": "unknown"})
        odd = wire.post(path, {key: 'a"\r\n\x1b[2J event=forged', "code": "x", "id": "y"})
        return [
            ExpectedEvent(name, "ok", way.request_code(wire, target), mask),
            ExpectedEvent(name, "refused", wrong, mask, reason="WrongCaptcha"),
            ExpectedEvent(name, "refused", odd, "?", reason="InvalidField"),
        ]

    return asked


def sign_out(wire: WireClient) -> list[ExpectedEvent]:
    """Sign out with a live token and without one."""
    account = wire.account(deviceId=DEVICE)
    left = wire.post("user/logout", token=account.token)
    nobody = wire.post("user/logout")
    return [
        ExpectedEvent("sign-out", "ok", left, account=account.id, device=MARK),
        ExpectedEvent("sign-out", "unauthenticated", nobody, reason="MissingToken"),
    ]


def device_offline(wire: WireClient) -> list[ExpectedEvent]:
    """Sign out a device from another one; the event has the device that was named."""
    account = wire.account(deviceId="mine")
    answer = wire.post("user/device-offline", {"deviceId": DEVICE}, token=account.token)
    return [ExpectedEvent("device-offline", "ok", answer, account=account.id, device=MARK)]


def password_reset(wire: WireClient) -> list[ExpectedEvent]:
    """Reset the password with a wrong code and a right one."""
    email, name = wire.fresh_email(), "password-reset"
    wire.account(email=email)
    mask = f"{email[0]}***@example.com"
    code = EMAIL.code(wire, email, typ="forget_password")
    wrong = forget(wire, email, wire.wrong_code(code), PASSWORD)
    return [
        ExpectedEvent(name, "refused", wrong, mask, reason="WrongCode"),
        ExpectedEvent(name, "ok", forget(wire, email, code, PASSWORD), mask),
    ]


def bind(way: ContactChannel, name: str) -> Callable[[WireClient], list[ExpectedEvent]]:
    """Bind a contact with a wrong code and a right one."""

    def bound(wire: WireClient) -> list[ExpectedEvent]:
        account, target = wire.account(deviceId=DEVICE), way.fresh(wire)
        mask = seen(target) if way is PHONE else f"{target[0]}***@example.com"
        code = way.code(wire, target)
        wrong = way.bind(wire, account.token, target, wire.wrong_code(code))
        right = way.bind(wire, account.token, target, code)
        return [
            ExpectedEvent(name, "refused", wrong, mask, account.id, MARK, "WrongCode"),
            ExpectedEvent(name, "ok", right, mask, account.id, MARK),
        ]

    return bound


def change(way: ContactChannel, name: str) -> Callable[[WireClient], list[ExpectedEvent]]:
    """Change to a new target, and try it where nothing is bound."""

    def changed(wire: WireClient) -> list[ExpectedEvent]:
        target, none = way.fresh(wire), wire.account()
        account = wire.account(**{way.field: way.fresh(wire)}, deviceId=DEVICE)
        mask = seen(target) if way is PHONE else f"{target[0]}***@example.com"
        right = way.change(wire, account.token, target, way.code(wire, target))
        early = way.change(wire, none.token, target, "100000")
        reason = "PhoneNotBound" if way is PHONE else "EmailNotBound"
        return [
            ExpectedEvent(name, "ok", right, mask, account.id, MARK),
            ExpectedEvent(name, "refused", early, mask, none.id, reason=reason),
        ]

    return changed


def cancel(wire: WireClient) -> list[ExpectedEvent]:
    """Cancel the account with a wrong code and a right one."""
    phone = wire.fresh_phone()
    account = wire.account(phone=phone)
    code = wire.sms_code(phone)
    wrong = PHONE.cancel(wire, account.token, phone, wire.wrong_code(code))
    right = PHONE.cancel(wire, account.token, phone, code)
    return [
        ExpectedEvent("cancel", "refused", wrong, seen(phone), account.id, reason="WrongCode"),
        ExpectedEvent("cancel", "ok", right, seen(phone), account.id),
    ]


DEEDS: dict[str, Callable[[WireClient], list[ExpectedEvent]]] = {
    "sign-in-by-code": sign_in_by_code,
    "sign-in-by-password": sign_in_by_password,
    "code-by-sms": ask(PHONE, "code-by-sms"),
    "code-by-email": ask(EMAIL, "code-by-email"),
    "sign-out": sign_out,
    "device-offline": device_offline,
    "password-reset": password_reset,
    "phone-bind": bind(PHONE, "phone-bind"),
    "email-bind": bind(EMAIL, "email-bind"),
    "phone-change": change(PHONE, "phone-change"),
    "email-change": change(EMAIL, "email-change"),
    "cancel": cancel,
}


@pytest.mark.parametrize("deed", DEEDS)
def test_each_outcome_has_its_line(wire: WireClient, deed: str) -> None:
    """Time, name, result, masked target, account, device, address, request, code (security L2)."""
    for told in DEEDS[deed](wire):
        line = dict(event_of(wire.server, told.answer))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.pop("time"))
        assert line == {
            "event": told.event,
            "result": told.result,
            "address": "127.0.0.1",
            "target": told.target,
            "account": told.account,
            "device": told.device,
            "request": str(told.answer.request_id),
            "code": str(told.answer.code),
            "reason": told.reason,
        }
        assert told.answer.headers["x-result"] == told.result


@pytest.mark.one_engine
def test_an_invalid_token_is_logged(own_sandbox: Server) -> None:
    """An invalid token is logged once per address and minute, with their number (security L2)."""
    with WireClient(own_sandbox) as wire:
        first = wire.own_info(JUNK)
        for _ in range(5):
            assert wire.own_info(JUNK).code == -101
        assert event_of(own_sandbox, first)["times"] == "1"
        assert own_sandbox.output().count(f"event={TOKEN_REFUSED}") == 1
        wire.set_clock(advance=61)
        again = wire.own_info(JUNK)
    line = event_of(own_sandbox, again)
    assert (line["event"], line["times"], line["reason"]) == (TOKEN_REFUSED, "6", "NotSignedIn")


@pytest.mark.one_engine
def test_every_endpoint_that_takes_a_secret_is_an_act() -> None:
    """Every endpoint that reads a code or a password has an event (security E5, L2)."""
    takes = {line for line in ENDPOINTS if SECRETS & set(_fields(line.request))}
    assert {line for line in takes if line.path not in NO_SECRETS and not line.event} == set()
    assert set(DEEDS) == EVENTS


def _fields(request: type[Any]) -> tuple[str, ...]:
    return getattr(request, "__struct_fields__", ())


@pytest.mark.one_engine
def test_every_event_is_documented() -> None:
    """docs/events.md has a row for each act, and for no other."""
    root = Path(__file__).parents[2]
    page = (root / "docs/events.md").read_text("utf-8").partition("| event | action |")[2]
    page = re.sub(r"\n\| field \|.*?\n\n", "\n", page, flags=re.DOTALL)
    rows = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    operators = {name for name in rows if name.startswith("operator-")}
    assert rows - operators == {*EVENTS, TOKEN_REFUSED, "introspection"}
    commands = "".join(path.read_text("utf-8") for path in (root / "src/hupan/cli").glob("*.py"))
    assert operators == set(re.findall(r'"(operator-[a-z-]+)"', commands))
