"""Messages of captchas and one-time codes (wire.md 4: user/captcha, verification/*)."""

from typing import Literal

from msgspec import Struct

from hupan.contract.messages.fields import (
    CaptchaAnswerText,
    CaptchaIdText,
    ContactText,
    PlatformText,
)


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
