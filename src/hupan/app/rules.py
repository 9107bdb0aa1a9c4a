"""The rules of the domain, read from the settings."""

from zoneinfo import ZoneInfo

from hupan.config import Settings
from hupan.domain.passwords import HashCost
from hupan.domain.settings import DAY, HOUR, Limits, Rules
from hupan.domain.targets import Targets
from hupan.model import Limit

MINUTE = 60
IN_A_ROW_SECONDS = 3650 * DAY
"""How long wrong codes in a row are remembered: until a right one comes."""


def rules(settings: Settings) -> Rules:
    """What accounts and codes obey."""
    return Rules(
        zone=ZoneInfo(settings.time_zone),
        sign_up_open=settings.sign_up_open,
        code_lifetime_seconds=settings.code_lifetime_seconds,
        captcha_lifetime_seconds=settings.captcha_lifetime_seconds,
        default_avatar_url=settings.default_avatar_url,
    )


def targets(settings: Settings) -> Targets:
    """Which numbers and addresses are taken."""
    return Targets(
        international=settings.international_numbers,
        strict_email=settings.email_profile == "strict",
    )


def hash_cost(settings: Settings) -> HashCost:
    """What a password hash costs."""
    return HashCost(settings.password_memory_kib, settings.password_passes)


def limits(settings: Settings) -> Limits:
    """How often what may be done (security C5, C11)."""
    in_a_row = settings.wrong_codes_in_a_row
    return Limits(
        enabled=settings.limits_enabled,
        wrong_codes=(
            Limit("wrong-codes-hour", settings.wrong_codes_per_hour, HOUR),
            Limit("wrong-codes-day", settings.wrong_codes_per_day, DAY),
            Limit("wrong-codes-in-a-row", in_a_row, IN_A_ROW_SECONDS, lock_seconds=DAY),
        ),
        wrong_passwords=(
            Limit("wrong-passwords-hour", settings.wrong_passwords_per_hour, HOUR),
            Limit("wrong-passwords-day", settings.wrong_passwords_per_day, DAY),
        ),
        sends=(
            Limit("sends-minute", settings.sends_per_minute, MINUTE),
            Limit("sends-hour", settings.sends_per_hour, HOUR),
            Limit("sends-day", settings.sends_per_day, DAY),
        ),
    )
