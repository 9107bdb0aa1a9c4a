"""The end of an account (wire.md 4: cancel-user)."""

from msgspec import Struct

from hupan.contract.messages.fields import AddressText, ShortText


class CancelUser(Struct, rename="camel"):
    """Cancels the caller's account; one of `phone` and `email` says where the code went."""

    captcha: ShortText
    phone: AddressText = ""
    email: AddressText = ""
