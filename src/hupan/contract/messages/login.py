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
    """Logs in with an SMS code.

    Attributes:
        mobile: `1` and ten digits, a leading +86 or 86 is dropped; others by setting.
        captcha: the code of six digits.
        device_id: opaque; a login replaces the session of the same device, and without a device id
            it replaces none.
        platform: free text, shown in the list of devices; by default a word of User-Agent.
    """

    mobile: ContactText
    captcha: CodeText
    device_id: DeviceIdText = ""
    platform: PlatformText = ""


class EmailLogin(Struct, rename="camel"):
    """Logs in with an e-mail address and a password.

    Attributes:
        device_id: opaque; a login replaces the session of the same device, and without a device id
            it replaces none.
        platform: free text, shown in the list of devices; by default a word of User-Agent.
    """

    email: ContactText
    password: PasswordText
    device_id: DeviceIdText = ""
    platform: PlatformText = ""


class LoginToken(Struct, rename="camel"):
    """The token of the new session.

    Attributes:
        token: 8-4-4-4-12 lower-case hexadecimal digits (wire.md 5).
    """

    token: str
