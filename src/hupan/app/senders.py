"""The senders of `hupan serve`, by its settings."""

import time

from hupan.config import Settings
from hupan.delivery.console import ConsoleSender
from hupan.delivery.gateway import GatewaySender
from hupan.delivery.gateway_options import GatewayOptions
from hupan.delivery.protocol import Sender
from hupan.delivery.smtp import SmtpOptions, SmtpSender
from hupan.model import Channel


def make_senders(settings: Settings) -> dict[Channel, Sender]:
    """One sender for each channel.

    Raises:
        ValueError: a setting does not fit; the text names it.
    """
    return {"sms": _sms(settings), "email": _email(settings)}


def _sms(settings: Settings) -> Sender:
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
        success_text=settings.sms_success_text,
        timeout_seconds=settings.sms_timeout_seconds,
        ca_file=settings.sms_ca_file,
    )
    return GatewaySender(options, time.time, settings.brand)


def _email(settings: Settings) -> Sender:
    if settings.email_sender == "console":
        return ConsoleSender(brand=settings.brand)
    options = SmtpOptions(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_from,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=settings.smtp_password,
        timeout_seconds=settings.smtp_timeout_seconds,
        ca_file=settings.smtp_ca_file,
    )
    return SmtpSender(options, settings.brand)
