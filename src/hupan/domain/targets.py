"""Where codes go: phone numbers and e-mail addresses in their normal form (wire.md 5)."""

import re
from dataclasses import dataclass
from typing import Literal

from hupan.domain.refusals import InvalidField
from hupan.model import Channel

_CHINESE_MOBILE = re.compile(r"(?:\+?86)?(1[0-9]{10})")
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}")
# No quotes, commas, brackets or colons: to some mail systems those make two addresses of one.
_LENIENT_EMAIL = re.compile(r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~.\-]{1,64}@[0-9A-Za-z.\-]{1,255}")
MOST_EMAIL_CHARACTERS = 254


@dataclass(frozen=True, slots=True)
class Target:
    """A number or an address that a code can be sent to.

    Attributes:
        channel: how a message gets there.
        key: the normal form that is compared, and claimed in `identities`.
        address: the form that a message is sent to and that its owner is shown.
    """

    channel: Channel
    key: str
    address: str

    @property
    def kind(self) -> Literal["phone", "email"]:
        """The kind of identity that it is."""
        return "phone" if self.channel == "sms" else "email"


@dataclass(frozen=True, slots=True)
class Targets:
    """Reads targets from the wire, by the server's settings.

    Attributes:
        international: whether numbers with a country code other than 86 are taken.
        strict_email: whether addresses must pass strict checks; the reference's own samples do not.
    """

    international: bool = False
    strict_email: bool = True

    def phone(self, text: str, field: str) -> Target:
        """A phone number: `1` and ten digits; a leading +86 or 86 is dropped.

        Raises:
            InvalidField: it is no such number.
        """
        if match := _CHINESE_MOBILE.fullmatch(text.strip(" ")):
            return Target("sms", match[1], match[1])
        if self.international and _INTERNATIONAL.fullmatch(text.strip(" ")):
            return self._international(text.strip(" "), field)
        raise InvalidField(field)

    def email(self, text: str, field: str) -> Target:
        """An e-mail address: one, ASCII; compared without regard to case (security U7).

        Raises:
            InvalidField: it is no such address.
        """
        address = text.strip(" ")
        if not _LENIENT_EMAIL.fullmatch(address) or len(address) > MOST_EMAIL_CHARACTERS:
            raise InvalidField(field)
        if self.strict_email:
            address = _strictly(address, field)
        local, _, domain = address.rpartition("@")
        return Target("email", address.lower(), f"{local}@{domain.lower()}")

    def _international(self, text: str, field: str) -> Target:
        import phonenumbers  # noqa: PLC0415 - a large table, needed only where the setting is on

        try:
            number = phonenumbers.parse(text)
        except phonenumbers.NumberParseException as error:
            raise InvalidField(field) from error
        if not phonenumbers.is_valid_number(number) or number.country_code == 86:  # noqa: PLR2004 - China's own form is read above
            raise InvalidField(field)
        key = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return Target("sms", key, key)


def _strictly(address: str, field: str) -> str:
    import email_validator  # noqa: PLC0415 - 25 ms at import, not needed to start

    try:
        checked = email_validator.validate_email(
            address, check_deliverability=False, allow_smtputf8=False
        )
    except email_validator.EmailNotValidError as error:
        raise InvalidField(field) from error
    return checked.normalized
