"""Signing in with an address and a password (wire.md 4 user/email-login, security P2)."""

import pytest

from tests.support.answers import TOKEN_SHAPE, assert_refused
from tests.support.client import WireClient

pytestmark = pytest.mark.slow

PASSWORD = "correct horse 湖畔"


def test_answer_is_exactly_a_token(wire: WireClient) -> None:
    """Success is exactly {code, data: {token}, msg} (wire.md 4)."""
    email = wire.fresh_email()
    wire.account(email=email, password=PASSWORD)
    body = {"email": email, "password": PASSWORD, "deviceId": "awa", "platform": "android"}
    reply = wire.request("POST", "/v1/user/email-login", body).json()
    token = reply["data"]["token"]
    assert reply == {"code": 1, "data": {"token": token}, "msg": "success"}
    assert TOKEN_SHAPE.fullmatch(token)


def test_account_is_the_address_owners(wire: WireClient) -> None:
    """The token belongs to the account of the address (wire.md 4)."""
    email = wire.fresh_email()
    account = wire.account(email=email, password=PASSWORD)
    data = wire.own_info(wire.email_login(email, PASSWORD).text("token")).pb_data
    assert (data.text(1), data.text(7)) == (account.id, email)


@pytest.mark.parametrize("change", [str.upper, str.title, str.swapcase])
def test_address_has_no_case(wire: WireClient, change: object) -> None:
    """E-mail addresses are compared case-insensitively (wire.md 5)."""
    assert callable(change)
    email = wire.fresh_email()
    account = wire.account(email=email, password=PASSWORD)
    token = wire.email_login(change(email), PASSWORD).text("token")
    assert wire.own_info(token).pb_data.text(1) == account.id


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"deviceId": "d"},
        {"platform": "web"},
        {"deviceId": "", "platform": ""},
        {"deviceId": "d" * 128, "platform": "p" * 128},
        {"captcha": 5, "mobile": None},
    ],
)
def test_device_and_platform_are_free(wire: WireClient, extra: dict[str, object]) -> None:
    """`platform` and `deviceId` may be missing, and unknown keys are ignored (wire.md 1.4, 4)."""
    email = wire.fresh_email()
    wire.account(email=email, password=PASSWORD)
    assert wire.email_login(email, PASSWORD, **extra).code == 1


def test_every_failure_is_one_answer(wire: WireClient) -> None:
    """Wrong address, wrong password and no password get one response (wire.md 4)."""
    known, bare = wire.fresh_email(), wire.fresh_email()
    wire.account(email=known, password=PASSWORD)
    wire.account(email=bare)
    failures = [
        wire.email_login(wire.fresh_email(), PASSWORD),
        wire.email_login(known, "wrong " + PASSWORD),
        wire.email_login(bare, PASSWORD),
    ]
    for failure in failures:
        assert_refused(failure)
    assert len({failure.body for failure in failures}) == 1


@pytest.mark.parametrize(
    "password",
    [
        "blanks around  ",
        "  blanks before",
        "nul\x00in the middle",
        "emoji 🌊🌊🌊🌊",
        "line\nbreak\r\ttab",
        "x" * 128,
        "湖" * 40,
        'quote"s and \\slashes',
    ],
)
def test_password_is_taken_whole(wire: WireClient, password: str) -> None:
    """Every character counts: nothing is trimmed, truncated or folded (security P2)."""
    email = wire.fresh_email()
    wire.account(email=email, password=password)
    near = [
        password + "x",
        password + " ",
        password[:-1],
        password.encode()[:72].decode(errors="ignore") + "y",
        password.partition("\x00")[0] + "z",
        password.strip() + "\x00",
        password.swapcase(),
    ]
    for other in {text for text in near if text != password}:
        assert_refused(wire.email_login(email, other))
    assert wire.email_login(email, password).code == 1


@pytest.mark.one_engine
@pytest.mark.parametrize("password", ["", "s", "\x00", "湖"])
@pytest.mark.parametrize("times", [1, 7, 1025, 10_000])
def test_any_wrong_password_is_refused(wire: WireClient, password: str, times: int) -> None:
    """A wrong password of any length is refused without a server error (security P1, P2)."""
    email = wire.fresh_email()
    wire.account(email=email, password=PASSWORD)
    assert_refused(wire.email_login(email, password * times))


def test_same_device_replaces_its_session(wire: WireClient) -> None:
    """Only a sign-in on the same device ends the old session (wire.md 5)."""
    email = wire.fresh_email()
    wire.account(email=email, password=PASSWORD, deviceId="door")
    old, other, new = (
        wire.email_login(email, PASSWORD, deviceId=device).text("token")
        for device in ("one", "two", "one")
    )
    assert [wire.own_info(token).code for token in (old, other, new)] == [-101, 1, 1]


def test_both_ways_in_share_the_device(wire: WireClient) -> None:
    """A session belongs to user and device, with either kind of sign-in (wire.md 5)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    door = wire.account(phone=phone, email=email, password=PASSWORD, deviceId="one").token
    by_code = wire.signed_in(phone, deviceId="one")
    assert wire.own_info(door).code == -101
    by_password = wire.email_login(email, PASSWORD, deviceId="one").text("token")
    assert wire.own_info(by_code).code == -101
    assert wire.own_info(by_password).code == 1


@pytest.mark.one_engine
@pytest.mark.parametrize("email", ["", "nobody", "a@b", "a@b,c@d.example", "' or 1=1 --", "%", "*"])
def test_odd_addresses_are_refused(wire: WireClient, email: str) -> None:
    """An invalid address is refused (wire.md 4)."""
    assert_refused(wire.email_login(email, PASSWORD))
