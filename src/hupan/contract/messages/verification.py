"""Captchas and the codes that are sent (wire.md 4: user/captcha, verification/*)."""

from typing import Literal

from msgspec import Struct

from hupan.contract.messages.fields import AddressText, SealedText, ShortText


class Captcha(Struct, rename="camel"):
    """A picture to read and the id to answer it with.

    `b64s` is a whole data URL `data:image/png;base64,…`; `image//png` was a misprint (wire.md 4).
    """

    b64s: str
    id: str


class SmsCodeWanted(Struct, rename="camel"):
    """Asks for a code by SMS; `code` and `id` are the captcha's answer and id."""

    mobile: AddressText
    code: ShortText
    id: SealedText
    platform: ShortText = ""


class EmailCodeWanted(Struct, rename="camel"):
    """Asks for a code by e-mail; a widespread client never sends `typ` (wire.md 7)."""

    email: AddressText
    code: ShortText
    id: SealedText
    typ: Literal["forget_password", ""] = ""
