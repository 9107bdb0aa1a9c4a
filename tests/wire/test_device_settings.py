"""Settings that belong to one device (wire.md 4 module-ignore, notification).

Settings of single devices over HTTP (wire.md 4), byte for byte.
"""

import json

import pytest

from tests.support.answers import refused_field
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, check_shape, data_of, part, reply_to, whole_number

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
    """Set a device's ignored modules; return the whole response."""
    return reply_to(wire, SET_MODULES, {"deviceId": device, "ignore": modules}, token=token)


def notification(wire: WireClient, token: str, device: str = "d", registration: str = "r") -> Row:
    """Return a device's notification row."""
    body: Row = {"deviceId": device, "registrationId": registration}
    row = part(data_of(reply_to(wire, STATUS, body, token=token), "notification"), "notification")
    check_shape(row, NOTIFICATION)
    return row


def notify(wire: WireClient, token: str, **fields: object) -> Row:
    """Store a device's notification row; return the whole response."""
    body: Row = {"deviceId": "d", "registrationId": "r", "isOpen": 1, "type": 2, **fields}
    return reply_to(wire, SET_STATUS, body, token=token)


@pytest.mark.parametrize(
    ("path", "body"),
    [(MODULES, {"deviceId": "d"}), (SET_MODULES, {"deviceId": "d", "ignore": ",30,20,10"})],
)
def test_modules_need_vip(wire: WireClient, path: str, body: Row) -> None:
    """Without VIP the response is -1 in JSON, without data (wire.md 2, 4)."""
    assert reply_to(wire, path, body, token=wire.account().token) == NO_VIP


def test_modules_end_with_vip(own_wire: WireClient) -> None:
    """An account whose VIP ended yesterday no longer has them (wire.md 2)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account(vipDays=1).token
    assert ignore(own_wire, token, ",10") == SUCCESS
    own_wire.set_clock(set=NOW + 2 * DAY_SECONDS)
    assert ignore(own_wire, token, ",20") == NO_VIP
    assert reply_to(own_wire, MODULES, {"deviceId": "d"}, token=token) == NO_VIP


def test_fresh_device_ignores_nothing(wire: WireClient) -> None:
    """Before the first setting the row is complete and empty (wire.md 4)."""
    account = wire.account(vipDays=3)
    row = ignored(wire, account.token)
    assert (row["userId"], row["deviceId"], row["ignore"]) == (account.id, "d", "")


@pytest.mark.parametrize("modules", [",30,20,10", ",10", ",20,30", ""])
def test_modules_are_kept(wire: WireClient, modules: str) -> None:
    """The set modules are read back (wire.md 4)."""
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
    """A device is identified by its account and its id (wire.md 5)."""
    token, other = wire.account(vipDays=3).token, wire.account(vipDays=3).token
    assert ignore(wire, token, ",10") == SUCCESS
    assert ignore(wire, token, ",20", device="e") == SUCCESS
    assert ignored(wire, token)["ignore"] == ",10"
    assert ignored(wire, token, "e")["ignore"] == ",20"
    assert ignored(wire, token, "D")["ignore"] == ""
    assert ignored(wire, other)["ignore"] == ""


def test_modules_carry_their_time(own_wire: WireClient) -> None:
    """`updateTime` is the unix second of the last setting (wire.md 1.11)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account(vipDays=3).token
    assert ignore(own_wire, token, ",10") == SUCCESS
    own_wire.set_clock(set=NOW + 3600)
    assert ignore(own_wire, token, ",20") == SUCCESS
    assert 0 <= whole_number(ignored(own_wire, token)["updateTime"]) - NOW - 3600 < 60


@pytest.mark.parametrize(("is_open", "kind"), [(1, 2), (0, 1), (1, 1)])
def test_notification_is_kept(wire: WireClient, is_open: int, kind: int) -> None:
    """`status` returns what `info` stored (wire.md 4)."""
    account = wire.account()
    assert notify(wire, account.token, isOpen=is_open, type=kind) == SUCCESS
    row = notification(wire, account.token)
    assert (row["isOpen"], row["type"], row["delFlag"]) == (is_open, kind, 0)
    assert (row["userId"], row["deviceId"]) == (account.id, "d")
    assert row["registrationId"] == "r"


def test_fresh_notification_row_is_whole(wire: WireClient) -> None:
    """Before the first setting status has all keys (wire.md 3, 4)."""
    account = wire.account()
    row = notification(wire, account.token, "never seen")
    assert (row["userId"], row["deviceId"]) == (account.id, "never seen")


def test_one_row_per_device(wire: WireClient) -> None:
    """A second call changes the row of that device only (wire.md 4)."""
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
    """The row has its creation time and the time of the last change (wire.md 1.11)."""
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
    """`isOpen` is 1 or 0 (wire.md 4)."""
    body: Row = {"deviceId": "d", "registrationId": "r", "isOpen": is_open, "type": 2}
    assert refused_field(wire.post(SET_STATUS, body, token=wire.account().token)) == "isOpen"


