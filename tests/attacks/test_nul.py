r"""A NUL in any text: PostgreSQL cannot keep one, SQLite would, and neither is asked to.

It comes as `\u0000` in JSON, as a byte in protobuf, and as `%00` in a query.
"""

from dataclasses import replace

import pytest

from tests.attacks.calls import CALLS, Call
from tests.wire import pb
from tests.wire.client import WireClient

FAILED = {1000, 1001, 1002, 1003}
"""What a server answers that failed."""
LET_BE = {
    ("/v1/user/recommend-category-list", "appChannel"),
    ("/v1/user/recommend-list", "category"),
}
"""Texts that are kept nowhere, and lead nowhere if they are unknown (wire.md 4)."""
PLACES = ("introduction", "province", "city", "district", "locationCode")
_ON = {"deviceId": "here", "platform": "android"}
FULLER = (
    Call("POST", "/v1/user/verification-login", {"mobile": "1", "captcha": "1", **_ON}),
    Call("POST", "/v1/user/email-login", {"email": "a@example.com", "password": "1", **_ON}),
    Call("POST", "/v1/user/save-user-data", dict.fromkeys(PLACES, "")),
    Call("POST", "/v1/user/cancel-user", {"email": "a@example.com", "captcha": "100000"}),
)
"""Calls with texts that the others leave out."""


def with_nul(call: Call) -> dict[str, Call]:
    """The call with a NUL in one text, by the name of the text."""
    if isinstance(call.body, dict):
        texts = {name: value for name, value in call.body.items() if isinstance(value, str)}
        return {
            f"{name} {place}": replace(call, body={**call.body, name: bad})
            for name, value in texts.items()
            for place, bad in (("alone", "\x00"), ("behind", f"{value}\x00"), ("within", "a\x00b"))
        }
    if isinstance(call.body, bytes):
        field = call.body[0] >> 3
        bad = {"alone": "\x00", "within": "a\x00b"}
        return {place: replace(call, body=pb.text(field, text)) for place, text in bad.items()}
    return {}


BAD = [call for call in (*CALLS, *FULLER) if call.body]


@pytest.mark.parametrize("call", BAD, ids=[call.path for call in BAD])
def test_a_nul_is_refused(wire: WireClient, call: Call) -> None:
    """With a code that says why, never as a failure of the server, and nothing of it is kept."""
    token = wire.account(vipDays=1).token
    for name, bad in with_nul(call).items():
        code = bad.answer(wire, token).code
        assert code not in FAILED, name
        assert code != 1 or (call.path, name.split()[0]) in LET_BE, name


@pytest.mark.parametrize("path", ["homepage?userId=1%00", "gold-coin-increase-decrease-record?%00"])
def test_a_nul_in_a_query_is_no_failure(wire: WireClient, path: str) -> None:
    """It leads to nobody, or is not looked at."""
    reply = Call("GET", f"/web/v1/user/{path}").reply(wire, wire.account().token)
    assert reply.status_code == 200
    assert reply.json()["code"] not in FAILED


@pytest.mark.parametrize("field", ["nickname", "password", "phone", "email", "invitedBy"])
def test_a_nul_at_the_sandbox_door(wire: WireClient, field: str) -> None:
    """Accounts made to order are read as strictly."""
    reply = wire.request("POST", "/sandbox/accounts", {field: "1390000\x000000 lake"})
    assert reply.status_code == 200 if field == "password" else 400 <= reply.status_code < 500
