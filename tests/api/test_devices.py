"""Edges of user/clients and user/device-offline (wire.md 4, security T3, T5, T8)."""

import pytest

from tests.wire.client import WireClient

OFFLINE = "/v1/user/device-offline"
SUCCESS = b'{"code":1,"msg":"success"}'
REFUSED = '{"code":1100,"msg":"请求参数错误，deviceId字段值非法"}'.encode()
LONGEST = "设" * 128


@pytest.mark.parametrize("name", ["never seen", "", LONGEST, "' OR 1=1 --", "%", "\u202eabc"])
def test_an_unknown_device_is_a_success_that_ends_nothing(wire: WireClient, name: str) -> None:
    """Whether there is such a device is told to nobody; what cannot be is ended already."""
    token = wire.account(deviceId="mine").token
    assert wire.request("POST", OFFLINE, {"deviceId": name}, token=token).content == SUCCESS
    assert wire.own_info(token).code == 1


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        {"deviceId": None},
        {"deviceId": 7},
        {"deviceId": ["mine"]},
        {"device_id": "mine"},
        {"device-id": "mine"},
        {"deviceId": LONGEST * 8 + "."},
        {"deviceId": "a\nb"},
        {"deviceId": "a\u0000"},
    ],
)
def test_what_is_no_device_id_is_named(wire: WireClient, body: dict[str, object] | bytes) -> None:
    """Missing, of another type, too long or not printable in a log: 1100 (wire.md 2)."""
    token = wire.account(deviceId="mine").token
    assert wire.request("POST", OFFLINE, body, token=token).content == REFUSED
    assert wire.own_info(token).code == 1


def test_the_longest_device_id_is_kept_whole(wire: WireClient) -> None:
    """128 characters of any script sign in, are shown and can be ended; 1,025 are refused (T8)."""
    phone = wire.fresh_phone()
    token = wire.signed_in(phone, deviceId=LONGEST, platform=LONGEST)
    reply = wire.request("GET", "/v1/user/clients", token=token)
    assert reply.content.count(b"\x80\x03" + LONGEST.encode()) == 2
    assert wire.sign_in(phone, "000000", deviceId=LONGEST * 8 + "x").code == 1100
    assert wire.request("POST", OFFLINE, {"deviceId": LONGEST}, token=token).content == SUCCESS
    assert wire.own_info(token).code == -101


def test_a_device_that_ended_itself_may_still_sign_out(wire: WireClient) -> None:
    """A client that takes itself offline and then signs out succeeds both times (T5)."""
    token = wire.account(deviceId="mine").token
    assert wire.post("user/device-offline", {"deviceId": "mine"}, token=token).code == 1
    assert wire.post("user/logout", {"deviceId": "mine"}, token=token).code == 1
    assert wire.own_info(token).code == -101
    assert wire.post("user/device-offline", {"deviceId": "mine"}, token=token).code == -101


def test_a_replaced_token_neither_reads_nor_ends(wire: WireClient) -> None:
    """The old token of a device that signed in again reaches nothing of the new one (T3)."""
    phone = wire.fresh_phone()
    old = wire.signed_in(phone, deviceId="d")
    new = wire.signed_in(phone, deviceId="d")
    assert wire.post("user/device-offline", {"deviceId": "d"}, token=old).code == -101
    assert wire.post("user/logout", token=old).code == -101
    assert wire.own_info(new).code == 1


def test_a_token_of_the_clients_choice_is_never_given(wire: WireClient) -> None:
    """A token sent along with a sign-in, anywhere, is not the one that comes back (T3)."""
    mine = wire.account().token
    phone = wire.fresh_phone()
    body = {"mobile": phone, "captcha": wire.sms_code(phone), "token": mine, "deviceId": mine}
    answer = wire.post("user/verification-login", body, token=mine)
    assert answer.text("token") != mine
    assert wire.own_info(mine).pb_data.text(6) == ""


@pytest.mark.one_engine
@pytest.mark.parametrize("path", ["user/clients", "user/info"])
def test_a_token_in_the_address_opens_no_list(wire: WireClient, path: str) -> None:
    """`?token=` is no token (security T8)."""
    token = wire.account().token
    reply = wire.request("GET", f"/v1/{path}?token={token}")
    assert reply.json() == {"code": -101, "msg": "未登录"}


@pytest.mark.one_engine
def test_clients_is_a_get_alone(wire: WireClient) -> None:
    """The other method is no endpoint (wire.md 1.1)."""
    token = wire.account().token
    assert wire.request("POST", "/v1/user/clients", token=token).status_code == 404
    assert wire.request("GET", "/v1/user/device-offline", token=token).status_code == 404
