"""Messages of captchas and one-time codes (wire.md 4: user/captcha, verification/*)."""

from typing import Literal

from msgspec import Struct, field

from hupan.contract.messages.fields import (
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
