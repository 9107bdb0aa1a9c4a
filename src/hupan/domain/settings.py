"""What the domain takes from the server's settings; each value's meaning stands in config."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hupan.model import Limit

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit that is counted in the store; with `enabled` off none is."""

    enabled: bool
    wrong_codes: tuple[Limit, ...]
    wrong_passwords: tuple[Limit, ...]
    sends: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one server."""

    zone: ZoneInfo
    sign_up_open: bool = True
    code_lifetime_seconds: int = 300
    captcha_lifetime_seconds: int = 300
    default_avatar_url: str = ""
