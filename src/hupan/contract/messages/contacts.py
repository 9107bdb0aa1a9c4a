"""Messages that bind or change a phone number or e-mail address, or reset a password (wire.md 4)."""

from msgspec import Struct

from hupan.contract.messages.fields import CodeText, ContactText, PasswordText


class PhoneProof(Struct, rename="camel"):
    """A phone number and the code that came there.

    Attributes:
        captcha: the code of six digits, not the answer of a picture.
    """

    phone: ContactText
    captcha: CodeText


class EmailProof(Struct, rename="camel"):
    """An e-mail address and the code that came there.

    Attributes:
        captcha: the code of six digits, not the answer of a picture.
    """

    email: ContactText
    captcha: CodeText


class PasswordResetRequest(Struct, rename="camel"):
    """An e-mail address, the code that came there, and the password to have from now on.

    Attributes:
        captcha: the code of six digits, not the answer of a picture.
        password: at least 8 characters, by setting 15; no common one.
    """

    email: ContactText
    captcha: CodeText
    password: PasswordText
