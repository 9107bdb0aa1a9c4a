"""Settings that belong to one device (wire.md 4 module-ignore, notification)."""

import pytest

from tests.wire.answers import refused_field
from tests.wire.client import WireClient
from tests.wire.shapes import SUCCESS, check_shape, data_of, part, reply_to, whole_number

MODULES, SET_MODULES = "user/module-ignore-info", "user/module-ignore"
STATUS, SET_STATUS = "user/notification-status", "user/notification-info"
NOW = 2_000_000_000
DAY_SECONDS = 86_400
IGNORE = {"id": int, "userId": str, "updateTime": int, "deviceId": str, "ignore": str}
NOTIFICATION = {
    "id": int,
    "userId": str,
    "deviceId": str,
    "registrationId": str,
    "isOpen": int,
    "type": int,
    "delFlag": int,
    "createTime": int,
    "updateTime": int,
}
NO_VIP = {"code": -1, "msg": "功能仅限VIP用户使用"}
Row = dict[str, object]


def ignored(wire: WireClient, token: str, device: str = "d") -> Row:
    """Return a device's ignored modules."""
    reply = reply_to(wire, MODULES, {"deviceId": device}, token=token)
    row = part(data_of(reply, "ignore"), "ignore")
    check_shape(row, IGNORE)
    return row


def ignore(wire: WireClient, token: str, modules: str, device: str = "d") -> Row:
    """Set a device's ignored modules; return the whole answer."""
    return reply_to(wire, SET_MODULES, {"deviceId": device, "ignore": modules}, token=token)


def notification(wire: WireClient, token: str, device: str = "d", registration: str = "r") -> Row:
    """Return a device's notification row."""
    body: Row = {"deviceId": device, "registrationId": registration}
    row = part(data_of(reply_to(wire, STATUS, body, token=token), "notification"), "notification")
    check_shape(row, NOTIFICATION)
    return row


def notify(wire: WireClient, token: str, **fields: object) -> Row:
    """Store a device's notification row; return the whole answer."""
    body: Row = {"deviceId": "d", "registrationId": "r", "isOpen": 1, "type": 2, **fields}
    return reply_to(wire, SET_STATUS, body, token=token)


@pytest.mark.parametrize(
    ("path", "body"),
    [(MODULES, {"deviceId": "d"}), (SET_MODULES, {"deviceId": "d", "ignore": ",30,20,10"})],
)
def test_modules_need_vip(wire: WireClient, path: str, body: Row) -> None:
    """Without VIP the answer is -1 in JSON, without data (wire.md 2, 4)."""
    assert reply_to(wire, path, body, token=wire.account().token) == NO_VIP


def test_modules_end_with_vip(own_wire: WireClient) -> None:
    """Who was VIP until yesterday has it no more (wire.md 2)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account(vipDays=1).token
    assert ignore(own_wire, token, ",10") == SUCCESS
    own_wire.set_clock(set=NOW + 2 * DAY_SECONDS)
    assert ignore(own_wire, token, ",20") == NO_VIP
    assert reply_to(own_wire, MODULES, {"deviceId": "d"}, token=token) == NO_VIP


def test_fresh_device_ignores_nothing(wire: WireClient) -> None:
    """Before anything is stored the row is whole and empty (wire.md 4)."""
    account = wire.account(vipDays=3)
    row = ignored(wire, account.token)
    assert (row["userId"], row["deviceId"], row["ignore"]) == (account.id, "d", "")


@pytest.mark.parametrize("modules", [",30,20,10", ",10", ",20,30", ""])
def test_modules_are_kept(wire: WireClient, modules: str) -> None:
    """What was set is read (wire.md 4)."""
    account = wire.account(vipDays=3)
    assert ignore(wire, account.token, ",10") == SUCCESS
    assert ignore(wire, account.token, modules) == SUCCESS
    row = ignored(wire, account.token)
    assert (row["userId"], row["deviceId"]) == (account.id, "d")
    assert str(row["ignore"]).split(",") == modules.split(",")


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "modules", [",40", ",1", ",30,x", "x", ",10,40", ",-10", ",10.0", ",１０", ",010"]
)
def test_unknown_modules_are_named(wire: WireClient, modules: str) -> None:
    """Only 10, 20 and 30 are known (wire.md 4)."""
    token = wire.account(vipDays=3).token
    assert ignore(wire, token, ",20") == SUCCESS
    answer = wire.post(SET_MODULES, {"deviceId": "d", "ignore": modules}, token=token)
    assert refused_field(answer) == "ignore"
    assert ignored(wire, token)["ignore"] == ",20"


def test_each_device_has_its_modules(wire: WireClient) -> None:
    """Another device and another user's device of the same name are others (wire.md 5)."""
    token, other = wire.account(vipDays=3).token, wire.account(vipDays=3).token
    assert ignore(wire, token, ",10") == SUCCESS
    assert ignore(wire, token, ",20", device="e") == SUCCESS
    assert ignored(wire, token)["ignore"] == ",10"
    assert ignored(wire, token, "e")["ignore"] == ",20"
    assert ignored(wire, token, "D")["ignore"] == ""
    assert ignored(wire, other)["ignore"] == ""


