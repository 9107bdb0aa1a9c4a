"""Setting a password by a code that came by e-mail (wire.md 4, security P1-P3, P6, E1)."""

import pytest

from tests.wire.answers import Answer, refused_field
from tests.wire.client import WireClient

pytestmark = pytest.mark.slow

PATH = "user/forget-password"
PASSWORD = "the lake at seven"
WRONG_CODE = b'{"code":1202,"msg":"\xe9\xaa\x8c\xe8\xaf\x81\xe7\xa0\x81\xe9\x94\x99\xe8\xaf\xaf'


def code_for(wire: WireClient, email: str, typ: str = "") -> str:
    """Ask for a code and return it."""
    before = {letter.id for letter in wire.list_outbox("email", email)}
    assert wire.ask_email(email, **({"typ": typ} if typ else {})).code == 1
    return wire.next_letter("email", email, before).code


def reset(wire: WireClient, email: str, code: str, password: str = PASSWORD) -> Answer:
    """Set a password."""
    return wire.post(PATH, {"email": email, "captcha": code, "password": password})


@pytest.mark.parametrize("typ", ["", "forget_password"])
@pytest.mark.parametrize("first", [True, False])
def test_a_password_is_set(wire: WireClient, typ: str, *, first: bool) -> None:
    """A code of either kind sets a password, also the first; the old one no longer serves."""
    email = wire.fresh_email()
    who = wire.account(email=email, **({} if first else {"password": "old and forgotten"}))
    body = {"email": email, "captcha": code_for(wire, email, typ), "password": PASSWORD}
    reply = wire.request("POST", f"/v1/{PATH}", body)
    assert reply.content == b'{"code":1,"msg":"success"}'
    token = wire.email_login(email, PASSWORD).text("token")
    assert wire.own_info(token).pb_data.text(1) == who.id
    assert wire.email_login(email, "old and forgotten").code > 1


def test_every_session_and_code_ends(wire: WireClient) -> None:
    """All tokens of the account are refused at once, and its live codes are dead (P6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    first = wire.account(phone=phone, email=email, deviceId="one").token
    second = wire.signed_in(phone, deviceId="two")
    sms = wire.sms_code(phone)
    assert reset(wire, email, code_for(wire, email)).code == 1
    assert [wire.own_info(token).code for token in (first, second)] == [-101, -101]
    assert wire.sign_in(phone, sms).code == 1202


def test_everybody_bound_is_told(wire: WireClient) -> None:
    """Number and address each get one notice, and the password is in neither (P6, P7)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email)
    assert reset(wire, email, code_for(wire, email)).code == 1
    for channel, to in (("sms", phone), ("email", email)):
        (told,) = [letter for letter in wire.list_outbox(channel, to) if not letter.code]
        assert "您账号的登录密码已更改。" in told.text
        assert PASSWORD not in told.text


def test_known_and_unknown_look_alike(wire: WireClient) -> None:
    """An unknown address, a wrong code, a used one and none at all get the same bytes (E1)."""
    known, unknown, used = (wire.fresh_email() for _ in range(3))
    wire.account(email=known)
    wire.account(email=used)
    code, spent = code_for(wire, known), code_for(wire, used)
    assert reset(wire, used, spent).code == 1
    tries = [(known, wire.wrong_code(code)), (unknown, code), (used, spent), (used, "000001")]
    bodies = {reset(wire, email, guess).body for email, guess in tries}
    assert len(bodies) == 1
    assert bodies.pop().startswith(WRONG_CODE)


def test_five_wrong_codes_kill_the_right_one(wire: WireClient) -> None:
    """Wrong codes are counted as everywhere (security C3, C5)."""
    email = wire.fresh_email()
    wire.account(email=email, password="old and forgotten")
    code = code_for(wire, email)
    for _ in range(5):
        assert reset(wire, email, wire.wrong_code(code)).code == 1202
    assert reset(wire, email, code).code == 1202
    assert wire.email_login(email, "old and forgotten").code == 1


