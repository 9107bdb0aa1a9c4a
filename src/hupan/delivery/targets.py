"""The last check of an address before it stands in a protocol (security U7)."""

import re

from hupan.delivery.message import Message
from hupan.delivery.protocol import NotSent

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ANY_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_RECIPIENT = re.compile(rf"{_ANY_ATOM}@{_LABEL}(?:\.{_LABEL})*")
_PHONE = re.compile(r"\+?[0-9]{5,15}")
_ID = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")

_ADDRESS_LENGTH = 254
_LOCAL_PART_LENGTH = 64
_ID_LENGTH = 128


def is_address(text: str) -> bool:
    """Tell whether `text` is exactly one ASCII addr-spec, without quotes or comments."""
    return (
        len(text) <= _ADDRESS_LENGTH
        and _ADDRESS.fullmatch(text) is not None
        and text.index("@") <= _LOCAL_PART_LENGTH
    )


def is_recipient(text: str) -> bool:
    """Whether mail can be sent to `text`: as above, with dots anywhere in the local part.

    Carriers of Japan gave such addresses to many: `u..v@docomo.ne.jp`, `w.@…`.
    """
    fits = len(text) <= _ADDRESS_LENGTH and _RECIPIENT.fullmatch(text) is not None
    return fits and text.index("@") <= _LOCAL_PART_LENGTH


def quoted(address: str) -> str:
    """A recipient as mail writes it: what is no dot-atom in quotes (RFC 5321 4.1.2)."""
    if is_address(address):
        return address
    local, _, domain = address.rpartition("@")
    return f'"{local}"@{domain}'


def require_mail(message: Message) -> None:
    """Refuse what cannot go out as one e-mail to one address.

    Raises:
        NotSent: Never worth another try.
    """
    _require(message.channel == "email", "this sender carries e-mail only")
    _require(is_recipient(message.to), "the recipient is not one plain e-mail address")
    _require_id(message)


def require_sms(message: Message) -> None:
    """Refuse what cannot go out as one SMS to one number.

    Raises:
        NotSent: Never worth another try.
    """
    _require(message.channel == "sms", "this sender carries SMS only")
    _require(_PHONE.fullmatch(message.to) is not None, "the recipient is not one phone number")
    _require_id(message)


def _require_id(message: Message) -> None:
    fits = len(message.id) <= _ID_LENGTH and _ID.fullmatch(message.id) is not None
    _require(fits, "the message's id does not fit into a header")


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise NotSent(reason, again=False)
