"""Messages of account deletion (wire.md 4: cancel-user)."""

from msgspec import Struct

from hupan.contract.messages.fields import CodeText, ContactText


class AccountCancellation(Struct, rename="camel"):
    """Cancels the caller's account; exactly one of `phone` and `email` is set.

    Attributes:
        captcha: the code of six digits that was sent to that bound contact.
    """

    captcha: CodeText
    phone: ContactText = ""
    email: ContactText = ""
