"""Messages of account deletion (wire.md 4: cancel-user)."""

from msgspec import Struct

from hupan.contract.messages.fields import CodeText, ContactText


class AccountCancellation(Struct, rename="camel"):
    """Cancels the caller's account; exactly one of `phone` and `email` says where the code went.

    Attributes:
        captcha: the code of six digits that went to what is bound.
    """

    captcha: CodeText
    phone: ContactText = ""
    email: ContactText = ""
