"""A member's devices (wire.md 3 clients, 4 clients and device-offline, security T6, T7)."""

import pytest

from tests.wire import pb
from tests.wire.answers import Answer, read_answer
from tests.wire.client import WireClient
from tests.wire.shapes import SUCCESS, reply_to

OFFLINE = "user/device-offline"
NOW = 2_000_000_000
KINDS = {1: pb.LENGTH, 3: pb.LENGTH, 4: pb.LENGTH, 5: pb.VARINT}


def clients(wire: WireClient, token: str) -> Answer:
    """GET `/v1/user/clients`."""
    reply = wire.request("GET", "/v1/user/clients", token=token)
    return read_answer(reply.status_code, reply.headers, reply.content)


def devices(wire: WireClient, token: str) -> list[pb.Message]:
    """Return the caller's devices."""
    answer = clients(wire, token)
    assert (answer.form, answer.code) == ("protobuf", 1)
    assert answer.message is not None
    return answer.message.messages(2)


def test_golden_bytes(wire: WireClient) -> None:
    """One device is user_id 1, platform 3, device_id 4, login_timestamp 5 (wire.md 3)."""
    account = wire.account(deviceId="设备", platform="windows")
    answer = clients(wire, account.token)
    assert answer.message is not None
    seconds = answer.message.message(2).number(5)
    status = b"\x08" + pb.varint(answer.request_id) + bytes.fromhex("1001 1a07 73756363657373")
    user_id = b"\x0a" + bytes([len(account.id)]) + account.id.encode()
    named = bytes.fromhex("1a07 77696e646f7773 2206 e8aebee5a487")
    device = user_id + named + b"\x28" + pb.varint(seconds)
    whole = b"\x0a" + pb.varint(len(status)) + status + b"\x12" + pb.varint(len(device)) + device
    assert answer.body == whole


def test_login_timestamp_is_the_servers(own_wire: WireClient) -> None:
    """The field login_timestamp is the unix second of the sign-in (wire.md 1.11, 3)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.signed_in(own_wire.fresh_phone(), deviceId="d", platform="web")
    own_wire.set_clock(set=NOW + 7200)
    (device,) = devices(own_wire, token)
    assert 0 <= device.number(5) - NOW < 60


def test_all_devices_of_the_caller(wire: WireClient) -> None:
    """Each device with a session stands there, and no other user's (wire.md 4)."""
    phone = wire.fresh_phone()
    account = wire.account(phone=phone, deviceId="door", platform="door")
    token = wire.signed_in(phone, deviceId="one", platform="android")
    wire.signed_in(phone, deviceId="two", platform="windows")
    wire.signed_in(wire.fresh_phone(), deviceId="elsewhere", platform="ios")
    found = devices(wire, token)
    told = {(device.text(4), device.text(3)) for device in found}
    assert told == {("door", "door"), ("one", "android"), ("two", "windows")}
    assert len(found) == 3
    assert {device.text(1) for device in found} == {account.id}
    assert all(device.kinds().items() <= KINDS.items() for device in found)
    assert all(0 < device.number(5) < 2**53 for device in found)


def test_same_device_stands_once(wire: WireClient) -> None:
    """A new sign-in of a device replaces its entry (wire.md 5)."""
    phone = wire.fresh_phone()
    wire.account(phone=phone, deviceId="one", platform="old")
    token = wire.signed_in(phone, deviceId="one", platform="new")
    assert [(d.text(4), d.text(3)) for d in devices(wire, token)] == [("one", "new")]


def test_device_without_a_name_stands_too(wire: WireClient) -> None:
    """Each sign-in without a deviceId stands there as a device "" (wire.md 5)."""
    phone = wire.fresh_phone()
    token, _ = (wire.signed_in(phone, platform="pad") for _ in "ab")
    assert [(d.text(3), d.text(4)) for d in devices(wire, token)] == [("pad", "")] * 2


def test_offline_without_a_name_ends_all_that_have_none(wire: WireClient) -> None:
    """The deviceId "" means every session without one: nothing tells them apart (wire.md 5)."""
    phone = wire.fresh_phone()
    named, one, two = (wire.signed_in(phone, deviceId=name) for name in ("d", "", ""))
    assert reply_to(wire, OFFLINE, {"deviceId": ""}, token=named) == SUCCESS
    assert [wire.own_info(token).code for token in (named, one, two)] == [1, -101, -101]


