"""Signing out (wire.md 4 user/logout, security T5)."""

import pytest

from tests.support.client import WireClient

UNNAMED: list[dict[str, object] | bytes] = [
    b"",
    b"{}",
    {"device-id": "one"},
    {"deviceId": "one"},
    {"device-id": "one", "deviceId": "one"},
    {"device-id": ""},
    {"device-id": "never seen"},
    {"deviceId": "never seen"},
    {"device-id": "one", "deviceId": "two"},
    {"unknown": [1, {}]},
]


@pytest.mark.parametrize("body", UNNAMED)
def test_it_ends_the_tokens_session(wire: WireClient, body: dict[str, object] | bytes) -> None:
    """Only the session of the token ends, even if the body names another (T5)."""
    phone = wire.fresh_phone()
    one, two = (wire.signed_in(phone, deviceId=device) for device in ("one", "two"))
    reply = wire.request("POST", "/v1/user/logout", body, token=one)
    assert reply.json() == {"code": 1, "msg": "success"}
    assert reply.headers["x-result"] == "ok"
    assert wire.own_info(one).code == -101
    assert wire.own_info(two).code == 1


@pytest.mark.parametrize("key", ["device-id", "deviceId"])
def test_foreign_device_ends_nothing(wire: WireClient, key: str) -> None:
    """Another user's deviceId ends no session of that user (security T5)."""
    other = wire.signed_in(wire.fresh_phone(), deviceId="foreign")
    mine = wire.signed_in(wire.fresh_phone(), deviceId="mine")
    assert wire.post("user/logout", {key: "foreign"}, token=mine).code == 1
    assert wire.own_info(other).code == 1
    assert wire.own_info(mine).code == -101


def test_own_other_device_stays(wire: WireClient) -> None:
    """Naming another device of one's own does not end its session (security T5)."""
    phone = wire.fresh_phone()
    one, two = (wire.signed_in(phone, deviceId=device) for device in ("one", "two"))
    assert wire.post("user/logout", {"device-id": "two"}, token=one).code == 1
    assert wire.own_info(two).code == 1


def test_second_logout_is_success(wire: WireClient) -> None:
    """A client that signs out twice gets success twice (security T5)."""
    token = wire.signed_in(wire.fresh_phone())
    assert wire.post("user/logout", token=token).code == 1
    assert wire.post("user/logout", {"device-id": "x"}, token=token).code == 1
    assert wire.own_info(token).code == -101


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_nothing_ends(wire: WireClient, token: str | None) -> None:
    """Without a token the response is -101 and no session ends (wire.md 1.7)."""
    session = wire.signed_in(wire.fresh_phone(), deviceId="kept")
    answer = wire.post("user/logout", {"device-id": "kept"}, token=token)
    assert (answer.form, answer.code) == ("json", -101)
    assert wire.own_info(session).code == 1


@pytest.mark.one_engine
def test_bearer_signs_out(wire: WireClient) -> None:
    """The fallback header works too (wire.md 1.2)."""
    token = wire.account().token
    assert wire.post("user/logout", headers={"authorization": f"Bearer {token}"}).code == 1
    assert wire.own_info(token).code == -101


@pytest.mark.one_engine
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-protobuf", "x"])
def test_type_does_not_matter(wire: WireClient, content_type: str) -> None:
    """The body is JSON under every Content-Type (wire.md 1.3)."""
    token = wire.account().token
    headers = {"content-type": content_type}
    assert wire.post("user/logout", {"device-id": "d"}, token=token, headers=headers).code == 1


def test_an_ended_token_reads_like_an_unknown_one(wire: WireClient) -> None:
    """After a sign-out get-user treats the token as any other text (wire.md 4)."""
    account = wire.account()
    assert wire.post("user/logout", token=account.token).code == 1
    assert wire.get_user(account.id, token=account.token).pb_data.message(18).fields == ()


def test_signing_in_again_after_it(wire: WireClient) -> None:
    """The device may sign in again, with a new token (wire.md 5)."""
    phone = wire.fresh_phone()
    old = wire.signed_in(phone, deviceId="one")
    assert wire.post("user/logout", token=old).code == 1
    new = wire.signed_in(phone, deviceId="one")
    assert new != old
    assert [wire.own_info(token).code for token in (old, new)] == [-101, 1]