SUCCESS_BYTES = b'{"code":1,"msg":"success"}'
READ = "/v1/user/module-ignore-info"
WRITE = "/v1/user/module-ignore"
STATUS_PATH = "/v1/user/notification-status"
STORE = "/v1/user/notification-info"
DEVICE = {"deviceId": "pad", "registrationId": "reg"}
REGISTRATION = {**DEVICE, "isOpen": 0, "type": 2}
IGNORE_BYTES = (
    '{"code":1,"data":{"ignore":{"id":%d,"userId":"%s","updateTime":%d,"deviceId":"pad",'
    '"ignore":"%s"}},"msg":"success"}'
)
NOTIFICATION_BYTES = (
    '{"code":1,"data":{"notification":{"id":%d,"userId":"%s","deviceId":"pad",'
    '"registrationId":"reg","isOpen":%d,"type":%d,"delFlag":0,"createTime":%d,"updateTime":%d}},'
    '"msg":"success"}'
)
UNKNOWN_MODULES = [
    *(",", ",,10", "10,", ",10,10", ",40", ", 10", "10;20", ",10\n", ",10,20,30,10", "," * 65),
]


def post(wire: WireClient, path: str, body: dict[str, object], token: str) -> bytes:
    """Return the bytes of a response."""
    return wire.request("POST", path, body, token=token).content


def test_a_device_where_nothing_was_set(wire: WireClient) -> None:
    """Every key exists; notifications are on for a new device, because it registers for them."""
    account = wire.account(vipDays=1)
    ignored = post(wire, READ, {"deviceId": "pad"}, account.token)
    assert ignored == (IGNORE_BYTES % (0, account.id, 0, "")).encode()
    notified = post(wire, STATUS_PATH, {**DEVICE}, account.token)
    assert notified == (NOTIFICATION_BYTES % (0, account.id, 1, 0, 0, 0)).encode()


def test_what_was_set_is_read(wire: WireClient) -> None:
    """The response equals the golden, with the server's id and times."""
    account = wire.account(vipDays=1)
    token, row_id = account.token, int(account.id) * 128 + 1
    assert post(wire, WRITE, {"deviceId": "pad", "ignore": ",30,20,10"}, token) == SUCCESS_BYTES
    assert post(wire, STORE, {**REGISTRATION}, token) == SUCCESS_BYTES
    ignored = post(wire, READ, {"deviceId": "pad"}, token)
    at = json.loads(ignored)["data"]["ignore"]["updateTime"]
    assert ignored == (IGNORE_BYTES % (row_id, account.id, at, ",30,20,10")).encode()
    notified = post(wire, STATUS_PATH, {**DEVICE}, token)
    at = json.loads(notified)["data"]["notification"]["createTime"]
    assert at > 0
    assert notified == (NOTIFICATION_BYTES % (row_id, account.id, 0, 2, at, at)).encode()


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("path", "body", "field", "values"),
    [
        (READ, {"deviceId": "pad"}, "deviceId", [None, 1, True, [], {}, "d" * 1025, "a\nb"]),
        (WRITE, {"deviceId": "pad", "ignore": ""}, "deviceId", [None, 1, "d" * 1025, "a\x00"]),
        (
            WRITE,
            {"deviceId": "pad", "ignore": ""},
            "ignore",
            [None, 1, 10, [10], *UNKNOWN_MODULES],
        ),
        (STATUS_PATH, DEVICE, "deviceId", [None, 1, "d" * 1025, "\x1b"]),
        (STATUS_PATH, DEVICE, "registrationId", [None, 1, "r" * 513, "\x1b"]),
        (STORE, REGISTRATION, "deviceId", [None, 1, "d" * 1025]),
        (STORE, REGISTRATION, "registrationId", [None, 1, "r" * 513, "\x7f"]),
        (STORE, REGISTRATION, "isOpen", [None, "1", True, 1.0, -1, 2, 2**31, 2**63, 10**30]),
        (STORE, REGISTRATION, "type", [None, "1", True, 1.5, -1, 2**31, 2**63, 10**30]),
    ],
)
def test_bad_fields_are_named(
    wire: WireClient, path: str, body: dict[str, object], field: str, values: list[object]
) -> None:
    """Missing, null, of a wrong type, too long or unknown: 1100 with the field's name."""
    token = wire.account(vipDays=1).token
    missing = {name: value for name, value in body.items() if name != field}
    for bad in [missing, *({**body, field: value} for value in values)]:
        assert refused_field(wire.post(path.removeprefix("/v1/"), bad, token=token)) == field, bad


def test_a_registration_may_be_long_and_a_device_nameless(wire: WireClient) -> None:
    """The limits themselves are accepted; an empty device id is valid (wire.md 5)."""
    token = wire.account().token
    body: dict[str, object] = {"deviceId": "", "registrationId": "r" * 512, "isOpen": 1, "type": 0}
    assert post(wire, STORE, body, token) == SUCCESS_BYTES
    body = {"deviceId": "d" * 128, "registrationId": "", "isOpen": 1, "type": 2**31 - 1}
    assert post(wire, STORE, body, token) == SUCCESS_BYTES


@pytest.mark.one_engine
def test_vip_is_asked_before_the_body_is_read(wire: WireClient) -> None:
    """Without VIP any body gets -1; notifications need no VIP."""
    token = wire.account().token
    refused = '{"code":-1,"msg":"功能仅限VIP用户使用"}'.encode()
    for path in (READ, WRITE):
        assert post(wire, path, {}, token) == refused
        assert post(wire, path, {"deviceId": 1, "ignore": 1}, token) == refused
    assert post(wire, STORE, {**REGISTRATION}, token) == SUCCESS_BYTES
