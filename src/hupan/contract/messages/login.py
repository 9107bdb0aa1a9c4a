"""Messages of logging in (wire.md 4: verification-login, email-login)."""

from msgspec import Struct

from hupan.contract.messages.fields import (
    CodeText,
    ContactText,
    DeviceIdText,
    PasswordText,
    PlatformText,
)


class CodeLogin(Struct, rename="camel"):
    """Signs in with a code that came by SMS.

    Attributes:
        mobile: `1` and ten digits, a leading +86 or 86 is dropped; others by setting.
        captcha: the code of six digits.
        device_id: opaque; a new sign-in replaces the session of the same device, one without it
            replaces none.
        platform: free text, shown in the list of devices; without it a word of User-Agent is.
    """

    mobile: ContactText
    captcha: CodeText
    device_id: DeviceIdText = ""
    platform: PlatformText = ""


class EmailLogin(Struct, rename="camel"):
    """Signs in with an e-mail address and a password.

    Attributes:
        device_id: opaque; a new sign-in replaces the session of the same device, one without it
            replaces none.
        platform: free text, shown in the list of devices; without it a word of User-Agent is.
    """

    email: ContactText
    password: PasswordText
    device_id: DeviceIdText = ""
    platform: PlatformText = ""


class LoginToken(Struct, rename="camel"):
    """The token of the session that was opened.

    Attributes:
        token: 8-4-4-4-12 small hexadecimal digits (wire.md 5).
    """

    token: str
