"""Signing in (wire.md 4: verification-login, email-login)."""

from msgspec import Struct

from hupan.contract.messages.fields import AddressText, DeviceText, PasswordText, ShortText


class CodeLogin(Struct, rename="camel"):
    """Signs in with a code that came by SMS; `captcha` is that code."""

    mobile: AddressText
    captcha: ShortText
    device_id: DeviceText = ""
    platform: DeviceText = ""


class EmailLogin(Struct, rename="camel"):
    """Signs in with an e-mail address and a password."""

    email: AddressText
    password: PasswordText
    device_id: DeviceText = ""
    platform: DeviceText = ""


class LoginToken(Struct, rename="camel"):
    """The token of the session that was opened."""

    token: str
