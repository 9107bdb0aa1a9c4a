"""Phone number, address and password of an account (wire.md 4: bing-*, change-*-check, …)."""

from msgspec import Struct

from hupan.contract.messages.fields import AddressText, PasswordText, ShortText


class PhoneProof(Struct, rename="camel"):
    """A phone number and the code that came there.

    Attributes:
        captcha: the code of six digits, not the answer of a picture.
    """

    phone: AddressText
    captcha: ShortText


class EmailProof(Struct, rename="camel"):
    """An e-mail address and the code that came there.

    Attributes:
        captcha: the code of six digits, not the answer of a picture.
    """

    email: AddressText
    captcha: ShortText


class PasswordReset(Struct, rename="camel"):
    """An e-mail address, the code that came there, and the password to have from now on.

    Attributes:
        captcha: the code of six digits, not the answer of a picture.
        password: at least 8 characters, by setting 15; no common one.
    """

    email: AddressText
    captcha: ShortText
    password: PasswordText
