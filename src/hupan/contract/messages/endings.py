"""The end of an account (wire.md 4: cancel-user)."""

from msgspec import Struct

from hupan.contract.messages.fields import AddressText, CodeText


class CancelUser(Struct, rename="camel"):
    """Cancels the caller's account; exactly one of `phone` and `email` says where the code went.

    Attributes:
        captcha: the code of six digits that went to what is bound.
    """

    captcha: CodeText
    phone: AddressText = ""
    email: AddressText = ""
