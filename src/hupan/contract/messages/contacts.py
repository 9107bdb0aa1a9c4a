"""Messages that bind or change a contact, or reset a password (wire.md 4)."""

from msgspec import Struct

from hupan.contract.messages.fields import CodeText, ContactText, NewPasswordText


class PhoneProof(Struct, rename="camel"):
    """A phone number and the code that was sent to it.

    Attributes:
        captcha: the code of six digits, not the answer to a captcha.
    """

    phone: ContactText
    captcha: CodeText


class EmailProof(Struct, rename="camel"):
    """An e-mail address and the code that was sent to it.

    Attributes:
        captcha: the code of six digits, not the answer to a captcha.
    """

    email: ContactText
    captcha: CodeText


class PasswordResetRequest(Struct, rename="camel"):
    """An e-mail address, the code that was sent to it, and the new password.

    Attributes:
        captcha: the code of six digits, not the answer to a captcha.
        password: at least 8 characters, or 15 if the server is set so; no common one.
    """

    email: ContactText
    captcha: CodeText
    password: NewPasswordText
