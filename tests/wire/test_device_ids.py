"""Device ids are opaque, long ones are kept as their hash, and clients are named (wire.md 4, 5)."""

import hashlib

import pytest

from tests.wire.client import WireClient
from tests.wire.shapes import SUCCESS, reply_to
from tests.wire.test_devices import devices

AGENT = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro Build/UQ1A.240105.004; wv) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.230 Mobile Safari/537.36 App"
)
LONG = [AGENT, "d" * 129, "设" * 1024]
MOST_SESSIONS = 10


def kept(device_id: str) -> str:
    """What stands for a long id."""
    return "sha256:" + hashlib.sha256(device_id.encode()).hexdigest()


@pytest.mark.parametrize("device_id", LONG)
def test_long_id_is_a_device(wire: WireClient, device_id: str) -> None:
    """An id of 129 to 1,024 characters replaces its own session and no other's (T3, T8)."""
    phone = wire.fresh_phone()
    other = wire.signed_in(phone, deviceId=device_id[:-1] + "x")
    old, new = (wire.signed_in(phone, deviceId=device_id) for _ in "ab")
    assert [wire.own_info(token).code for token in (other, old, new)] == [1, -101, 1]
    told = {device.text(4) for device in devices(wire, new)}
    assert told == {kept(device_id), kept(device_id[:-1] + "x")}


@pytest.mark.parametrize("named", [lambda one: one, kept])
@pytest.mark.parametrize("device_id", LONG)
def test_long_id_is_known_again(wire: WireClient, device_id: str, named: object) -> None:
    """Every endpoint knows a long id again, as it was sent and as it is shown (wire.md 5, T8)."""
    assert callable(named)
    account = wire.account(phone=wire.fresh_phone(), vipDays=30, deviceId=device_id)
    asker = account.token
    hidden = {"deviceId": device_id, "ignore": ",10"}
    assert reply_to(wire, "user/module-ignore", hidden, token=asker) == SUCCESS
    registration = {"deviceId": device_id, "registrationId": "r", "isOpen": 0, "type": 1}
    assert reply_to(wire, "user/notification-info", registration, token=asker) == SUCCESS

    again = {"deviceId": named(device_id), "registrationId": "r"}
    for path, wrapper, key, value in (
        ("user/module-ignore-info", "ignore", "ignore", ",10"),
        ("user/notification-status", "notification", "isOpen", 0),
    ):
        row = wire.request("POST", f"/v1/{path}", again, token=asker).json()["data"][wrapper]
        assert (row[key], row["deviceId"]) == (value, kept(device_id))
    assert reply_to(wire, "user/device-offline", again, token=asker) == SUCCESS
    assert wire.own_info(asker).code == -101


def test_long_platform_is_cut(wire: WireClient) -> None:
    """A platform is cut at 128 characters, never refused for its length (wire.md 4, T8)."""
    phone = wire.fresh_phone()
    body = {"mobile": phone, "platform": "p" * 5000, **wire.solved()}
    assert wire.post("verification/get-verification-code", body).code == 1
    token = wire.signed_in(phone, deviceId="d", platform="平" * 5000)
    assert [device.text(3) for device in devices(wire, token)] == ["平" * 128]


def test_sessions_without_an_id_are_bounded(wire: WireClient) -> None:
    """As many sign-ins without a deviceId stand as an account may have; the oldest ends (T4)."""
    email = wire.fresh_email()
    wire.account(email=email, password="long enough 湖 1", deviceId="first")
    tokens = [
        wire.email_login(email, "long enough 湖 1").text("token") for _ in range(MOST_SESSIONS + 1)
    ]
    assert [wire.own_info(token).code for token in tokens] == [-101] + [1] * MOST_SESSIONS


@pytest.mark.one_engine
@pytest.mark.parametrize("platform", [{}, {"platform": ""}, {"platform": None}])
@pytest.mark.parametrize(
    ("agent", "word"),
    [
        ("okhttp/4.12.0", "android"),
        ("Dart/3.3 (dart:io)", "flutter"),
        (AGENT, "web"),
        ("python-requests/2.32.3", "python-requests"),
        ("node", "node"),
        ("<b>\tü/1 " + "x" * 4000, "<b>"),
        ("x" * 4000, "x" * 32),
        ("", ""),
    ],
)
def test_agent_names_a_silent_client(
    wire: WireClient, platform: dict[str, object], agent: str, word: str
) -> None:
    """Where a client sends no platform its User-Agent gives a word, 32 characters at most (4)."""
    phone = wire.fresh_phone()
    body = {"mobile": phone, "captcha": wire.sms_code(phone), "deviceId": "d", **platform}
    answer = wire.post("user/verification-login", body, headers={"user-agent": agent})
    assert [device.text(3) for device in devices(wire, answer.text("token"))] == [word]
