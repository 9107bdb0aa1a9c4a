"""Messages of captchas and one-time codes (wire.md 4: user/captcha, verification/*)."""

from typing import Literal

from msgspec import Struct

from hupan.contract.endpoints import PUBLIC, AuditEvent, IgnoredBody, NoData, Note, app
from hupan.contract.fields import CaptchaAnswerText, CaptchaIdText, ContactText, PlatformText


class Captcha(Struct, rename="camel"):
    """A captcha image and its id.

    Attributes:
        b64s: a whole data URL, `data:image/png;base64,…` (wire.md 4), of 230x60 pixels.
        id: opaque; valid for one answer, right or wrong.
    """

    b64s: str
    id: str


class SmsCodeRequest(Struct, rename="camel"):
    """Requests a code by SMS.

    Attributes:
        code: the captcha's answer.
        id: the captcha's id.
        platform: ignored.
    """

    mobile: ContactText
    code: CaptchaAnswerText
    id: CaptchaIdText
    platform: PlatformText = ""


class EmailCodeRequest(Struct, rename="camel"):
    """Requests a code by e-mail.

    Attributes:
        code: the captcha's answer.
        id: the captcha's id.
        typ: with `forget_password` the code only sets a password; a widespread client never sends
            it (wire.md 7).
    """

    email: ContactText
    code: CaptchaAnswerText
    id: CaptchaIdText
    typ: Literal["forget_password", ""] = ""


create_captcha = app.post(
    "/v1/user/captcha",
    PUBLIC,
    IgnoredBody,
    Captcha,
    limit="captchas",
    source="R",
    notes=(
        Note(
            "C",
            "`b64s` begins with `data:image/png;base64,`; the reference's `image//png` "
            "is a misprint.",
            "`b64s` 以 `data:image/png;base64,` 开头；文档中的 `image//png` 是笔误。",
        ),
        Note(
            "D",
            "Five digits from 2 to 9. Valid for one answer, right or wrong, and for five minutes "
            "([decision 6](decisions/0006-captchas.md)).",
            "五位数字，取自 2 至 9；只能用一次，答错也作废，五分钟内有效（[决定 "
            "6](decisions/0006-captchas.md)）。",
        ),
    ),
)
send_sms_code = app.post(
    "/v1/verification/get-verification-code",
    PUBLIC,
    SmsCodeRequest,
    NoData,
    event=AuditEvent("code-by-sms", target=("mobile",)),
    secrets=("code",),
    limit="sent_codes",
    sample=SmsCodeRequest(mobile="13911112222", code="ABCD", id="unknown"),
    source="C",
    notes=(
        Note(
            "D",
            "The request names no purpose, so the server decides what a code is valid for when it "
            "sends it: for the account that has the number, or for an unused number.",
            "请求不含用途，因此验证码能用于何处在发送时决定：归属于拥有该号码的账号，或用于无人使用"
            "的号码。",
        ),
    ),
)
send_email_code = app.post(
    "/v1/verification/get-email-verification-code",
    PUBLIC,
    EmailCodeRequest,
    NoData,
    event=AuditEvent("code-by-email", target=("email",)),
    secrets=("code",),
    limit="sent_codes",
    sample=EmailCodeRequest(email="a@example.com", code="ABCD", id="unknown"),
    source="C",
    notes=(
        Note(
            "C",
            "`typ` may be absent: a widespread client never sends it.",
            "`typ` 可以缺省：有一个常用客户端从不发送。",
        ),
        Note(
            "D",
            "A code requested with `forget_password` is valid only there. For an unused "
            "address the "
            "response is the same and nothing is sent.",
            "以 `forget_password` 索取的验证码只能用于重设密码；邮箱无人使用时答复相同，"
            "但不发送邮件。",
        ),
    ),
)
