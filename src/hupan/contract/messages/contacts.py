"""Phone number, address and password of an account (wire.md 4: bing-*, change-*-check, …)."""

from msgspec import Struct

from hupan.contract.messages.fields import AddressText, PasswordText, ShortText


class PhoneProof(Struct, rename="camel"):
    """A phone number and the code that came there."""

    phone: AddressText
    captcha: ShortText


class EmailProof(Struct, rename="camel"):
    """An e-mail address and the code that came there."""

    email: AddressText
    captcha: ShortText


class PasswordReset(Struct, rename="camel"):
    """An e-mail address, the code that came there, and the password to have from now on."""

    email: AddressText
    captcha: ShortText
    password: PasswordText