def test_modules_carry_their_time(own_wire: WireClient) -> None:
    """The key updateTime is the unix second of the last setting (wire.md 1.11)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account(vipDays=3).token
    assert ignore(own_wire, token, ",10") == SUCCESS
    own_wire.set_clock(set=NOW + 3600)
    assert ignore(own_wire, token, ",20") == SUCCESS
    assert 0 <= whole_number(ignored(own_wire, token)["updateTime"]) - NOW - 3600 < 60


@pytest.mark.parametrize(("is_open", "kind"), [(1, 2), (0, 1), (1, 1)])
def test_notification_is_kept(wire: WireClient, is_open: int, kind: int) -> None:
    """What info stored, status reads (wire.md 4)."""
    account = wire.account()
    assert notify(wire, account.token, isOpen=is_open, type=kind) == SUCCESS
    row = notification(wire, account.token)
    assert (row["isOpen"], row["type"], row["delFlag"]) == (is_open, kind, 0)
    assert (row["userId"], row["deviceId"]) == (account.id, "d")
    assert row["registrationId"] == "r"


def test_fresh_notification_row_is_whole(wire: WireClient) -> None:
    """Before anything is stored status answers with all keys (wire.md 3, 4)."""
    account = wire.account()
    row = notification(wire, account.token, "never seen")
    assert (row["userId"], row["deviceId"]) == (account.id, "never seen")


def test_one_row_per_device(wire: WireClient) -> None:
    """Storing again changes the row of that device and no other (wire.md 4)."""
    token, other = wire.account().token, wire.account().token
    assert notify(wire, token) == SUCCESS
    assert notify(wire, token, deviceId="e", registrationId="r2", isOpen=0) == SUCCESS
    first = notification(wire, token)
    assert notify(wire, token, registrationId="r3", isOpen=0) == SUCCESS
    row = notification(wire, token, registration="r3")
    assert (row["id"], row["createTime"]) == (first["id"], first["createTime"])
    assert (row["registrationId"], row["isOpen"]) == ("r3", 0)
    assert notification(wire, token, "e", "r2")["isOpen"] == 0
    assert notify(wire, other) == SUCCESS
    assert notification(wire, other)["id"] != row["id"]
    assert notification(wire, token, registration="r3")["registrationId"] == "r3"


def test_notification_times(own_wire: WireClient) -> None:
    """The row keeps the time it was made and the time of the last change (wire.md 1.11)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account().token
    assert notify(own_wire, token) == SUCCESS
    own_wire.set_clock(set=NOW + 3600)
    assert notify(own_wire, token, isOpen=0) == SUCCESS
    row = notification(own_wire, token)
    assert 0 <= whole_number(row["createTime"]) - NOW < 60
    assert 0 <= whole_number(row["updateTime"]) - NOW - 3600 < 60


@pytest.mark.one_engine
@pytest.mark.parametrize("is_open", [2, -1, 2**31, 2**53])
def test_switch_is_zero_or_one(wire: WireClient, is_open: int) -> None:
    """The switch isOpen is 1 or 0 (wire.md 4)."""
    body: Row = {"deviceId": "d", "registrationId": "r", "isOpen": is_open, "type": 2}
    assert refused_field(wire.post(SET_STATUS, body, token=wire.account().token)) == "isOpen"
