"""The response of a gateway or mail server, as a log may repeat it (security L1, C13)."""

from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.delivery.sender import NotSent
from hupan.delivery.texts import (
    MAX_REPLY_CHARACTERS,
    MESSAGE_TEMPLATES,
    render,
    require_brand,
    sanitize_reply,
)
from tests.support.delivery_samples import ADDRESS, CODE, PHONE, mail, sms

pytestmark = pytest.mark.slow

PURPOSES = {
    "code",
    "reset",
    "notice-phone-changed",
    "notice-email-changed",
    "notice-password-changed",
    "notice-phone-bound",
    "notice-email-bound",
    "notice-session-ended",
    "notice-account-cancelled",
    "notice-account-restored",
    "notice-password-removed",
    "notice-password-reset",
    "notice-signed-out",
}
UCS2_SEGMENT = 70


def code_of(purpose: str) -> str:
    """Return the code that a message of this purpose has."""
    return "" if purpose.startswith("notice-") else CODE


def test_every_purpose_has_words() -> None:
    """Each purpose of the interface has a text, and no other."""
    assert set(MESSAGE_TEMPLATES) == PURPOSES


@pytest.mark.parametrize("purpose", sorted(PURPOSES))
def test_sms_is_one_signed_segment(purpose: str) -> None:
    """An SMS begins with the signature, fits one segment of 70 and names no target."""
    text = render(sms(purpose=purpose, code=code_of(purpose)), "湖畔")
    assert text.subject == ""
    assert text.body.startswith("【湖畔】")
    assert len(text.body) <= UCS2_SEGMENT
    assert code_of(purpose) in text.body
    assert PHONE not in text.body
    assert "\n" not in text.body
    assert "{" not in text.body


@pytest.mark.parametrize("purpose", sorted(PURPOSES))
def test_mail_is_chinese_then_english(purpose: str) -> None:
    """An e-mail has the Chinese text first, then the English one, and no code in the subject."""
    text = render(mail(purpose=purpose, code=code_of(purpose)), "湖畔")
    assert text.subject.startswith("湖畔 ")
    assert CODE not in text.subject
    assert text.body.index("您") < text.body.index("our ")
    assert text.body.count(CODE) == (2 if code_of(purpose) else 0)
    assert "2025-10-09 08:53 UTC" in text.body
    assert ADDRESS not in text.body
    assert "{" not in text.body


def test_exact_words() -> None:
    """The most frequent SMS has exactly the expected text."""
    assert render(sms(), "湖畔").body == "【湖畔】验证码 493817，5 分钟内有效。请勿告诉他人。"


@given(
    code=st.text(max_size=12).filter(
        lambda code: not (len(code) == 6 and code.isascii() and code.isdigit())
    )
)
def test_nothing_but_six_digits_is_a_code(code: str) -> None:
    """Only six ASCII digits can be inserted into a text, so no user text can."""
    with pytest.raises(NotSent) as refused:
        render(sms(code=code), "湖畔")
    assert refused.value.is_retryable is False


@pytest.mark.parametrize(
    ("purpose", "code"), [("notice-phone-bound", CODE), ("greeting", ""), ("", CODE)]
)
def test_unfit_message_is_refused(purpose: str, code: str) -> None:
    """A notice with a code and an unknown purpose have no text."""
    with pytest.raises(NotSent) as refused:
        render(mail(purpose=purpose, code=code), "湖畔")
    assert refused.value.is_retryable is False


@pytest.mark.parametrize("brand", ["", " ", "a\nb", "a\r\nBcc: x", "a\0b", "a\u202eb", "湖" * 41])
def test_brand_that_cannot_stand_in_a_header_is_refused(brand: str) -> None:
    """A brand is short and printable."""
    with pytest.raises(ValueError, match="brand"):
        require_brand(brand)


def test_brand_with_braces_is_itself() -> None:
    """A brand is a value, not a template."""
    assert render(sms(), "{code}").body.startswith("【{code}】验证码 493817")


def test_message_repr_keeps_secrets() -> None:
    """The repr of a message has neither code nor target (security C13, L1)."""
    assert repr(sms()) == "Message(id='m-1', channel='sms', purpose='code')"


NUMBER, SENT_CODE, KEY = "+8613800138000", "482913", "sk-Abc9/d+ef=="
LONG = 60_000


@pytest.mark.parametrize(
    "said",
    [
        SENT_CODE,
        "４８２９１３",
        "4, 8, 2, 9, 1, 3",
        "4 - 8 - 2 - 9 - 1 - 3",
        "482---913",
        '["4","8","2","9","1","3"]',
        "48<b>29</b>13",
        "4\u03018\u03012\u03019\u03011\u03013",
        "4\u200b8\u200b2\u200b9\u200b1\u200b3",
        "".join(f"\\\\u{ord(one):04x}" for one in SENT_CODE),
        "".join(f"%u{ord(one):04x}" for one in SENT_CODE),
        "".join(f"\\x{ord(one):02x}" for one in SENT_CODE),
        "".join(f"&amp;#{ord(one)};" for one in SENT_CODE),
        "".join(f"%25{ord(one):02x}" for one in SENT_CODE),
        b64encode(SENT_CODE.encode()).decode(),
        NUMBER,
        quote(quote(NUMBER)),
        "138 (0013) 8000",
        KEY,
        quote(KEY, safe=""),
        b64encode(KEY.encode()).decode(),
    ],
)
def test_what_is_private_is_masked_however_it_is_written(said: str) -> None:
    """C13, L1: only the mask and the surrounding text remain."""
    left = sanitize_reply(f"no: {said} !", [NUMBER, SENT_CODE, KEY])
    assert "***" in left
    assert not set(left) - set("no: *+=86[]\"'!"), left


@pytest.mark.parametrize("said", ["签名不合法", "30", "-1 余额不足", "code=isv.BUSINESS_LIMIT"])
def test_words_that_help_stay(said: str) -> None:
    """R07: an operator can read why nothing was sent."""
    assert sanitize_reply(said, [NUMBER, SENT_CODE, KEY]) == said


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "run",
    [
        *(
            "A",
            "1",
            "a1",
            "1 ",
            "%",
            "&",
            "a.",
            "a@",
            "a:/",
            "<",
            "\\u0041",
            "\u0344\u0316",
            "\ufdfa",
        )
    ],
)
def test_no_answer_costs_more_than_its_length(run: str) -> None:
    """X2: 2,000 repeated letters once blocked the loop for 18 seconds."""
    assert (
        len(sanitize_reply(run * (LONG // len(run)), [NUMBER, SENT_CODE, KEY]))
        <= MAX_REPLY_CHARACTERS + 1
    )
