"""Where codes go: phone numbers and e-mail addresses in their normal form (wire.md 5)."""

import re
from dataclasses import dataclass
from typing import Literal

from hupan.domain.refusals import InvalidField
from hupan.model import Channel
from hupan.store.ascii_domains import ascii_address

MOST_CHARACTERS = 320
"""Of what is looked at at all, as on the wire."""
_CHINESE_MOBILE = re.compile(r"(?:\+?86)?(1[0-9]{10})")
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}")
# What stands between the digits of a number that was copied from elsewhere.
_BETWEEN = re.compile(
    "[\t \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000().\\-\u2010-\u2015\u2212\ufe58\u30fb\u00b7]"
)
# What a text program puts around it: marks of direction, joiners, a byte order mark.
_UNSEEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_ENDS_A_LINE = re.compile("[\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_NUMBER = re.compile(r"[+(]*[ (]*[0-9].*")
_FRACTION = re.compile(r"\.[0-9]")
# No quotes, commas, brackets or colons: to some mail systems those make two addresses of one. Dots
# may stand anywhere before the @, as carriers of Japan gave them; the sender quotes such a part.
_LABEL = "[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
_LENIENT_EMAIL = re.compile(rf"[0-9A-Za-z!#$%&'*+/=?^_`{{|}}~.\-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")
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
        """A phone number: `1` and ten digits; a leading +86, 0086 or 86 is dropped.

        It may come as people paste it, see `plain_number`.

        Raises:
            InvalidField: it is no such number.
        """
        number = plain_number(text)
        if match := _CHINESE_MOBILE.fullmatch(number):
            return Target("sms", match[1], match[1])
        if self.international and _INTERNATIONAL.fullmatch(number):
            return self._international(number, field)
        raise InvalidField(field)

    def email(self, text: str, field: str) -> Target:
        """An e-mail address: one, ASCII; compared without regard to case (security U7).

        An international domain is given, kept and sent to in its ASCII form, `xn--…`.

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

    def named(self, text: str, field: str) -> Target:
        """A number or an address as an operator writes it, also with a domain of other letters.

        Raises:
            InvalidField: it is neither.
        """
        if "@" in text:
            return self.email(ascii_address(text.strip()), field)
        return self.phone(text, field)

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
    return checked.ascii_email or address


def plain_number(text: str) -> str:
    """A number without what stands around and between its digits; "" for what holds none.

    Dashes, dots, brackets and blanks of all kinds, full-width characters, unseen marks; `00` before
    a country's code is `+`. One digit alone behind a dot is a fraction, so that is no number.
    """
    if len(text) > MOST_CHARACTERS or _ENDS_A_LINE.search(text):
        return ""
    seen = _UNSEEN.sub("", text).translate(_FULL_WIDTH).strip()
    if _FRACTION.fullmatch(seen[-2:]) or not _NUMBER.fullmatch(seen):
        return ""
    digits = _BETWEEN.sub("", seen)
    return f"+{digits[2:]}" if digits.startswith("00") else digits


def unmarked(text: str) -> str:
    """An id as it was pasted, without blanks and unseen marks around it."""
    return _UNSEEN.sub("", text[:MOST_CHARACTERS]).translate(_FULL_WIDTH).strip()


def folded(text: str) -> str:
    """What a number or an address is looked for by, where no rule says whether it is one."""
    if "@" in text:
        return ascii_address(text.strip()).lower()
    number = plain_number(text)
    if match := _CHINESE_MOBILE.fullmatch(number):
        return match[1]
    return number if re.fullmatch(r"\+?[0-9]{5,}", number) else text.lower()