def test_a_sms_code_sets_no_password(wire: WireClient) -> None:
    """A code of the same account's number does not serve for its address (security C8)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email)
    assert reset(wire, email, wire.sms_code(phone)).code == 1202


@pytest.mark.one_engine
@pytest.mark.parametrize("password", ["1234567", "湖畔一二三四五"])
def test_short_passwords(wire: WireClient, password: str) -> None:
    """Seven characters are too few, counted as characters (P1); the code stays good."""
    email = wire.fresh_email()
    wire.account(email=email)
    code = code_for(wire, email)
    answer = reset(wire, email, code, password)
    assert (answer.code, answer.msg) == (1408, "密码太短，至少需要8个字符")
    assert reset(wire, email, code).code == 1


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "password", ["password", "woaini1314", "1qaz2wsx", "zhangwei123", "P@ssw0rd", "hupan2024"]
)
def test_weak_passwords(wire: WireClient, password: str) -> None:
    """Common passwords are refused before the code is looked at, known address or not (P3)."""
    known, unknown = wire.fresh_email(), wire.fresh_email()
    wire.account(email=known)
    answers = [reset(wire, email, "000001", password) for email in (known, unknown)]
    assert [answer.code for answer in answers] == [1409, 1409]
    assert answers[0].msg == "密码过于简单：请勿使用常见密码，或包含昵称、手机号、邮箱的密码"
    assert answers[0].body == answers[1].body


@pytest.mark.one_engine
def test_a_password_made_of_the_account(wire: WireClient) -> None:
    """Name and number make no password; that is told only after a right code (P3, E3)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email, nickname="Lakewalker")
    code = code_for(wire, email)
    for password in ("lakewalker!!7", f"{phone}zz-q", "xxxLAKEWALKER"):
        assert reset(wire, email, wire.wrong_code(code), password).code == 1202
        assert reset(wire, email, code, password).code == 1409
        code = code_for(wire, email)
    assert reset(wire, email, code, "qq-Lakewalker-under-elms").code == 1


@pytest.mark.one_engine
def test_the_local_part_makes_no_password(wire: WireClient) -> None:
    """The address itself is no secret (P3)."""
    email = wire.fresh_email()
    assert reset(wire, email, "000001", f"{email.partition('@')[0]}2031").code == 1409


@pytest.mark.parametrize(
    "password",
    [
        *("q7 lake!", "reed" + "x7Q" * 41 + "y", "  blank ends  ", "nul\x00inside"),
        *("🌊🌾🦆🛶🌅🐟🪷🌫", "é long, è wide", "e\u0301 long, e\u0300 wide"),
    ],
)
def test_any_text_serves_exactly(wire: WireClient, password: str) -> None:
    """No rule of composition, nothing trimmed, cut or normalised (P1, P2)."""
    email = wire.fresh_email()
    wire.account(email=email)
    assert reset(wire, email, code_for(wire, email), password).code == 1
    assert wire.email_login(email, password).code == 1
    for other in (password + "x", password[:-1], f" {password}", password.swapcase() + "."):
        assert wire.email_login(email, other).code == 1301


@pytest.mark.one_engine
def test_bytes_past_72_count(wire: WireClient) -> None:
    """Passwords that differ only after their 72nd byte are different (P2)."""
    email = wire.fresh_email()
    wire.account(email=email)
    long = "reeds by the water " * 5
    assert reset(wire, email, code_for(wire, email), long).code == 1
    assert wire.email_login(email, long[:72]).code == 1301
    assert wire.email_login(email, long).code == 1


@pytest.mark.one_engine
@pytest.mark.parametrize("value", [None, 12345678, ["long enough 1"], "x" * 1025, "长" * 342])
def test_bad_passwords(wire: WireClient, value: object) -> None:
    """No text, or more than 128 characters, is 1100 with the field's name (P1)."""
    body = {"email": wire.fresh_email(), "captcha": "123456", "password": value}
    assert refused_field(wire.post(PATH, body)) == "password"


@pytest.mark.one_engine
def test_half_characters(wire: WireClient) -> None:
    """Half of a surrogate pair is no text and never an error of the server."""
    body = b'{"email":"a@example.com","captcha":"1","password":"\\ud800-long-enough"}'
    assert wire.post(PATH, body).code == 1100


def test_a_banned_account(wire: WireClient) -> None:
    """That an account is banned is told only after a right code; its password stays (E3)."""
    email = wire.fresh_email()
    wire.account(email=email, password="old and forgotten", banDays=5)
    code = code_for(wire, email)
    assert reset(wire, email, wire.wrong_code(code)).code == 1202
    assert reset(wire, email, code).code == 7100
    assert wire.email_login(email, PASSWORD).code == 1301
