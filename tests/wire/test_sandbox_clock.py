"""The clock of the sandbox: frozen, advanced, set, never back; pending events (K-6)."""

import json
import re

import pytest

from tests.support.client import WireClient

DAY = 86_400


def post(wire: WireClient, **order: object) -> dict[str, object]:
    """Move the clock."""
    reply = wire.request("POST", "/sandbox/clock", order)
    assert reply.status_code == 200, reply.text
    status: dict[str, object] = reply.json()
    return status


def pending(wire: WireClient, **headers: str) -> list[tuple[int, str]]:
    """Return the pending events, with the seconds until then; the clock must be frozen."""
    reply = wire.http.get("/sandbox/clock", headers=headers)
    assert reply.status_code == 200
    status = reply.json()
    assert set(status) == {"now", "frozen", "pending"}
    return [(event["at"] - status["now"], event["what"]) for event in status["pending"]]


def test_a_frozen_clock_stands(own_wire: WireClient) -> None:
    """It only moves on request, and continues from there (K-6)."""
    frozen = post(own_wire, freeze=True)
    now = int(str(frozen["now"]))
    assert frozen["frozen"] is True
    assert post(own_wire, advance=90)["now"] == now + 90
    assert post(own_wire, set=now + 100) == {"now": now + 100, "frozen": True, "pending": []}
    assert own_wire.http.get("/sandbox/clock").json()["now"] == now + 100
    going = post(own_wire, freeze=False)
    assert going["frozen"] is False
    assert now + 100 <= int(str(going["now"])) < now + 160
    assert post(own_wire, advance=1, freeze=True)["frozen"] is True
    assert own_wire.request("POST", "/sandbox/reset").is_success
    assert own_wire.http.get("/sandbox/clock").json()["frozen"] is False


def test_pending_events_are_listed(own_wire: WireClient) -> None:
    """Codes, bans, VIP, sessions and cancelled accounts are listed, the soonest first (K-6)."""
    post(own_wire, freeze=True)
    phone = own_wire.fresh_phone()
    own_wire.sms_code(phone)
    banned = own_wire.account(banDays=1)
    vip = own_wire.account(vipDays=2)
    other = own_wire.fresh_phone()
    leaving = own_wire.account(phone=other, vipDays=3)
    order = {"phone": other, "captcha": own_wire.sms_code(other)}
    assert own_wire.post("user/cancel-user", order, token=leaving.token).code == 1
    events = pending(own_wire)
    assert events == sorted(events, key=lambda event: event[0])
    assert (300, f"{phone} 的验证码失效") in events
    assert (DAY, f"账号 {banned.id} 的封禁结束") in events
    assert (2 * DAY, f"账号 {vip.id} 的会员到期") in events
    assert any(what == f"已注销的账号 {leaving.id} 清除数据" for _, what in events)
    assert any(what == f"账号 {banned.id} 的一个登录过期" for _, what in events)
    assert len([what for _, what in events if leaving.id in what]) == 1
    english = pending(own_wire, **{"accept-language": "en-GB"})
    assert [at for at, _ in english] == [at for at, _ in events]
    assert all(what.isascii() for _, what in english)
    assert (300, f"the code for {phone} expires") in english


def test_a_step_fires_what_is_due(own_wire: WireClient) -> None:
    """When the request returns, accounts are erased, and no past event is pending (K-6)."""
    post(own_wire, freeze=True)
    phone = own_wire.fresh_phone()
    account = own_wire.account(phone=phone)
    code = own_wire.sms_code(phone)
    reply = own_wire.post(
        "user/cancel-user", {"phone": phone, "captcha": code}, token=account.token
    )
    assert reply.code == 1
    erased_in = next(at for at, what in pending(own_wire) if "清除数据" in what)
    post(own_wire, advance=erased_in - 1)
    taken = own_wire.request("POST", "/sandbox/accounts", {"phone": phone})
    assert taken.status_code == 409
    post(own_wire, advance=1)
    assert own_wire.account(phone=phone).id != account.id
    assert all(at > 0 for at, _ in pending(own_wire))


def test_pending_events_are_bounded(own_wire: WireClient) -> None:
    """The next hundred events are listed (K-6)."""
    post(own_wire, freeze=True)
    order = {"pack": "banned", "number": 140}
    assert own_wire.request("POST", "/sandbox/seed", order).is_success
    assert len(pending(own_wire)) == 100


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({}, "advance"),
        ({"advance": 1, "set": 2_000_000_000}, "同时"),
        ({"advance": -1}, "不能倒退"),
        ({"set": 1}, "不能倒退"),
        ({"set": -1}, "之间"),
        ({"set": 10**15}, "之间"),
        ({"advance": 1e400}, "请求体"),
        ({"freeze": 1}, "freeze"),
        ({"frozen": True}, "freeze"),
    ],
    ids=str,
)
def test_the_clock_never_goes_back(
    own_wire: WireClient, order: dict[str, object], word: str
) -> None:
    """Going back and invalid requests are refused with an explanation, and nothing moves (K-6)."""
    before = post(own_wire, freeze=True)
    body = re.sub("Infinity", "1e400", json.dumps(order))
    reply = own_wire.http.post("/sandbox/clock", content=body)
    assert reply.status_code == 400, reply.text
    assert word in reply.json()["error"]
    assert own_wire.http.get("/sandbox/clock").json() == before