def test_offline_ends_that_devices_session(wire: WireClient) -> None:
    """The named device's session ends at once, and no other (wire.md 4, security T6)."""
    phone = wire.fresh_phone()
    one, two, three = (wire.signed_in(phone, deviceId=name) for name in ("one", "two", "three"))
    assert [wire.own_info(token).code for token in (one, two, three)] == [1, 1, 1]
    assert reply_to(wire, OFFLINE, {"deviceId": "two"}, token=one) == SUCCESS
    assert [wire.own_info(token).code for token in (one, two, three)] == [1, -101, 1]


def test_one_may_end_oneself(wire: WireClient) -> None:
    """The caller's own device goes like any other (wire.md 4)."""
    token = wire.account(deviceId="mine").token
    assert reply_to(wire, OFFLINE, {"deviceId": "mine"}, token=token) == SUCCESS
    assert wire.own_info(token).code == -101


def test_the_unnamed_device_can_be_ended(wire: WireClient) -> None:
    """The device "" is a device like any other (wire.md 5)."""
    phone = wire.fresh_phone()
    unnamed, named = wire.signed_in(phone), wire.signed_in(phone, deviceId="d")
    assert wire.post(OFFLINE, {"deviceId": ""}, token=named).code == 1
    assert [wire.own_info(token).code for token in (unnamed, named)] == [-101, 1]


@pytest.mark.parametrize("name", ["constant", ""])
def test_foreign_devices_stay(wire: WireClient, name: str) -> None:
    """The same deviceId of another user is another session (wire.md 5)."""
    mine, other = wire.account(deviceId=name), wire.account(deviceId=name)
    wire.post(OFFLINE, {"deviceId": name, "userId": other.id}, token=mine.token)
    assert wire.own_info(mine.token).code == -101
    assert wire.own_info(other.token).code == 1


def test_device_ids_are_exact(wire: WireClient) -> None:
    """Another case, a blank or a part is another device (wire.md 5)."""
    phone = wire.fresh_phone()
    kept, caller = wire.signed_in(phone, deviceId="Device"), wire.signed_in(phone, deviceId="c")
    for name in ("device", "DEVICE", "Device ", "Devic", "D%", "Device_", "*", "never seen"):
        wire.post(OFFLINE, {"deviceId": name}, token=caller)
    assert wire.own_info(kept).code == 1
    assert wire.own_info(caller).code == 1


def test_it_may_sign_in_again(wire: WireClient) -> None:
    """A device that was ended may sign in again, with a new token (wire.md 5)."""
    phone = wire.fresh_phone()
    old, caller = wire.signed_in(phone, deviceId="d"), wire.signed_in(phone, deviceId="c")
    assert wire.post(OFFLINE, {"deviceId": "d"}, token=caller).code == 1
    new = wire.signed_in(phone, deviceId="d")
    assert [wire.own_info(token).code for token in (old, new)] == [-101, 1]


@pytest.mark.parametrize(
    ("days", "step_days", "alive"), [(29, 29, True), (31, 31, False), (179, 20, True)]
)
def test_idle_sessions_end(own_wire: WireClient, days: int, step_days: int, *, alive: bool) -> None:
    """A session ends after 30 days without use, and lives on while it is used (T4)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account().token
    for day in range(step_days, days, step_days):
        own_wire.set_clock(set=NOW + day * 86_400)
        assert own_wire.own_info(token).code == 1
    own_wire.set_clock(set=NOW + days * 86_400)
    assert own_wire.own_info(token).code == (1 if alive else -101)


def test_sessions_end_after_half_a_year(own_wire: WireClient) -> None:
    """However much it is used, a session ends after 180 days (security T4)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account().token
    for day in range(20, 180, 20):
        own_wire.set_clock(set=NOW + day * 86_400)
        assert own_wire.own_info(token).code == 1
    own_wire.set_clock(set=NOW + 181 * 86_400)
    assert own_wire.own_info(token).code == -101


def test_the_eleventh_device_ends_the_oldest(own_wire: WireClient) -> None:
    """An account has ten sessions; one more ends the oldest (security T4)."""
    phone, email = own_wire.fresh_phone(), own_wire.fresh_email()
    own_wire.set_clock(set=NOW)
    first = own_wire.account(phone=phone, email=email, password="long enough 1", deviceId="0")
    tokens = [first.token]
    for at in range(1, 11):
        own_wire.set_clock(advance=60)
        login = own_wire.email_login(email, "long enough 1", deviceId=str(at))
        tokens.append(login.text("token"))
    assert [own_wire.own_info(token).code for token in tokens] == [-101] + [1] * 10
