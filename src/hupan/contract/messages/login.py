"""Signing in (wire.md 4: verification-login, email-login)."""

from msgspec import Struct

from hupan.contract.messages.fields import AddressText, CodeText, DeviceText, PasswordText


class CodeLogin(Struct, rename="camel"):
    """Signs in with a code that came by SMS.

    Attributes:
        mobile: `1` and ten digits, a leading +86 or 86 is dropped; others by setting.
        captcha: the code of six digits.
        device_id: opaque; a new sign-in replaces the session of the same device.
        platform: free text, shown in the list of devices.
    """

    mobile: AddressText
    captcha: CodeText
    device_id: DeviceText = ""
    platform: DeviceText = ""


class EmailLogin(Struct, rename="camel"):
    """Signs in with an e-mail address and a password.

    Attributes:
        device_id: opaque; a new sign-in replaces the session of the same device.
        platform: free text, shown in the list of devices.
    """

    email: AddressText
    password: PasswordText
    device_id: DeviceText = ""
    platform: DeviceText = ""


class LoginToken(Struct, rename="camel"):
    """The token of the session that was opened.

    Attributes:
        token: 8-4-4-4-12 small hexadecimal digits (wire.md 5).
    """

    token: str
