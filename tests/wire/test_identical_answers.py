"""A known and an unknown target get the same response, byte for byte (security E1, E3)."""

from collections.abc import Callable

import pytest

from tests.support.answers import Answer
from tests.support.client import WireClient

pytestmark = pytest.mark.slow

PASSWORD = "long enough 1"
SMS = "verification/get-verification-code"
EMAIL = "verification/get-email-verification-code"
PAIRS = 5
Request = Callable[[WireClient, str], Answer]


def seen(answer: Answer) -> tuple[list[tuple[str, str]], bytes]:
    """Return headers and body of a JSON response without the parts that always differ."""
    assert answer.form == "json"
    return headers_of(answer, "x-request-id", "date"), answer.body


def headers_of(answer: Answer, *left_out: str) -> list[tuple[str, str]]:
    """Return the headers, sorted, except for some."""
    return sorted((k, v) for k, v in answer.headers.items() if k not in left_out)


def by_code(wire: WireClient, phone: str) -> Answer:
    """Sign in to a number with a code that was never sent."""
    return wire.sign_in(phone, "000001", deviceId="d", platform="web")


def by_wrong_code(wire: WireClient, phone: str) -> Answer:
    """Sign in to a number with a wrong code while a right one is live."""
    code = wire.sms_code(phone)
    return wire.sign_in(phone, wire.wrong_code(code), deviceId="d", platform="web")


def by_dead_code(wire: WireClient, phone: str) -> Answer:
    """Sign in to a number with the right code after five wrong ones."""
    code = wire.sms_code(phone)
    for _ in range(5):
        wire.sign_in(phone, wire.wrong_code(code))
    return wire.sign_in(phone, code)


def ask_sms(wire: WireClient, phone: str) -> Answer:
    """Request an SMS code."""
    return wire.ask_sms(phone)


def ask_sms_badly(wire: WireClient, phone: str) -> Answer:
    """Request an SMS code with a wrong captcha."""
    captcha = wire.captcha()
    return wire.post(SMS, {"mobile": phone, "code": captcha.wrong, "id": captcha.id})


@pytest.mark.parametrize(
    "request_for", [by_code, by_wrong_code, by_dead_code, ask_sms, ask_sms_badly]
)
def test_phones(wire: WireClient, request_for: Request) -> None:
    """A number with an account gets the same response as one without (security E1)."""
    for _ in range(PAIRS):
        known, unknown = wire.fresh_phone(), wire.fresh_phone()
        wire.account(phone=known)
        assert seen(request_for(wire, known)) == seen(request_for(wire, unknown))


def by_password(wire: WireClient, email: str) -> Answer:
    """Sign in to an address with a wrong password."""
    return wire.email_login(email, "wrong password 1", deviceId="d", platform="web")


def by_empty_password(wire: WireClient, email: str) -> Answer:
    """Sign in to an address with an empty password."""
    return wire.email_login(email, "")


def by_long_password(wire: WireClient, email: str) -> Answer:
    """Sign in to an address with a password that no account can have."""
    return wire.email_login(email, "x" * 5000)


def ask_email(wire: WireClient, email: str) -> Answer:
    """Request an e-mail code."""
    return wire.ask_email(email)


def ask_reset(wire: WireClient, email: str) -> Answer:
    """Request a code to reset the password."""
    return wire.ask_email(email, typ="forget_password")


def ask_reset_badly(wire: WireClient, email: str) -> Answer:
    """Request a code to reset the password with a wrong captcha."""
    captcha = wire.captcha()
    body = {"email": email, "code": captcha.wrong, "id": captcha.id, "typ": "forget_password"}
    return wire.post(EMAIL, body)


@pytest.mark.parametrize("fields", [{"password": PASSWORD}, {}], ids=["password", "none"])
@pytest.mark.parametrize(
    "request_for",
    [by_password, by_empty_password, by_long_password, ask_email, ask_reset, ask_reset_badly],
)
def test_addresses(wire: WireClient, request_for: Request, fields: dict[str, object]) -> None:
    """An address with an account gets the same response as one without (security E1)."""
    for _ in range(PAIRS):
        known, unknown = wire.fresh_email(), wire.fresh_email()
        wire.account(email=known, **fields)
        assert seen(request_for(wire, known)) == seen(request_for(wire, unknown))


def test_tokens(wire: WireClient) -> None:
    """An ended token and one that was never issued get the same refusal (security E1)."""
    ended = wire.account().token
    assert wire.post("user/logout", token=ended).code == 1
    never = "01234567-89ab-4cde-8f01-23456789abcd"
    answers = [wire.own_info(token) for token in (ended, never)]
    # The body has the request's id, so the length differs between pairs.
    headers = [headers_of(answer, "x-request-id", "date", "content-length") for answer in answers]
    assert headers[0] == headers[1]
    assert (answers[0].code, answers[0].msg) == (answers[1].code, answers[1].msg)
