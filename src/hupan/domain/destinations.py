"""Which numbers an SMS is really sent to (security C12).

Whoever earns on messages asks for codes to numbers that cost: of far countries, of services. Such
a number is answered like any other, and nothing is sent.
"""

import re
from collections.abc import Collection

from hupan.domain.targets import Target

_CHINESE = re.compile(r"1[0-9]{10}")
_CHINESE_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LEADING_DIGITS = 7


class Destinations:
    """Tells numbers that may be sent to from others.

    Args:
        regions: countries other than China, as ISO 3166 names them: `HK`, `SG`.
        enabled: whether anything is refused at all.
    """

    def __init__(self, regions: Collection[str], *, enabled: bool) -> None:
        self._regions = regions
        self._enabled = enabled

    def allow(self, target: Target) -> bool:
        """Whether a message to a target leaves: any address, and mobile numbers of some places."""
        if not self._enabled or target.channel == "email":
            return True
        if _CHINESE.fullmatch(target.key):
            return _CHINESE_MOBILE.fullmatch(target.key) is not None
        return self._allow_abroad(target.key)

    def _allow_abroad(self, number: str) -> bool:
        import phonenumbers  # noqa: PLC0415 - a large table, needed only where the setting is on

        parsed = phonenumbers.parse(number)
        kinds = (
            phonenumbers.PhoneNumberType.MOBILE,
            phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        )
        is_mobile = phonenumbers.number_type(parsed) in kinds
        return is_mobile and phonenumbers.region_code_for_number(parsed) in self._regions


def number_block(target: Target) -> str:
    """The digits that numbers beside each other share, "" for an address."""
    digits = target.key.lstrip("+")
    return digits[:_LEADING_DIGITS] if target.channel == "sms" else ""
