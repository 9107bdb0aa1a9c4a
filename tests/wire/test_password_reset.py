"""Setting a password by mail (wire.md 4 forget-password, security P6, C3, C7, C8, D1).

Which passwords are accepted, and that they are exact (security P1-P3).
Setting a password by a code from an e-mail (wire.md 4, security P1-P3, P6, E1).
"""

from itertools import pairwise

import pytest

from tests.support.answers import Answer, assert_refused, refused_field
from tests.support.channels import EMAIL, FORGET, PHONE, forget, notice_to
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, reply_to
from tests.support.parallel import at_once, winner

pytestmark = pytest.mark.slow

OLD, NEW = "old enough 湖 1", "new enough 畔 2"
TYPED = {"typ": "forget_password"}


@pytest.mark.parametrize("extra", [{}, {"typ": ""}, TYPED])
def test_it_sets_a_new_password(wire: WireClient, extra: dict[str, object]) -> None:
    """A code requested with or without the type resets the password (wire.md 4)."""
    email = wire.fresh_email()
    account = wire.account(email=email, password=OLD)
    body = {"email": email, "captcha": EMAIL.code(wire, email, **extra), "password": NEW}
    assert reply_to(wire, FORGET, body) == SUCCESS
    assert_refused(wire.email_login(email, OLD))
    token = wire.email_login(email, NEW).text("token")
    assert wire.own_info(token).pb_data.text(1) == account.id


def test_it_sets_the_first_password(wire: WireClient) -> None:
    """An account without a password gets its first (wire.md 4)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    token = wire.signed_in(phone)
    assert EMAIL.bind(wire, token, email, EMAIL.code(wire, email)).code == 1
    assert_refused(wire.email_login(email, NEW))
    assert forget(wire, email, EMAIL.code(wire, email), NEW).code == 1
    by_password = wire.email_login(email, NEW).text("token")
    assert wire.own_info(by_password).pb_data.text(6) == phone


def test_address_has_no_case(wire: WireClient) -> None:
    """Addresses are compared case-insensitively (wire.md 5)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    assert forget(wire, email.upper(), EMAIL.code(wire, email), NEW).code == 1
    assert wire.email_login(email, NEW).code == 1


def test_every_session_ends(wire: WireClient) -> None:
    """A reset ends every session of the account and of no other (wire.md 4, security P6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    door = wire.account(phone=phone, email=email, password=OLD, deviceId="door").token
    tokens = [door, wire.signed_in(phone, deviceId="a")]
    tokens.append(wire.email_login(email, OLD, deviceId="b").text("token"))
    bystander = wire.account(deviceId="door").token
    code = EMAIL.code(wire, email)
    answer = wire.post(
        FORGET, {"email": email, "captcha": code, "password": NEW, "deviceId": "a"}, token=door
    )
    assert answer.code == 1
    assert [wire.own_info(token).code for token in tokens] == [-101] * 3
    assert wire.own_info(bystander).code == 1


def test_live_codes_die(wire: WireClient) -> None:
    """An SMS code requested before the reset no longer signs in (security P6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email, password=OLD)
    before = PHONE.code(wire, phone)
    assert forget(wire, email, EMAIL.code(wire, email), NEW).code == 1
    assert_refused(wire.sign_in(phone, before))
    assert wire.sign_in(phone, PHONE.code(wire, phone)).code == 1


def test_every_contact_is_notified(wire: WireClient) -> None:
    """Phone and e-mail both get a notice of a reset, without the password (P6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email, password=OLD)
    assert forget(wire, email, EMAIL.code(wire, email), NEW).code == 1
    for way, target in ((PHONE, phone), (EMAIL, email)):
        text = notice_to(wire, way, target).text
        assert text
        assert NEW not in text


@pytest.mark.parametrize("extra", [{}, TYPED])
def test_code_serves_once(wire: WireClient, extra: dict[str, object]) -> None:
    """A reset uses its code up (security C7)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    code = EMAIL.code(wire, email, **extra)
    assert forget(wire, email, code, NEW).code == 1
    assert_refused(forget(wire, email, code, OLD))
    assert wire.email_login(email, NEW).code == 1


def test_foreign_codes_reset_nothing(wire: WireClient) -> None:
    """The code of another address, or of one's own phone, resets nothing (security C8)."""
    phone, email, mine = wire.fresh_phone(), wire.fresh_email(), wire.fresh_email()
    wire.account(phone=phone, email=email, password=OLD)
    wire.account(email=mine, password=OLD)
    codes = [EMAIL.code(wire, email), EMAIL.code(wire, mine), PHONE.code(wire, phone)]
    for code in {*codes[1:], wire.wrong_code(codes[0])} - {codes[0]}:
        assert_refused(forget(wire, email, code, NEW))
    assert wire.email_login(email, OLD).code == 1


