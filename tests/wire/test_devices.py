"""An account's devices (wire.md 3 clients, 4 clients and device-offline, security T6, T7).

Device ids are opaque, long ones are stored as a hash, and clients are named (wire.md 4, 5).
Edges of user/clients and user/device-offline (wire.md 4, security T3, T5, T8).
"""

import hashlib

import pytest

from tests.support import pb
from tests.support.answers import Answer, read_answer
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, reply_to

OFFLINE = "user/device-offline"
NOW = 2_000_000_000
KINDS = {1: pb.LENGTH, 3: pb.LENGTH, 4: pb.LENGTH, 5: pb.VARINT}


def clients(wire: WireClient, token: str) -> Answer:
    """Send GET `/v1/user/clients`."""
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
    """login_timestamp is the unix second of the sign-in (wire.md 1.11, 3)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.signed_in(own_wire.fresh_phone(), deviceId="d", platform="web")
    own_wire.set_clock(set=NOW + 7200)
    (device,) = devices(own_wire, token)
    assert 0 <= device.number(5) - NOW < 60


def test_all_devices_of_the_caller(wire: WireClient) -> None:
    """Each device with a session is listed, and no other user's (wire.md 4)."""
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
    """Each sign-in without a deviceId is listed as a device "" (wire.md 5)."""
    phone = wire.fresh_phone()
    token, _ = (wire.signed_in(phone, platform="pad") for _ in "ab")
    assert [(d.text(3), d.text(4)) for d in devices(wire, token)] == [("pad", "")] * 2


def test_offline_without_a_name_ends_all_that_have_none(wire: WireClient) -> None:
    """The deviceId "" means every session without one: they cannot be told apart (wire.md 5)."""
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
    """The caller's own device can be ended like any other (wire.md 4)."""
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
    """An ended device may sign in again, with a new token (wire.md 5)."""
    phone = wire.fresh_phone()
    old, caller = wire.signed_in(phone, deviceId="d"), wire.signed_in(phone, deviceId="c")
    assert wire.post(OFFLINE, {"deviceId": "d"}, token=caller).code == 1
    new = wire.signed_in(phone, deviceId="d")
    assert [wire.own_info(token).code for token in (old, new)] == [-101, 1]


