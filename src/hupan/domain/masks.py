"""What a log may show of whom it is about (security L1)."""

import json
import re
from collections.abc import Mapping

from hupan.domain.targets import plain_number
from hupan.store.ascii_domains import ascii_address

_PHONE = re.compile(r"\+?[0-9]{7,15}")
_CHINESE = re.compile(r"(?:\+?86)?(1[0-9]{10})")
_EMAIL = re.compile(r"([\x21-\x7e])[\x21-\x7e]{0,63}@([A-Za-z0-9.-]{1,253})")
_PLAIN = re.compile(r"[A-Za-z0-9_.:@*+/?-]+")
_NUMBERS_WITHIN = re.compile(r"(?<![0-9A-Za-z])\+?[0-9]{7,15}(?![0-9A-Za-z])")
# As people paste them, see `plain_number`: a mobile number of China with blanks or dashes within.
_PASTED_WITHIN = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:\+|00)?86[ ().\u00a0\u2010-\u2015-]{0,3})?"
    r"1(?:[ ().\u00a0\u2010-\u2015-]{0,2}[0-9]){10}(?![0-9A-Za-z])"
)
_EMAILS_WITHIN = re.compile(r"[\x21-\x7e]{1,64}@[A-Za-z0-9.-]{1,253}")
# Where such a domain ends a text without blanks does not tell; so only what is before it is masked.
_INTERNATIONAL_WITHIN = re.compile(r"([\x21-\x7e])[\x21-\x7e]{0,63}@(?=[^\x00-\x7f])")
UNREADABLE = "?"
"""Stands for what is no number and no address: it may be anything, also somebody's password."""


def masked(target: str) -> str:
    """A number as 139****0001, an address as a***@example.com; `?` for everything else."""
    text = ascii_address(target.strip()) if "@" in target else plain_number(target)
    if chinese := _CHINESE.fullmatch(text):
        text = chinese[1]
    if _PHONE.fullmatch(text):
        return f"{text[:3]}****{text[-4:]}" if len(text) > len("1234567") else "****"
    email = _EMAIL.fullmatch(text)
    return f"{email[1]}***@{email[2].lower()}" if email else UNREADABLE


def masked_within(text: str) -> str:
    """Return a text that an operator wrote, with the numbers and addresses in it masked."""
    without_numbers = _PASTED_WITHIN.sub(lambda found: masked(found[0]), text)
    without_numbers = _NUMBERS_WITHIN.sub(lambda found: masked(found[0]), without_numbers)
    without_domains = _INTERNATIONAL_WITHIN.sub(r"\1***@", without_numbers)
    return _EMAILS_WITHIN.sub(lambda found: masked(found[0]), without_domains)


def line_of(fields: Mapping[str, str]) -> str:
    """Fields as `key=value`, `-` for none; what could end or forge a line is escaped."""
    return " ".join(f"{key}={_value(value)}" for key, value in fields.items())


def _value(value: str) -> str:
    if not value:
        return "-"
    return value if _PLAIN.fullmatch(value) else json.dumps(value)
