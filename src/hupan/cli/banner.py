"""What a server says when it listens: where, on which data, how codes leave."""

import sys
import time
from collections.abc import Sequence

from hupan import __version__
from hupan.app.exempt import exempt_lines
from hupan.config import Settings

_ON_CONSOLE = "终端 console（⚠ 仅打印在此处，不会发给用户 printed here, not sent to users）"


def say(
    mode: str, urls: list[str], settings: Settings, codes: str, warnings: Sequence[str] = ()
) -> None:
    """Writes the lines and sends them off at once, also into a file or a pipe."""
    lines = [
        f"湖畔 Hupan {__version__} · {mode}",
        *(f"  监听 listening  {url}" for url in urls),
        f"  数据 data       {settings.store_shown}",
        f"  验证码 codes    {codes}",
        *(f"  {line}" for line in exempt_lines(settings, time.time())),
        *(f"  {line}" for line in warnings),
    ]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def codes_leave(settings: Settings) -> str:
    """How codes leave, with a plain warning where they do not."""
    sms = _ON_CONSOLE if settings.sms_sender == "console" else "HTTP 网关 gateway"
    email = _ON_CONSOLE if settings.email_sender == "console" else f"SMTP {settings.smtp_host}"
    return sms if sms == email else f"短信 SMS: {sms} · 邮件 e-mail: {email}"
