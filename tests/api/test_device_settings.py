"""Settings of single devices over HTTP (wire.md 4), byte for byte."""

import json

import pytest

from tests.wire.answers import refused_field
from tests.wire.client import WireClient

SUCCESS = b'{"code":1,"msg":"success"}'
READ = "/v1/user/module-ignore-info"
WRITE = "/v1/user/module-ignore"
STATUS = "/v1/user/notification-status"
STORE = "/v1/user/notification-info"
DEVICE = {"deviceId": "pad", "registrationId": "reg"}
REGISTRATION = {**DEVICE, "isOpen": 0, "type": 2}
IGNORE = (
    '{"code":1,"data":{"ignore":{"id":%d,"userId":"%s","updateTime":%d,"deviceId":"pad",'
    '"ignore":"%s"}},"msg":"success"}'
)
NOTIFICATION = (
    '{"code":1,"data":{"notification":{"id":%d,"userId":"%s","deviceId":"pad",'
    '"registrationId":"reg","isOpen":%d,"type":%d,"delFlag":0,"createTime":%d,"updateTime":%d}},'
    '"msg":"success"}'
)
UNKNOWN_MODULES = [
    *(",", ",,10", "10,", ",10,10", ",40", ", 10", "10;20", ",10\n", ",10,20,30,10", "," * 65),
]


def post(wire: WireClient, path: str, body: dict[str, object], token: str) -> bytes:
    """The bytes of an answer."""
    return wire.request("POST", path, body, token=token).content


def test_a_device_where_nothing_was_set(wire: WireClient) -> None:
    """Every key is there; a fresh device is notified, as it asked to be registered."""
    account = wire.account(vipDays=1)
    ignored = post(wire, READ, {"deviceId": "pad"}, account.token)
    assert ignored == (IGNORE % (0, account.id, 0, "")).encode()
    notified = post(wire, STATUS, {**DEVICE}, account.token)
    assert notified == (NOTIFICATION % (0, account.id, 1, 0, 0, 0)).encode()


def test_what_was_set_is_read(wire: WireClient) -> None:
    """The golden, with the id and times that the server gave."""
    account = wire.account(vipDays=1)
    token, row_id = account.token, int(account.id) * 128 + 1
    assert post(wire, WRITE, {"deviceId": "pad", "ignore": ",30,20,10"}, token) == SUCCESS
    assert post(wire, STORE, {**REGISTRATION}, token) == SUCCESS
    ignored = post(wire, READ, {"deviceId": "pad"}, token)
    at = json.loads(ignored)["data"]["ignore"]["updateTime"]
    assert ignored == (IGNORE % (row_id, account.id, at, ",30,20,10")).encode()
    notified = post(wire, STATUS, {**DEVICE}, token)
    at = json.loads(notified)["data"]["notification"]["createTime"]
    assert at > 0
    assert notified == (NOTIFICATION % (row_id, account.id, 0, 2, at, at)).encode()


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
        (STATUS, DEVICE, "deviceId", [None, 1, "d" * 1025, "\x1b"]),
        (STATUS, DEVICE, "registrationId", [None, 1, "r" * 513, "\x1b"]),
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
    """The bounds themselves are taken; no device id is one too (wire.md 5)."""
    token = wire.account().token
    body: dict[str, object] = {"deviceId": "", "registrationId": "r" * 512, "isOpen": 1, "type": 0}
    assert post(wire, STORE, body, token) == SUCCESS
    body = {"deviceId": "d" * 128, "registrationId": "", "isOpen": 1, "type": 2**31 - 1}
    assert post(wire, STORE, body, token) == SUCCESS


@pytest.mark.one_engine
def test_vip_is_asked_before_the_body_is_read(wire: WireClient) -> None:
    """Without VIP the answer is -1, whatever the body holds; notifications need none."""
    token = wire.account().token
    refused = '{"code":-1,"msg":"功能仅限VIP用户使用"}'.encode()
    for path in (READ, WRITE):
        assert post(wire, path, {}, token) == refused
        assert post(wire, path, {"deviceId": 1, "ignore": 1}, token) == refused
    assert post(wire, STORE, {**REGISTRATION}, token) == SUCCESS
