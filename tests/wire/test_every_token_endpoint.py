"""Every endpoint that needs a token refuses a missing, a wrong and an ended one (wire.md 1.7)."""

import httpx
import pytest

from tests.support import pb
from tests.support.answers import JSON_TYPE, NOT_SIGNED_IN, read_answer
from tests.support.client import WireClient
from tests.support.token_calls import CALLS, Call

pytestmark = pytest.mark.slow

WRONG = ["01234567-89ab-4cde-8f01-23456789abcd", "x", "0", "not a token", "null", "x" * 4000]
# Code -101 as ten bytes and 未登录 in UTF-8, after the request's id.
NOT_SIGNED_IN_TAIL = bytes.fromhex("10 9bffffffffffffffff01 1a09 e69caae799bbe5bd95")
REFUSED = {"code": -101, "msg": NOT_SIGNED_IN}


IN_PROTOBUF = [call for call in CALLS if call.form == "protobuf" and call.body]
every_call = pytest.mark.parametrize("call", CALLS, ids=str)


def check_refused(call: Call, reply: httpx.Response) -> None:
    """Check the refusal of a token that is not valid, in the endpoint's own form."""
    answer = read_answer(reply.status_code, reply.headers, reply.content)
    assert (answer.form, answer.code, answer.msg) == (call.form, -101, NOT_SIGNED_IN)
    assert reply.headers["x-result"] == "unauthenticated"
    if call.form == "json":
        assert reply.json() == REFUSED
    else:
        status = b"\x08" + pb.varint(answer.request_id) + NOT_SIGNED_IN_TAIL
        assert reply.content == b"\x0a" + pb.varint(len(status)) + status


@pytest.mark.one_engine
def test_no_token(wire: WireClient, subtests: pytest.Subtests) -> None:
    """No token or an empty one is -101 in JSON, on protobuf endpoints too (wire.md 1.7)."""
    for call in CALLS:
        with subtests.test(call=call):
            for token in (None, ""):
                reply = call.send(wire, token)
                assert reply.status_code == 200
                assert reply.headers["content-type"] == JSON_TYPE
                assert reply.json() == REFUSED
                assert reply.headers["x-result"] == "unauthenticated"


def test_wrong_token(wire: WireClient, subtests: pytest.Subtests) -> None:
    """A token that was never issued is refused in the endpoint's own form (wire.md 1.6, 1.7)."""
    for call in CALLS:
        with subtests.test(call=call):
            for token in WRONG:
                check_refused(call, call.send(wire, token))


def test_ended_token(wire: WireClient, subtests: pytest.Subtests) -> None:
    """A token whose device signed in again is refused in the same way (wire.md 5, T3)."""
    for call in CALLS:
        with subtests.test(call=call):
            phone = wire.fresh_phone()
            old = wire.account(phone=phone, deviceId="one", vipDays=3).token
            check_accepted(call, call.send(wire, old))
            wire.signed_in(phone, deviceId="one")
            check_refused(call, call.send(wire, old))


@pytest.mark.one_engine
def test_bearer(wire: WireClient, subtests: pytest.Subtests) -> None:
    """The fallback header works like the token header (wire.md 1.2)."""
    for call in CALLS:
        with subtests.test(call=call):
            token = wire.account(vipDays=3).token
            check_accepted(call, call.send(wire, None, authorization=f"Bearer {token}"))
            check_refused(call, call.send(wire, None, authorization=f"Bearer {WRONG[0]}"))


@pytest.mark.one_engine
def test_token_in_the_address(wire: WireClient, subtests: pytest.Subtests) -> None:
    """A token in the query is ignored (security T8)."""
    for call in CALLS:
        with subtests.test(call=call):
            token = wire.account(vipDays=3).token
            joint = "&" if "?" in call.path else "?"
            reply = wire.request(
                call.method, f"{call.path}{joint}token={token}", call.body, headers=call.headers
            )
            assert reply.json() == REFUSED


@pytest.mark.one_engine
def test_wrong_token_in_the_json_form(wire: WireClient, subtests: pytest.Subtests) -> None:
    """In the JSON form the refusal is JSON too (wire.md 1.3)."""
    for call in IN_PROTOBUF:
        with subtests.test(call=call):
            headers = {"content-type": "application/json"}
            body = b'{"name": "n", "url": "https://a.example/a.png"}'
            reply = wire.request("POST", call.path, body, token=WRONG[0], headers=headers)
            assert reply.headers["content-type"] == JSON_TYPE
            value = reply.json()
            assert value.get("status", value)["code"] == -101


def check_accepted(call: Call, reply: httpx.Response) -> None:
    """Check that a valid token passed authentication, even if the request failed later."""
    answer = read_answer(reply.status_code, reply.headers, reply.content)
    assert answer.code != -101, call
    assert answer.form == call.form
