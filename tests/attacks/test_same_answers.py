"""The answer reveals nothing about a number or an address (security E1).

Twenty pairs at each endpoint: the same request for a target with and without an account. Every
byte of body and headers is compared, except the request's id and the date. These endpoints use
JSON only; no protobuf endpoint has a target.
"""

from collections.abc import Callable

import pytest

from hupan.contract import ENDPOINTS
from tests.support.channels import EMAIL, PHONE
from tests.support.client import Body, WireClient

pytestmark = pytest.mark.slow

PAIRS = 20
LEFT_OUT = {"x-request-id", "date"}
CODE = "100000"
PASSWORD = "the lake at seven"
Knock = Callable[[WireClient, str], Body]


def _solved(wire: WireClient, name: str, target: str) -> Body:
    return {name: target, **wire.solved()}


# Path -> the request about a target. Codes and passwords are wrong, captchas right.
DOORS: dict[str, tuple[str, Knock]] = {
    "verification/get-verification-code": ("phone", lambda w, t: _solved(w, "mobile", t)),
    "verification/get-email-verification-code": ("email", lambda w, t: _solved(w, "email", t)),
    "user/verification-login": ("phone", lambda _, t: {"mobile": t, "captcha": CODE}),
    "user/email-login": ("email", lambda _, t: {"email": t, "password": PASSWORD}),
    "user/forget-password": (
        "email",
        lambda _, t: {"email": t, "captcha": CODE, "password": PASSWORD},
    ),
    "user/bing-phone": ("phone", lambda _, t: {"phone": t, "captcha": CODE}),
    "user/bing-email": ("email", lambda _, t: {"email": t, "captcha": CODE}),
    "user/change-phone-check": ("phone", lambda _, t: {"phone": t, "captcha": CODE}),
    "user/change-email-check": ("email", lambda _, t: {"email": t, "captcha": CODE}),
    "user/cancel-user": ("phone", lambda _, t: {"phone": t, "captcha": CODE}),
}
STATES: dict[str, dict[str, object]] = {
    "plain": {},
    "with password": {"password": "another one at nine"},
    "banned": {"banDays": 3},
}


@pytest.mark.one_engine
def test_no_endpoint_is_missing() -> None:
    """Each endpoint that acts on a number or an address is in the list (E1)."""
    fields = {"mobile", "email", "phone"}
    taking = {
        line.path.removeprefix("/v1/")
        for line in ENDPOINTS
        if fields & set(getattr(line.request, "__struct_encode_fields__", ()))
    }
    # A remark about a friend's number is the author's own text, and reads no account.
    assert taking - {"user/save-user-remarks"} == set(DOORS)


@pytest.mark.one_engine
@pytest.mark.parametrize("path", DOORS)
def test_known_and_unknown_get_the_same_bytes(
    wire: WireClient, path: str, subtests: pytest.Subtests
) -> None:
    """Body, headers and length are the same for twenty pairs, in both languages (E1, E3)."""
    for state, extra in STATES.items():
        with subtests.test(state=state):
            kind, knock = DOORS[path]
            way = PHONE if kind == "phone" else EMAIL
            has_one_bound = "change" in path or "cancel" in path
            token = wire.account(**({kind: way.fresh(wire)} if has_one_bound else {})).token
            seen = []
            for pair in range(PAIRS if state == "plain" else 3):
                known = way.fresh(wire)
                wire.account(
                    **{kind: known},
                    **(extra if kind == "email" or state != "with password" else {}),
                )
                language = {"accept-language": "en"} if pair % 2 else {}
                for target in (known, way.fresh(wire)):
                    body = knock(wire, target)
                    reply = wire.request("POST", f"/v1/{path}", body, token=token, headers=language)
                    headers = sorted((k, v) for k, v in reply.headers.items() if k not in LEFT_OUT)
                    seen.append((reply.status_code, headers, reply.content))
            for known_one, unknown_one in zip(seen[::2], seen[1::2], strict=True):
                assert known_one == unknown_one


@pytest.mark.parametrize("path", ["user/email-login", "user/forget-password"])
def test_reset_codes_and_logins_after_one(wire: WireClient, path: str) -> None:
    """An earlier reset request does not change a response either (security E1)."""
    seen = []
    for bound in (True, False) * 5:
        email = wire.fresh_email()
        if bound:
            wire.account(email=email)
        asked = wire.ask_email(email, typ="forget_password")
        reply = wire.request("POST", f"/v1/{path}", DOORS[path][1](wire, email))
        seen.append((asked.body, reply.content, reply.headers["content-length"]))
    assert len(set(seen)) == 1