def test_unbound_address_has_nothing_to_reset(wire: WireClient) -> None:
    """The right code of a free address makes no account and sets no password (D1)."""
    email = wire.fresh_email()
    assert_refused(forget(wire, email, EMAIL.code(wire, email), NEW))
    assert_refused(wire.email_login(email, NEW))


def test_known_and_unknown_are_refused_alike(wire: WireClient) -> None:
    """With a wrong code a known and an unknown address get one response (security E1)."""
    known, unknown = wire.fresh_email(), wire.fresh_email()
    wire.account(email=known, password=OLD)
    for extra in ({}, TYPED):
        answers = []
        for email in (known, unknown):
            assert EMAIL.request_code(wire, email, **extra).code == 1
            answers.append(forget(wire, email, "00000a", NEW).body)
            answers.append(forget(wire, email, "", NEW).body)
        assert answers[:2] == answers[2:]


def test_five_wrong_tries_kill_the_code(wire: WireClient) -> None:
    """After five wrong attempts the right code resets nothing (security C3)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    code = EMAIL.code(wire, email, **TYPED)
    for _ in range(5):
        assert_refused(forget(wire, email, wire.wrong_code(code), NEW))
    assert_refused(forget(wire, email, code, NEW))
    assert wire.email_login(email, OLD).code == 1


def test_typed_code_serves_only_there(wire: WireClient) -> None:
    """A code requested with forget_password confirms and cancels nothing (wire.md 4, D1)."""
    email = wire.fresh_email()
    account = wire.account(email=email, password=OLD)
    for act in (EMAIL.change, EMAIL.cancel):
        assert_refused(act(wire, account.token, email, EMAIL.code(wire, email, **TYPED)))
    assert wire.own_info(account.token).code == 1


def test_one_code_at_once(wire: WireClient) -> None:
    """One code used ten times at once sets one password (security C7, P6)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    code = EMAIL.code(wire, email)
    passwords = [f"{NEW} {at}" for at in range(10)]
    winner(at_once(lambda password: forget(wire, email, code, password), passwords))
    opened = [password for password in passwords if wire.email_login(email, password).code == 1]
    assert len(opened) == 1


FIRST_PASSWORD = "old enough 湖 1"
LONG = "Herons wade where 17 sedge warblers nest; " * 4 + "and 3 boats lie at the pier by dusk. "
MAX_PASSWORD_BYTES = 1024


@pytest.mark.parametrize(
    "password",
    ["12345678", "password", "qwertyuiop", "11111111", "iloveyou", "1234567890", "short 7"],
)
def test_weak_passwords_are_refused(wire: WireClient, password: str) -> None:
    """Fewer than 8 characters, or a common password, is refused, and the old one stays (P1, P3)."""
    email = wire.fresh_email()
    wire.account(email=email, password=FIRST_PASSWORD)
    assert_refused(forget(wire, email, EMAIL.code(wire, email), password))
    assert wire.email_login(email, FIRST_PASSWORD).code == 1


