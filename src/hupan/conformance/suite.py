"""The whole suite, in the order in which it runs."""

from typing import Final

from hupan.conformance import account_checks, screen_checks, sign_in_checks, transport_checks
from hupan.conformance.checks import CHECKS, Check

ALL_CHECKS: Final[tuple[Check, ...]] = tuple(CHECKS.values())
AREAS: Final = (transport_checks, sign_in_checks, account_checks, screen_checks)
"""The modules whose import fills the table."""
