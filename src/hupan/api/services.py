"""What the handlers may use: one frozen bundle, made by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hupan.clock import Clock
from hupan.domain.captchas import Captchas, IssuedCaptcha
from hupan.domain.code_login import CodeLogins
from hupan.domain.password_login import PasswordLogins
from hupan.domain.profiles import Profiles
from hupan.domain.sessions import Sessions
from hupan.domain.verification import Verification


@dataclass(frozen=True, slots=True)
class Services:
    """The domain, as the front door sees it.

    Attributes:
        on_captcha: told of each captcha that is issued; the sandbox shows the answers.
    """

    clock: Clock
    zone: ZoneInfo
    captchas: Captchas
    verification: Verification
    code_logins: CodeLogins
    password_logins: PasswordLogins
    sessions: Sessions
    profiles: Profiles
    on_captcha: Callable[[IssuedCaptcha], None]
