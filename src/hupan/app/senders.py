"""The senders of `hupan serve`, by its settings."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parseaddr
from typing import Final

from hupan.config import Settings
from hupan.config.problems import Unusable
from hupan.config.wording import Wording
from hupan.delivery.answer_rule import AnswerRule
from hupan.delivery.console import ConsoleSender
from hupan.delivery.gateway import GatewaySender
from hupan.delivery.gateway_options import GatewayOptions
from hupan.delivery.options import BadOption
from hupan.delivery.protocol import Sender
from hupan.delivery.smtp import SmtpOptions, SmtpSender
from hupan.model import Channel

_RENAMED: Final[Mapping[str, str]] = {"smtp_sender": "smtp_from"}
_SHARED: Final = ("brand",)


def make_senders(settings: Settings) -> dict[Channel, Sender]:
    """One sender for each channel.

    Raises:
        Unusable: a setting does not fit; it is named.
    """
    return {"sms": make_sms_sender(settings), "email": make_email_sender(settings)}


def make_sms_sender(settings: Settings) -> GatewaySender | ConsoleSender:
    """The sender of SMS.

    Raises:
        Unusable: a setting does not fit; it is named.
    """
    with _naming("sms"):
        if settings.sms_sender == "console":
            return ConsoleSender(brand=settings.brand)
        options = GatewayOptions(
            url=settings.sms_url,
            body="" if settings.sms_method == "GET" else settings.sms_body,
            method=settings.sms_method,
            headers=settings.sms_headers,
            content_type=settings.sms_content_type,
            hmac_secret=settings.sms_hmac_secret,
            hmac_header=settings.sms_hmac_header,
            success=AnswerRule(
                text=settings.sms_success_text,
                pattern=settings.sms_success_pattern,
                json_path=settings.sms_success_json_path,
                json_value=settings.sms_success_json_value,
                charset=settings.sms_answer_charset,
            ),
            timeout_seconds=settings.sms_timeout_seconds,
            ca_file=settings.sms_ca_file,
        )
        return GatewaySender(options, time.time, settings.brand)


def make_email_sender(settings: Settings) -> SmtpSender | ConsoleSender:
    """The sender of e-mails.

    Raises:
        Unusable: a setting does not fit; it is named.
    """
    with _naming("smtp"):
        if settings.email_sender == "console":
            return ConsoleSender(brand=settings.brand)
        name, address = _mailbox(settings.smtp_from)
        options = SmtpOptions(
            host=settings.smtp_host,
            port=settings.smtp_port,
            sender=address,
            sender_name=name,
            security=settings.smtp_security,
            user=settings.smtp_user,
            password=settings.smtp_password,
            timeout_seconds=settings.smtp_timeout_seconds,
            ca_file=settings.smtp_ca_file,
        )
        return SmtpSender(options, settings.brand)


def sender_makers() -> tuple[Callable[[Settings], Sender], ...]:
    """What makes each sender, so that the problems of all of them can be told."""
    return (make_sms_sender, make_email_sender)


def _mailbox(text: str) -> tuple[str, str]:
    """Split `Name <address>`; the form has made sure that it is one or the other."""
    if "<" not in text:
        return "", text.strip()
    name, _, rest = text.partition("<")
    quoted, address = parseaddr(f"{name.strip()} <{rest.rstrip().removesuffix('>').strip()}>")
    return (quoted or name).strip().strip('"'), address


@contextmanager
def _naming(prefix: str) -> Iterator[None]:
    """Name the setting where an option does not fit."""
    try:
        yield
    except BadOption as bad:
        name = bad.field if bad.field in _SHARED else f"{prefix}_{bad.field}"
        raise Unusable(
            _RENAMED.get(name, name), Wording(bad.zh, f"another value ({bad.en})")
        ) from None
