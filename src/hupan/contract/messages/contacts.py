"""Phone number, address and password of an account (wire.md 4: bing-*, change-*-check, …)."""

from msgspec import Struct

from hupan.contract.messages.fields import AddressText, CodeText, PasswordText


class PhoneProof(Struct, rename="camel"):
    """A phone number and the code that came there.

    Attributes:
        captcha: the code of six digits, not the answer of a picture.
    """

    phone: AddressText
    captcha: CodeText


class EmailProof(Struct, rename="camel"):
    """An e-mail address and the code that came there.

    Attributes:
        captcha: the code of six digits, not the answer of a picture.
    """

    email: AddressText
    captcha: CodeText


class PasswordReset(Struct, rename="camel"):
    """An e-mail address, the code that came there, and the password to have from now on.

    Attributes:
        captcha: the code of six digits, not the answer of a picture.
        password: at least 8 characters, by setting 15; no common one.
    """

    email: AddressText
    captcha: CodeText
    password: PasswordText