@pytest.mark.parametrize(
    ("days", "step_days", "alive"), [(29, 29, True), (31, 31, False), (179, 20, True)]
)
def test_idle_sessions_end(own_wire: WireClient, days: int, step_days: int, *, alive: bool) -> None:
    """A session ends after 30 days without use, and stays while it is used (T4)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account().token
    for day in range(step_days, days, step_days):
        own_wire.set_clock(set=NOW + day * 86_400)
        assert own_wire.own_info(token).code == 1
    own_wire.set_clock(set=NOW + days * 86_400)
    assert own_wire.own_info(token).code == (1 if alive else -101)


def test_sessions_end_after_half_a_year(own_wire: WireClient) -> None:
    """A session ends after 180 days, with any use (security T4)."""
    own_wire.set_clock(set=NOW)
    token = own_wire.account().token
    for day in range(20, 180, 20):
        own_wire.set_clock(set=NOW + day * 86_400)
        assert own_wire.own_info(token).code == 1
    own_wire.set_clock(set=NOW + 181 * 86_400)
    assert own_wire.own_info(token).code == -101


@pytest.mark.slow
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


AGENT = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro Build/UQ1A.240105.004; wv) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.230 Mobile Safari/537.36 App"
)
LONG = [AGENT, "d" * 129, "设" * 1024]
MOST_SESSIONS = 10


def kept(device_id: str) -> str:
    """Return the stored form of a long id."""
    return "sha256:" + hashlib.sha256(device_id.encode()).hexdigest()


@pytest.mark.parametrize("device_id", LONG)
def test_long_id_is_a_device(wire: WireClient, device_id: str) -> None:
    """An id of 129 to 1,024 characters only replaces its own session (T3, T8)."""
    phone = wire.fresh_phone()
    other = wire.signed_in(phone, deviceId=device_id[:-1] + "x")
    old, new = (wire.signed_in(phone, deviceId=device_id) for _ in "ab")
    assert [wire.own_info(token).code for token in (other, old, new)] == [1, -101, 1]
    told = {device.text(4) for device in devices(wire, new)}
    assert told == {kept(device_id), kept(device_id[:-1] + "x")}


@pytest.mark.parametrize("named", [lambda one: one, kept])
@pytest.mark.parametrize("device_id", LONG)
def test_long_id_is_known_again(wire: WireClient, device_id: str, named: object) -> None:
    """Every endpoint recognises a long id, as sent and as shown (wire.md 5, T8)."""
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
    """A platform is cut at 128 characters, and never refused for its length (wire.md 4, T8)."""
    phone = wire.fresh_phone()
    body = {"mobile": phone, "platform": "p" * 5000, **wire.solved()}
    assert wire.post("verification/get-verification-code", body).code == 1
    token = wire.signed_in(phone, deviceId="d", platform="平" * 5000)
    assert [device.text(3) for device in devices(wire, token)] == ["平" * 128]


def test_sessions_without_an_id_are_bounded(wire: WireClient) -> None:
    """They are limited like all sessions of an account; the oldest ends (T4)."""
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
    """Without a platform the User-Agent provides one word of up to 32 characters (4)."""
    phone = wire.fresh_phone()
    body = {"mobile": phone, "captcha": wire.sms_code(phone), "deviceId": "d", **platform}
    answer = wire.post("user/verification-login", body, headers={"user-agent": agent})
    assert [device.text(3) for device in devices(wire, answer.text("token"))] == [word]


OFFLINE_PATH = "/v1/user/device-offline"
SUCCESS_BYTES = b'{"code":1,"msg":"success"}'
REFUSED = '{"code":1100,"msg":"请求参数错误，deviceId字段值非法"}'.encode()
LONGEST = "设" * 128


@pytest.mark.parametrize("name", ["never seen", "", LONGEST, "' OR 1=1 --", "%", "\u202eabc"])
def test_an_unknown_device_is_a_success_that_ends_nothing(wire: WireClient, name: str) -> None:
    """An unknown device id gets success and ends nothing, so the response reveals no devices."""
    token = wire.account(deviceId="mine").token
    assert (
        wire.request("POST", OFFLINE_PATH, {"deviceId": name}, token=token).content == SUCCESS_BYTES
    )
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
    """A missing, mistyped, long or unprintable id is 1100 (wire.md 2)."""
    token = wire.account(deviceId="mine").token
    assert wire.request("POST", OFFLINE_PATH, body, token=token).content == REFUSED
    assert wire.own_info(token).code == 1


def test_the_longest_device_id_is_kept_whole(wire: WireClient) -> None:
    """128 characters of any script sign in, are shown and can be ended; 1,025 are refused (T8)."""
    phone = wire.fresh_phone()
    token = wire.signed_in(phone, deviceId=LONGEST, platform=LONGEST)
    reply = wire.request("GET", "/v1/user/clients", token=token)
    assert reply.content.count(b"\x80\x03" + LONGEST.encode()) == 2
    assert wire.sign_in(phone, "000000", deviceId=LONGEST * 8 + "x").code == 1100
    assert (
        wire.request("POST", OFFLINE_PATH, {"deviceId": LONGEST}, token=token).content
        == SUCCESS_BYTES
    )
    assert wire.own_info(token).code == -101


def test_a_device_that_ended_itself_may_still_sign_out(wire: WireClient) -> None:
    """A client that takes itself offline and then signs out succeeds both times (T5)."""
    token = wire.account(deviceId="mine").token
    assert wire.post("user/device-offline", {"deviceId": "mine"}, token=token).code == 1
    assert wire.post("user/logout", {"deviceId": "mine"}, token=token).code == 1
    assert wire.own_info(token).code == -101
    assert wire.post("user/device-offline", {"deviceId": "mine"}, token=token).code == -101


def test_a_replaced_token_neither_reads_nor_ends(wire: WireClient) -> None:
    """The old token of a device that signed in again does not affect the new session (T3)."""
    phone = wire.fresh_phone()
    old = wire.signed_in(phone, deviceId="d")
    new = wire.signed_in(phone, deviceId="d")
    assert wire.post("user/device-offline", {"deviceId": "d"}, token=old).code == -101
    assert wire.post("user/logout", token=old).code == -101
    assert wire.own_info(new).code == 1


def test_a_token_of_the_clients_choice_is_never_given(wire: WireClient) -> None:
    """A token sent with a sign-in, anywhere, is not the one in the response (T3)."""
    mine = wire.account().token
    phone = wire.fresh_phone()
    body = {"mobile": phone, "captcha": wire.sms_code(phone), "token": mine, "deviceId": mine}
    answer = wire.post("user/verification-login", body, token=mine)
    assert answer.text("token") != mine
    assert wire.own_info(mine).pb_data.text(6) == ""


@pytest.mark.one_engine
@pytest.mark.parametrize("path", ["user/clients", "user/info"])
def test_a_token_in_the_address_opens_no_list(wire: WireClient, path: str) -> None:
    """`?token=` is ignored (security T8)."""
    token = wire.account().token
    reply = wire.request("GET", f"/v1/{path}?token={token}")
    assert reply.json() == {"code": -101, "msg": "未登录"}


@pytest.mark.one_engine
def test_clients_is_a_get_alone(wire: WireClient) -> None:
    """POST is not an endpoint (wire.md 1.1)."""
    token = wire.account().token
    assert wire.request("POST", "/v1/user/clients", token=token).status_code == 404
    assert wire.request("GET", "/v1/user/device-offline", token=token).status_code == 404
