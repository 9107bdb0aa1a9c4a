"""Messages of captchas and one-time codes (wire.md 4: user/captcha, verification/*)."""

from typing import Literal

from msgspec import Struct, field

from hupan.contract.endpoints import PUBLIC, AuditEvent, IgnoredBody, NoData, Note, app
from hupan.contract.fields import (
    CaptchaAnswerText,
    CaptchaIdText,
    ContactText,
    PlatformText,
    ShortText,
    SlidePosition,
)


class Captcha(Struct, rename="camel"):
    """A captcha image and its id.

    Attributes:
        b64s: a whole data URL, `data:image/png;base64,…` (wire.md 4), of 230x60 pixels.
        id: opaque; valid for one answer, right or wrong.
    """

    b64s: str
    id: str


class PixelSize(Struct):
    """The size of an image in pixels."""

    width: int
    height: int


class SlideCaptcha(Struct):
    """A slide captcha: a picture with a gap, and the tile that fits it.

    Attributes:
        id: opaque; valid for one answer, right or wrong.
        type: always `slide`.
        master_image: a whole data URL, `data:image/jpeg;base64,…`.
        master_size: always 300x220.
        tile_image: a whole data URL, `data:image/png;base64,…`, transparent around the tile.
        tile_size: always 70x70.
        tile_y: pixels between the upper edges of picture and tile; the tile slides only sideways.
    """

    id: str
    type: Literal["slide"]
    master_image: str
    master_size: PixelSize
    tile_image: str
    tile_size: PixelSize
    tile_y: int


class SmsCodeRequest(Struct, rename="camel"):
    """Requests a code by SMS.

    Attributes:
        code: the digits of the picture; needed unless `captcha_type` is `slide`.
        id: the captcha's id.
        platform: ignored.
        captcha_type: `slide` for the answer to a slide captcha; absent for a picture.
        x: with `slide`, the pixels between the left edges of picture and tile, within 5.
    """

    mobile: ContactText
    id: CaptchaIdText
    code: CaptchaAnswerText | None = None
    platform: PlatformText = ""
    captcha_type: ShortText = field(default="", name="captcha_type")
    x: SlidePosition | None = None


class EmailCodeRequest(Struct, rename="camel"):
    """Requests a code by e-mail.

    Attributes:
        code: the digits of the picture; needed unless `captcha_type` is `slide`.
        id: the captcha's id.
        typ: with `forget_password` the code only sets a password; a widespread client never sends
            it (wire.md 7).
        captcha_type: `slide` for the answer to a slide captcha; absent for a picture.
        x: with `slide`, the pixels between the left edges of picture and tile, within 5.
    """

    email: ContactText
    id: CaptchaIdText
    code: CaptchaAnswerText | None = None
    typ: Literal["forget_password", ""] = ""
    captcha_type: ShortText = field(default="", name="captcha_type")
    x: SlidePosition | None = None


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
            "Four digits from 2 to 9 by default (`captcha_length`). Valid for one answer, right or "
            "wrong, and for five minutes ([decision 6](decisions/0006-captchas.md)).",
            "默认四位数字（`captcha_length`），取自 2 至 9；只能用一次，答错也作废，五分钟内有效（"
            "[决定 6](decisions/0006-captchas.md)）。",
        ),
    ),
)
create_slide_captcha = app.post(
    "/v1/captcha/get",
    PUBLIC,
    IgnoredBody,
    SlideCaptcha,
    limit="captchas",
    source="R",
    notes=(
        Note(
            "D",
            "Like the picture: valid for one answer, right or wrong, and for five minutes. Both "
            "are offered unless `captcha_kinds` names one; an answer without `captcha_type` is one "
            "to a picture ([decision 38](decisions/0038-slide-captcha.md)).",
            "与图形验证码一样，只能用一次，答错也作废，五分钟内有效。除非 `captcha_kinds` 只列出一"
            "种，否则两种都可用；请求中没有 `captcha_type` 时按图形验证码核对（[决定 "
            "38](decisions/0038-slide-captcha.md)）。",
        ),
    ),
)
send_sms_code = app.post(
    "/v1/verification/get-verification-code",
    PUBLIC,
    SmsCodeRequest,
    NoData,
    event=AuditEvent("code-by-sms", target=("mobile",)),
    secrets=("code", "x"),
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
    secrets=("code", "x"),
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
            "以 `forget_password` 获取的验证码只能用于重设密码；邮箱无人使用时响应相同，"
            "但不发送邮件。",
        ),
    ),
)