def test_context_words_are_refused(wire: WireClient) -> None:
    """The account's own number, name or address is refused (security P3)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email, nickname="Zephyrine Q", password=FIRST_PASSWORD)
    for password in (phone, email.partition("@")[0], "Zephyrine Q"):
        assert_refused(forget(wire, email, EMAIL.code(wire, email), password))
    assert wire.email_login(email, FIRST_PASSWORD).code == 1


def test_passwords_are_taken_as_they_are(wire: WireClient) -> None:
    """Blanks, emoji, NUL and length are kept exactly, and nothing is cut (security P1, P2)."""
    email = wire.fresh_email()
    wire.account(email=email, password=FIRST_PASSWORD)
    accepted = ["柳浪闻莺 三潭印月", " spaced out 1 ", "🦋🦚🐬🦉🐢🦔🐝🦆", "nul\x00 within 9"]
    accepted += [LONG[:72] + "w", LONG[:72] + "v", LONG[:128], (LONG * 6)[:MAX_PASSWORD_BYTES]]
    for before, password in pairwise([FIRST_PASSWORD, *accepted]):
        assert forget(wire, email, EMAIL.code(wire, email), password).code == 1, password
        assert wire.email_login(email, password).code == 1, password
        for unlike in (
            before,
            password + " ",
            password.strip() + "x",
            password[:-1],
            password[:128] + "y",
        ):
            assert_refused(wire.email_login(email, unlike))


def test_endless_password_is_refused(wire: WireClient) -> None:
    """A password of more bytes than are hashed is refused, and not cut (security P1)."""
    email = wire.fresh_email()
    wire.account(email=email, password=FIRST_PASSWORD)
    endless = LONG * 6 + "x"
    assert len(endless) > MAX_PASSWORD_BYTES
    assert_refused(forget(wire, email, EMAIL.code(wire, email), endless))
    assert wire.email_login(email, FIRST_PASSWORD).code == 1


PATH = "user/forget-password"
PASSWORD = "the lake at seven"
WRONG_CODE = b'{"code":1202,"msg":"\xe9\xaa\x8c\xe8\xaf\x81\xe7\xa0\x81\xe9\x94\x99\xe8\xaf\xaf'


def code_for(wire: WireClient, email: str, typ: str = "") -> str:
    """Request a code and return it."""
    before = {letter.id for letter in wire.list_outbox("email", email)}
    assert wire.ask_email(email, **({"typ": typ} if typ else {})).code == 1
    return wire.next_message("email", email, before).code


def reset(wire: WireClient, email: str, code: str, password: str = PASSWORD) -> Answer:
    """Set a password."""
    return wire.post(PATH, {"email": email, "captcha": code, "password": password})


@pytest.mark.slow
@pytest.mark.parametrize("typ", ["", "forget_password"])
@pytest.mark.parametrize("first", [True, False])
def test_a_password_is_set(wire: WireClient, typ: str, *, first: bool) -> None:
    """A code of either kind sets a password, also the first; the old one no longer works."""
    email = wire.fresh_email()
    who = wire.account(email=email, **({} if first else {"password": "old and forgotten"}))
    body = {"email": email, "captcha": code_for(wire, email, typ), "password": PASSWORD}
    reply = wire.request("POST", f"/v1/{PATH}", body)
    assert reply.content == b'{"code":1,"msg":"success"}'
    token = wire.email_login(email, PASSWORD).text("token")
    assert wire.own_info(token).pb_data.text(1) == who.id
    assert wire.email_login(email, "old and forgotten").code > 1


@pytest.mark.slow
def test_every_session_and_code_ends(wire: WireClient) -> None:
    """All tokens of the account are refused at once, and its codes no longer work (P6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    first = wire.account(phone=phone, email=email, deviceId="one").token
    second = wire.signed_in(phone, deviceId="two")
    sms = wire.sms_code(phone)
    assert reset(wire, email, code_for(wire, email)).code == 1
    assert [wire.own_info(token).code for token in (first, second)] == [-101, -101]
    assert wire.sign_in(phone, sms).code == 1202


@pytest.mark.slow
def test_every_contact_gets_one_notice(wire: WireClient) -> None:
    """Number and address each get one notice, without the password (P6, P7)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email)
    assert reset(wire, email, code_for(wire, email)).code == 1
    for channel, to in (("sms", phone), ("email", email)):
        (told,) = [letter for letter in wire.list_outbox(channel, to) if not letter.code]
        assert "您账号的登录密码已更改。" in told.text
        assert PASSWORD not in told.text


@pytest.mark.slow
def test_known_and_unknown_look_alike(wire: WireClient) -> None:
    """An unknown address, a wrong code, a used one and no code get the same bytes (E1)."""
    known, unknown, used = (wire.fresh_email() for _ in range(3))
    wire.account(email=known)
    wire.account(email=used)
    code, spent = code_for(wire, known), code_for(wire, used)
    assert reset(wire, used, spent).code == 1
    tries = [(known, wire.wrong_code(code)), (unknown, code), (used, spent), (used, "000001")]
    bodies = {reset(wire, email, guess).body for email, guess in tries}
    assert len(bodies) == 1
    assert bodies.pop().startswith(WRONG_CODE)


@pytest.mark.slow
def test_five_wrong_codes_kill_the_right_one(wire: WireClient) -> None:
    """Wrong codes share the limit of the other endpoints (security C3, C5)."""
    email = wire.fresh_email()
    wire.account(email=email, password="old and forgotten")
    code = code_for(wire, email)
    for _ in range(5):
        assert reset(wire, email, wire.wrong_code(code)).code == 1202
    assert reset(wire, email, code).code == 1202
    assert wire.email_login(email, "old and forgotten").code == 1


@pytest.mark.slow
def test_a_sms_code_sets_no_password(wire: WireClient) -> None:
    """A code for the same account's number does not work for its address (security C8)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email)
    assert reset(wire, email, wire.sms_code(phone)).code == 1202


@pytest.mark.slow
@pytest.mark.one_engine
@pytest.mark.parametrize("password", ["1234567", "湖畔一二三四五"])
def test_short_passwords(wire: WireClient, password: str) -> None:
    """Seven characters are too few (P1); the code stays valid."""
    email = wire.fresh_email()
    wire.account(email=email)
    code = code_for(wire, email)
    answer = reset(wire, email, code, password)
    assert (answer.code, answer.msg) == (1408, "密码太短，至少需要 8 个字符")
    assert reset(wire, email, code).code == 1


@pytest.mark.slow
@pytest.mark.one_engine
@pytest.mark.parametrize(
    "password", ["password", "woaini1314", "1qaz2wsx", "zhangwei123", "P@ssw0rd", "hupan2024"]
)
def test_weak_passwords(wire: WireClient, password: str) -> None:
    """Common passwords are refused before the code is checked, for any address (P3)."""
    known, unknown = wire.fresh_email(), wire.fresh_email()
    wire.account(email=known)
    answers = [reset(wire, email, "000001", password) for email in (known, unknown)]
    assert [answer.code for answer in answers] == [1409, 1409]
    assert answers[0].msg == "密码过于简单：请勿使用常见密码，或包含昵称、手机号、邮箱的密码"
    assert answers[0].body == answers[1].body


@pytest.mark.slow
@pytest.mark.one_engine
def test_a_password_made_of_the_account(wire: WireClient) -> None:
    """A password made of name or number is refused, but only after a right code (P3, E3)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email, nickname="Lakewalker")
    code = code_for(wire, email)
    for password in ("lakewalker!!7", f"{phone}zz-q", "xxxLAKEWALKER"):
        assert reset(wire, email, wire.wrong_code(code), password).code == 1202
        assert reset(wire, email, code, password).code == 1409
        code = code_for(wire, email)
    assert reset(wire, email, code, "qq-Lakewalker-under-elms").code == 1


@pytest.mark.slow
@pytest.mark.one_engine
def test_the_local_part_makes_no_password(wire: WireClient) -> None:
    """The address itself is refused as a password (P3)."""
    email = wire.fresh_email()
    assert reset(wire, email, "000001", f"{email.partition('@')[0]}2031").code == 1409


@pytest.mark.slow
@pytest.mark.parametrize(
    "password",
    [
        *("q7 lake!", "reed" + "x7Q" * 41 + "y", "  blank ends  ", "nul\x00inside"),
        *("🌊🌾🦆🛶🌅🐟🪷🌫", "é long, è wide", "e\u0301 long, e\u0300 wide"),
    ],
)
def test_any_text_serves_exactly(wire: WireClient, password: str) -> None:
    """There is no rule of composition, and nothing is trimmed, cut or normalised (P1, P2)."""
    email = wire.fresh_email()
    wire.account(email=email)
    assert reset(wire, email, code_for(wire, email), password).code == 1
    assert wire.email_login(email, password).code == 1
    for other in (password + "x", password[:-1], f" {password}", password.swapcase() + "."):
        assert wire.email_login(email, other).code == 1301


@pytest.mark.slow
@pytest.mark.one_engine
def test_bytes_past_72_count(wire: WireClient) -> None:
    """Passwords that differ only after their 72nd byte are different (P2)."""
    email = wire.fresh_email()
    wire.account(email=email)
    long = "reeds by the water " * 5
    assert reset(wire, email, code_for(wire, email), long).code == 1
    assert wire.email_login(email, long[:72]).code == 1301
    assert wire.email_login(email, long).code == 1


@pytest.mark.slow
@pytest.mark.one_engine
@pytest.mark.parametrize("value", [None, 12345678, ["long enough 1"], "x" * 1025, "长" * 342])
def test_bad_passwords(wire: WireClient, value: object) -> None:
    """A value that is no text, or has more than 128 characters, is 1100 with its name (P1)."""
    body = {"email": wire.fresh_email(), "captcha": "123456", "password": value}
    assert refused_field(wire.post(PATH, body)) == "password"


@pytest.mark.slow
@pytest.mark.one_engine
def test_half_characters(wire: WireClient) -> None:
    """Half of a surrogate pair is refused without a server error."""
    body = b'{"email":"a@example.com","captcha":"1","password":"\\ud800-long-enough"}'
    assert wire.post(PATH, body).code == 1100


@pytest.mark.slow
def test_a_banned_account(wire: WireClient) -> None:
    """The ban is reported only after a right code; the password stays (E3)."""
    email = wire.fresh_email()
    wire.account(email=email, password="old and forgotten", banDays=5)
    code = code_for(wire, email)
    assert reset(wire, email, wire.wrong_code(code)).code == 1202
    assert reset(wire, email, code).code == 7100
    assert wire.email_login(email, PASSWORD).code == 1301
